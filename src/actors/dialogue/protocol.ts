/** What `dialogue` takes and gives. */
import { event, protocol, stream } from '../../runtime/index.js'
import { part } from '../parts.js'
import { boolean, kinds, list, number, oneOf, optional, record, string, type Shaped } from '../shape.js'

const source = record({
  /** The number in the text, from 1 in the order of the text. */
  number,
  title: string,
  source: string,
})

const chunk = kinds({
  text: { text: string },
  done: {
    /** How the answer came about: a declared text, written from passages, quoted from one, or an honest no. */
    how: oneOf('declared', 'answered', 'quoted', 'unanswered'),
    sources: list(source),
    language: string,
    /** What the user meant, where that was recognised. */
    intent: optional(string),
    /** How well the best passage matched, from 0 to 1. */
    confidence: number,
    /** Whether the sources say what the text says; a declared text and an honest no need none. */
    grounded: boolean,
  },
})

export type DialogueChunk = Shaped<typeof chunk>
export type DialogueSource = Shaped<typeof source>

export const Dialogue = protocol({
  /** What the user says, in several parts where `perception` reads them; what the actor answers, part by part. */
  say: stream(record({ text: string, parts: optional(list(part)) }), chunk),
  /** Forgets the conversation, and drops the answer under way. */
  reset: event(),
})
