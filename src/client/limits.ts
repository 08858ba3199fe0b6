/** Every bound of the client, with its unit and what happens when it is reached. Those with a `Default` can be set. */

/** How long an outcome may take unless the caller says otherwise. */
export const TIMEOUT_DEFAULT_MS = 30_000

/** Beyond the outcome's own deadline, which the gateway watches: only then nobody is there. */
export const GRACE_MS = 5_000

/** How long a connection may be silent before it is taken for broken. The gateway shows every 15 s that it lives. */
export const IDLE_DEFAULT_MS = 45_000

/** How often a broken stream is taken up again in a row; then its reader is told. */
export const RECONNECTS_DEFAULT = 5

/** How long the first try to take it up waits; each one in a row twice as long, up to the second number. */
export const RECONNECT_FIRST_MS = 250
export const RECONNECT_LONGEST_MS = 10_000

/** Characters of a reply, of an event or of a frame; more is `InvalidMessage`. */
export const ANSWER_CHARS_MAX = 32 * 1_024 * 1_024

/** Characters that are read of an answer that tells an error; the rest is left. */
export const PROBLEM_CHARS_MAX = 64 * 1_024

/** Chunks of one stream that a conversation has received and its reader has not: the gateway begins with so much credit, and gets half of it back at a time. More ends the conversation. */
export const CREDIT = 32

/** Messages of a conversation that wait for their answers; the next is told `Overloaded`. The gateway takes 64 at once. */
export const WAITING_MAX = 1_024
