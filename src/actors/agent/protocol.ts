/** What an agent takes and gives. A team speaks the same, so that agents and teams stand in for each other, and nest. */
import { protocol, request, stream } from '../../runtime/index.js'
import { facts } from '../facts.js'
import { part } from '../parts.js'
import { boolean, count, kinds, list, number, oneOf, optional, record, string, typed, type Shaped } from '../shape.js'

const turn = record({ role: oneOf('user', 'assistant'), content: string })
const anything = typed<unknown>('anything', () => true)

/** What a run may cost; the narrower of the agent's own and the task's holds. */
const budget = record({
  /** Model calls. */
  steps: optional(count),
  /** Read and written, in all calls. */
  tokens: optional(count),
  /** Milliseconds from the start of the run; what a durable agent slept through counts too. */
  ms: optional(number),
  /** In the currency of the agent's prices. */
  money: optional(number),
})

const usage = record({
  /** Model calls. */
  steps: number,
  promptTokens: number,
  completionTokens: number,
  /** 0 where no prices are given. */
  money: number,
})

const task = record({
  input: string,
  /** What comes with it: text, images and sounds. A model that sees gets images as they are; all else becomes text. */
  parts: optional(list(part)),
  /** What was said before, for an agent that keeps no conversation of its own. */
  messages: optional(list(turn)),
  /** For the tools alone, such as who is asking; no model reads it. */
  context: optional(facts),
  /** The answer is a value that this JSON schema accepts; it comes as `value` at the end. */
  schema: optional(facts),
  budget: optional(budget),
  /** The caller's own name for this run: a durable agent that has finished it gives its outcome again, and pays for nothing. */
  run: optional(string),
})

const outcome = {
  /** Who has the last word. */
  speaker: string,
  text: string,
  value: optional(anything),
  /**
   * `stop`: the answer is complete. `length`: it was cut by the tokens of one answer. `steps`, `tokens`, `time`, `money`:
   * that budget is spent, and `text` is what there was. `refused`: a guardrail or a person said no, and `text` says why.
   */
  finish: oneOf('stop', 'length', 'steps', 'tokens', 'time', 'money', 'refused'),
  /** Of everyone who took part. */
  usage,
}

/** `speaker` is the address of whoever says or does it, so that a team's stream can be told apart. */
const chunk = kinds({
  /** Somebody else has the word from here. */
  turn: { speaker: string },
  text: { speaker: string, text: string },
  /** Not for the reader: how the model reasons, or a member's work that is no answer. */
  thought: { speaker: string, text: string },
  'tool-call': { speaker: string, id: string, tool: string, input: anything },
  'tool-result': { speaker: string, id: string, tool: string, ok: boolean, /** What the model is told. */ output: anything },
  /** A tool waits for a person's word, or has it. */
  approval: { speaker: string, id: string, tool: string, input: anything, state: oneOf('asked', 'granted', 'denied'), by: optional(string), comment: optional(string), /** What of the input the person wants otherwise. */ changes: optional(facts) },
  /** What this speaker said since its last turn, tool result or retry does not count: it, or another in its place, tries again. */
  retry: { speaker: string, reason: string },
  /** A member failed, and the team goes on without it. */
  failed: { speaker: string, code: string, message: string },
  /** Of one model call. */
  usage: { speaker: string, promptTokens: number, completionTokens: number, money: number },
  /** The end, once, as the last chunk. */
  done: outcome,
})
const outcomeShape = record(outcome)

export type AgentTurn = Shaped<typeof turn>
export type AgentBudget = Shaped<typeof budget>
export type AgentUsage = Shaped<typeof usage>
export type AgentTask = Shaped<typeof task>
export type AgentChunk = Shaped<typeof chunk>
export type AgentOutcome = Shaped<typeof outcomeShape>

export const Agent = protocol({
  /** Works on a task, and streams what happens; the last chunk is `done`. */
  run: stream(task, chunk),
  /** The same, for who wants the outcome alone: recorded, when a durable actor asks. */
  answer: request(task, outcomeShape),
})
