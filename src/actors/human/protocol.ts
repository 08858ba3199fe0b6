/** What a person, or a desk of several, can be asked, and how they say what they decided. */
import { event, protocol, request, type Duration } from '../../runtime/index.js'
import { milliseconds } from '../../ground/duration.js'
import { boolean, list, number, oneOf, optional, record, string, typed, type Shaped } from '../shape.js'

/** A question is kept in the actor's record, so each is small: a document goes beside it, by reference. */
const TEXT_MAX = 8_192
const LIST_MAX = 32

const isDuration = (value: unknown): boolean => {
  try {
    return milliseconds(value as Duration) >= 0
  } catch {
    return false
  }
}
const duration = typed<Duration>("a duration, such as 90000 or '3d'", isDuration)
const text = typed<string>(`text of at most ${TEXT_MAX} characters`, (value) => typeof value === 'string' && value.length <= TEXT_MAX)
const short = typed<string>('text of at most 200 characters', (value) => typeof value === 'string' && value.length <= 200)
const name = typed<string>('a name of 1 to 200 characters', (value) => typeof value === 'string' && value.length > 0 && value.length <= 200)
const few = <T>(what: string, holds: (value: unknown) => boolean) => typed<readonly T[]>(`at most ${LIST_MAX} ${what}`, (value) => Array.isArray(value) && value.length <= LIST_MAX && value.every(holds))
const isPassing = (value: unknown): boolean => {
  const { to, after } = (value ?? {}) as { to?: unknown; after?: unknown }
  return typeof to === 'string' && to.length > 0 && to.length <= 200 && isDuration(after)
}

const asking = {
  question: text,
  /** What the person needs to know to decide. */
  details: optional(text),
  /**
   * The asker's own name for the question. Asked again under it, it is the same question, with the same outcome; and it
   * stays open when its asker ran out of time or failed. Without one it is withdrawn then. One that is called off is too.
   */
  id: optional(name),
  expiresIn: optional(duration),
  /** When the person is reminded, each counted from the question. */
  remindAfter: optional(few<Duration>('durations', isDuration)),
  /** Who is asked instead when the person has said nothing by then: another key of the same kind, or an address. */
  delegate: optional(few<{ readonly to: string; readonly after: Duration }>('of { to, after }', isPassing)),
}

const outcome = {
  id: string,
  /** `expired`: nobody decided in time, and this is what the asker wanted in that case. */
  how: oneOf('decided', 'expired'),
  /** Who decided. */
  by: optional(string),
  comment: optional(string),
  at: number,
}
/** Kept in the actor's record like the question. */
const changes = typed<Readonly<Record<string, unknown>>>(`an object of at most ${TEXT_MAX} characters as JSON`, (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && JSON.stringify(value).length <= TEXT_MAX)
const approval = record({ ...outcome, approved: boolean, /** What the person wants otherwise in what was asked about. */ changes: optional(changes) })
const answer = record({ ...outcome, answer: string })

const question = record({
  id: string,
  kind: oneOf('approve', 'answer'),
  question: string,
  details: optional(string),
  /** What the answer has to be one of. */
  options: optional(list(string)),
  /** The address of who asked. */
  askedBy: string,
  askedAt: number,
  expiresAt: optional(number),
  /** The address of who has been asked instead. */
  passedTo: optional(string),
  reminded: number,
})

export type HumanApproval = Shaped<typeof approval>
export type HumanAnswer = Shaped<typeof answer>
export type HumanQuestion = Shaped<typeof question>

export const Human = protocol({
  /** Asks for a yes or a no. When it expires the asker gets `otherwise`, or `DeadlineExceeded` without. */
  approve: request(record({ ...asking, otherwise: optional(boolean) }), approval),
  /** Asks for words, or for one of `options`. */
  answer: request(record({ ...asking, options: optional(few<string>('texts', (value) => typeof value === 'string' && value.length <= 200)), otherwise: optional(text) }), answer),

  /** The person's yes or no, or a yes with changes. Said again, it is the same decision; another one is refused with `Gone`, which says by whom. */
  decide: request(record({ id: string, approved: boolean, by: name, comment: optional(text), changes: optional(changes) }), approval),
  /** The person's answer. */
  reply: request(record({ id: string, answer: text, by: name, comment: optional(text) }), answer),
  /** The person gives the question to another, who is asked instead; the first of the two to decide decides. */
  delegate: request(record({ id: string, to: name, by: optional(short) }), question),
  /** Nobody needs to decide any more. */
  withdraw: event(record({ id: string })),
  /** What waits for this person, oldest first. */
  list: request(null, list(question)),
})

/** Published to `<topic>.<person>`, so that a terminal, a mail or a page can show it. */
export const HumanNews = protocol({
  asked: event(record({ person: string, question })),
  reminded: event(record({ person: string, question })),
  delegated: event(record({ person: string, question })),
  /** It could not be delegated, and waits for this person again. */
  returned: event(record({ person: string, question, reason: string })),
  closed: event(record({ person: string, question, how: oneOf('decided', 'expired', 'withdrawn'), by: optional(string) })),
})
