/** What `flows` takes and gives, and what it publishes. */
import { event, protocol, request, stream } from '../../runtime/index.js'
import { part } from '../parts.js'
import { kinds, list, oneOf, optional, record, string, type Shaped } from '../shape.js'

const phase = oneOf('idle', 'collecting', 'confirming', 'choosing', 'acting', 'handed-over', 'closed')

/** Where a conversation stands. */
const standing = {
  state: phase,
  /** The flow at hand, and what is known for it. */
  flow: optional(string),
  slots: list(record({ name: string, text: string })),
  /** The slot that was asked for. */
  asked: optional(string),
  language: string,
}
const chunk = kinds({ text: { text: string }, done: standing })
const view = record(standing)

export type FlowsChunk = Shaped<typeof chunk>
export type Standing = Shaped<typeof view>

export const Flows = protocol({
  /** What the user says; what the conversation answers, and where it stands then. */
  say: stream(record({ text: string, parts: optional(list(part)) }), chunk),
  /** Forgets everything, and drops the answer under way. */
  reset: event(),
  /** A human takes over, unasked. */
  takeOver: event(),
  /** What the human says to the user, while the conversation is theirs. */
  answer: event(record({ text: string })),
  /** The human gives the conversation back; what was begun goes on. */
  handBack: event(),
  status: request(null, view),
})

/** Published to `<topic>.<conversation>`: what nobody had asked for just then. */
export const FlowsNews = protocol({
  /** To the user: a reminder, a goodbye, the words of a human. */
  said: event(record({ conversation: string, by: oneOf('troupe', 'human'), text: string })),
  /** To whoever helps: the user waits for a human, or says something to one. */
  waiting: event(record({ conversation: string, text: string })),
})
