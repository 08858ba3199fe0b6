/** What `nlu` takes and gives. */
import { protocol, request } from '../../runtime/index.js'
import { part } from '../parts.js'
import { boolean, count, list, number, oneOf, optional, record, string, typed, vector, type Shaped } from '../shape.js'

const bytes = typed<Uint8Array>('bytes', (value) => value instanceof Uint8Array)

const token = record({
  text: string,
  start: number,
  end: number,
  /** A Universal Dependencies tag such as NOUN; on request. */
  partOfSpeech: optional(string),
})

const entity = record({
  /** The tagger's: address, category, organization, person, place, title. By form: card, date, email, money, number, order, phone, time, url. Or declared. */
  type: string,
  value: string,
  start: number,
  end: number,
  score: number,
  source: optional(oneOf('tagger', 'exact', 'declared')),
  /** Of a number or an amount of money. */
  number: optional(number),
  /** The currency, as ISO 4217 names it. */
  unit: optional(string),
  /** ISO 8601: the day of a date, or the instant of a time with the zone's offset. */
  at: optional(string),
  until: optional(string),
  /** The value as programs want it: a declared name, an address in small letters, a phone number without marks. */
  canonical: optional(string),
})
const intent = record({ name: string, score: number })
const example = record({ text: string, intent: string })
const sentiment = record({ label: oneOf('negative', 'neutral', 'positive'), score: number })

/** What one utterance says; what another actor of this protocol does not tell, it leaves out. Offsets are UTF-16 units, as `text.slice(start, end)` takes them. */
const parsed = record({
  language: string,
  /** Where each sentence starts and ends. */
  sentences: optional(list(record({ start: number, end: number }))),
  tokens: list(token),
  entities: list(entity),
  /** Best first; empty until the head is trained. Scores mean how often such an answer is right. */
  intents: list(intent),
  /** From 0 to 1, how much this looks like the examples; 1 before there are any. */
  scope: optional(number),
  /** None of the trained intents. */
  outOfScope: boolean,
  /** English, with the embedded encoder. */
  sentiment: optional(sentiment),
  /** The examples nearest to it, on request. */
  nearest: optional(list(record({ text: string, intent: string, similarity: number }))),
  vector: optional(vector),
  /** What was understood, when the message had parts: offsets are in this text. */
  text: optional(string),
})

const trained = record({
  intents: list(string),
  examples: number,
  /** On examples held back in a trial training; left out when there are too few to hold any back. */
  accuracy: optional(number),
})

const evaluated = record({
  accuracy: number,
  macroF1: number,
  /** The mean distance between a score and how often answers of that score are right (ten bins). */
  calibrationError: number,
  examples: number,
  perIntent: list(record({ intent: string, precision: number, recall: number, f1: number, examples: number })),
})

export type Parsed = Shaped<typeof parsed>
export type Trained = Shaped<typeof trained>
export type Evaluated = Shaped<typeof evaluated>
export type Example = Shaped<typeof example>
export type Intent = Shaped<typeof intent>
export type Entity = Shaped<typeof entity>

export const Nlu = protocol({
  parse: request(
    record({
      text: string,
      /** More of the message: images and sounds become text behind it. Needs `nlu({ perception })`. */
      parts: optional(list(part)),
      /** Gives the sentence vector too. */
      vector: optional(boolean),
      /** How many of the nearest examples to give. */
      nearest: optional(count),
      /** English needs wink-nlp and wink-eng-lite-web-model, Chinese @node-rs/jieba. */
      partOfSpeech: optional(boolean),
      /** What dates are reckoned from, in milliseconds since the epoch; else the troupe's clock. */
      now: optional(number),
      /** Overrides the definition's. */
      timeZone: optional(string),
    }),
    parsed,
  ),
  /** Replaces the head by one trained on these examples; the old one answers meanwhile. */
  train: request(record({ examples: list(example) }), trained),
  /** Adds a corrected example and trains again in the background; the old head answers meanwhile. `wait`: answers once it is learnt. */
  feedback: request(record({ text: string, intent: string, wait: optional(boolean) }), record({ examples: number, learnt: boolean })),
  evaluate: request(record({ examples: list(example) }), evaluated),
  /** The head with its examples, as bytes for `load` or for `nlu({ head })`. */
  save: request(null, record({ bytes })),
  load: request(record({ bytes }), trained),
})
