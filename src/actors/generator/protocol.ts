/** What `generator` takes and gives. */
import { protocol, request, stream } from '../../runtime/index.js'
import { boolean, count, kinds, list, number, oneOf, optional, record, string, typed, type Shaped } from '../shape.js'

const passage = record({ text: string, title: string, source: string })
const citation = record({
  /** The number in the text, `[1]` for the first passage. */
  number,
  title: string,
  source: string,
})
const turn = record({ role: oneOf('user', 'assistant'), content: string })
/** The beginning of a conversation in short: give it back with the next message, in place of those turns or beside them. */
const summary = record({ text: string, /** Turns from the first one that it stands for. */ turns: number })
const usage = record({ promptTokens: number, completionTokens: number })
const anything = typed<unknown>('anything', () => true)
const schema = typed<Readonly<Record<string, unknown>>>('a JSON schema', (value) => typeof value === 'object' && value !== null && !Array.isArray(value))

const manner = {
  maxTokens: optional(count),
  temperature: optional(number),
  topP: optional(number),
  /** Texts at which it ends; they are not part of it. */
  stop: optional(list(string)),
  seed: optional(number),
  /** The text is JSON that this JSON schema accepts; what it says comes as `value` at the end. */
  schema: optional(schema),
}

const chunk = kinds({
  text: { text: string },
  /** In place of text: the model says that the passages do not answer, or said what does not stand in them. */
  refusal: { reason: oneOf('refused', 'ungrounded'), text: string },
  done: {
    citations: list(citation),
    /** Every sentence stands in the passages, and what it cites says it. Without passages nothing is grounded. */
    grounded: boolean,
    /** Of everything that was written for it, a summary of older turns included. */
    usage,
    finishReason: oneOf('stop', 'length'),
    value: optional(anything),
    /** When the conversation did not fit: what stands for its older turns. */
    summary: optional(summary),
  },
})

const chat = { messages: list(turn), system: optional(string), passages: optional(list(passage)), summary: optional(summary), ...manner }
const complete = { prompt: string, ...manner }

export type Source = Shaped<typeof passage>
export type Citation = Shaped<typeof citation>
export type ChatTurn = Shaped<typeof turn>
export type ChatSummary = Shaped<typeof summary>
export type GeneratorChunk = Shaped<typeof chunk>
const chatBody = record(chat)
const completeBody = record(complete)
export type ChatBody = Shaped<typeof chatBody>
export type CompleteBody = Shaped<typeof completeBody>

export const Generator = protocol({
  /** Answers from the passages, best first; for the embedded model those beyond the fourth are left out. */
  answer: stream(record({ question: string, passages: list(passage) }), chunk),
  /** Goes on with a conversation, whose last turn is the user's; with passages, from them alone. */
  chat: stream(chatBody, chunk),
  /** Goes on with a text. */
  complete: stream(completeBody, chunk),
  /** `extracted`: no model at hand writes summaries, so these are sentences of the text. */
  summarise: request(record({ text: string, maxTokens: optional(count) }), record({ text: string, how: oneOf('written', 'extracted') })),
  /** Languages as the translator names them; one that knows a single pair needs no source language. */
  translate: request(record({ text: string, targetLanguage: string, sourceLanguage: optional(string), maxTokens: optional(count) }), record({ text: string })),
})
