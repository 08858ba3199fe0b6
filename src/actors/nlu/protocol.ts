/** What `nlu` takes and gives. */
import { protocol, request } from '../../runtime/index.js'
import { boolean, list, number, optional, record, string, vector, type Shaped } from '../shape.js'

const token = record({ text: string, start: number, end: number })
const entity = record({ type: string, value: string, start: number, end: number, score: number })
const intent = record({ name: string, score: number })
const example = record({ text: string, intent: string })

/** What one utterance says. Offsets are UTF-16 units, as `text.slice(start, end)` takes them. */
const parsed = record({
  language: string,
  tokens: list(token),
  entities: list(entity),
  /** Best first; empty until the head is trained. */
  intents: list(intent),
  /** None of the trained intents. */
  outOfScope: boolean,
  vector: optional(vector),
})

const trained = record({
  intents: list(string),
  examples: number,
  /** On a fifth of the examples, held back in a trial training; left out when there are too few to hold any back. */
  accuracy: optional(number),
})

const evaluated = record({
  accuracy: number,
  macroF1: number,
  examples: number,
  perIntent: list(record({ intent: string, precision: number, recall: number, f1: number, examples: number })),
})

export type Parsed = Shaped<typeof parsed>
export type Trained = Shaped<typeof trained>
export type Evaluated = Shaped<typeof evaluated>
export type Example = Shaped<typeof example>
export type Intent = Shaped<typeof intent>

export const Nlu = protocol({
  /** `vector: true` gives the sentence vector too. */
  parse: request(record({ text: string, vector: optional(boolean) }), parsed),
  /** Replaces the head by one trained on these examples; the old one answers meanwhile. */
  train: request(record({ examples: list(example) }), trained),
  evaluate: request(record({ examples: list(example) }), evaluated),
})
