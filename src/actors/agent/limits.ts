/** Every bound of an agent that is not an option, with its unit and what happens when it is reached. */

/** Model calls of one run, unless a budget says otherwise; then it ends with `steps`. */
export const STEPS_USUAL = 12

/** Parts of one task; more are refused. */
export const PARTS_MAX = 16

/** Tokens that a picture takes of what a model can read, by an estimate: providers count 85 to 1,600. */
export const PICTURE_TOKENS = 1_000

/** Chunks of agents that are tools which wait for the reader of the run; then these agents wait. */
export const CHUNKS_AHEAD_MAX = 64

/** Calls that a model may make at once; it is told so of the others. */
export const CALLS_AT_ONCE_MAX = 16

/** Milliseconds that one model call may take, also where a run has no budget of time; then the run fails. */
export const MODEL_CALL_MS = 600_000

/** Characters of one call's input; a longer one is not used, and the model is told. */
export const INPUT_CHARS_MAX = 100_000

/** Times the tokens that it may have that an answer may grow to, by an estimate; then it is cut off: its provider does not keep to them. */
export const ANSWER_EXCESS = 4

/** Characters of what a tool gave that the model reads; the rest is cut, and the model is told. */
export const OUTPUT_CHARS_MAX = 32_000

/** Times in a row that a model may err in its calls or its structured answer; then the run fails. */
export const MISTAKES_MAX = 3

/** Times that a model call, or a member of a team, is tried again that is busy, or whose connection breaks; then the run fails. */
export const MODEL_RETRIES = 2

/** Milliseconds before that, unless who is busy says how long, and at most. */
export const MODEL_WAIT_MS = 1_000
export const MODEL_WAIT_MAX_MS = 60_000

/** Outcomes that are kept for who asks for the same run again; the oldest is forgotten. */
export const FINISHED_MAX = 32

/** Facts that are remembered, unless the memory says otherwise; the oldest is forgotten. */
export const FACTS_USUAL = 256

/** Runs under way at once in an agent without a memory; the next waits in the mailbox. */
export const RUNS_AT_ONCE = 16

/** Pages of tools that an MCP server may list; what is on further ones is not seen. */
export const MCP_PAGES_MAX = 100
