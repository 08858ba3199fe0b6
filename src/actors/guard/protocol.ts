/** What `guard` takes and gives. */
import { event, protocol, request } from '../../runtime/index.js'
import { part } from '../parts.js'
import { list, number, oneOf, optional, record, string, type Shaped } from '../shape.js'

const direction = oneOf('input', 'passage', 'output')

const reason = record({
  rule: oneOf('personal', 'injection', 'topic', 'pattern', 'secret', 'leak', 'length'),
  /** Which of the rule's kinds: `email`, the name of a topic or pattern. */
  name: string,
  action: oneOf('redact', 'refuse'),
  /** The part, from 0, and where in it. What stands there is not said again. */
  part: number,
  start: number,
  end: number,
  score: number,
})

const verdict = record({
  verdict: oneOf('allow', 'redact', 'refuse'),
  reasons: list(reason),
  /** What may go on: the text, without what was taken out; `''` and no parts when it is refused. */
  text: string,
  parts: list(part),
  /** Parts that nobody looked at, since they are no text. */
  unread: list(number),
})

export type GuardReason = Shaped<typeof reason>
export type GuardVerdict = Shaped<typeof verdict>

const checkBody = record({
  text: optional(string),
  parts: optional(list(part)),
  /** From a user, from a source, or from a model. */
  direction,
  /** Whose vault takes what is taken out; without one it cannot be put back. */
  conversation: optional(string),
})
export type CheckBody = Shaped<typeof checkBody>

export const Guard = protocol({
  check: request(checkBody, verdict),
  /** Puts back what was taken out. `Unauthorized` for whom `mayUnmask` does not name. `origin`: only what came that way. */
  unmask: request(record({ text: string, conversation: string, origin: optional(direction) }), record({ text: string, restored: number })),
  /** Empties the vault of a conversation. */
  forget: event(record({ conversation: string })),
})

/** Published to the topic `guard`, for each text that was not let through as it was. */
export const GuardNews = protocol({
  judged: event(record({ verdict: oneOf('redact', 'refuse'), direction, conversation: string, reasons: list(reason) })),
})
