import { actor, type Definition, type Ref } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import type { Perception } from '../perception/protocol.js'
import { nluChart } from './chart.js'
import { declaredFinder, type DeclaredEntity } from './declared.js'
import { Nlu, type Example } from './protocol.js'
import { nluWork, type Source } from './work.js'

export interface NluOptions {
  /** The encoder. Default `embedded:encoder`. */
  readonly model?: string
  /** What the head is trained on when the actor starts; who asks meanwhile waits for it. */
  readonly examples?: readonly Example[]
  /** A head that `save` gave, instead of examples. */
  readonly head?: Uint8Array
  /** Entities of your own: lists of values, and patterns. They win over all others. */
  readonly entities?: readonly DeclaredEntity[]
  /** Where dates are meant, by its IANA name. Default `UTC`. */
  readonly timeZone?: string
  /** Below this an utterance is out of scope. Default: what one in twenty of the examples, held back, falls below. */
  readonly scopeMin?: number
  /** Decides the order of training, so that it can be repeated. Default 1. */
  readonly seed?: number
  /** Turns the parts of a message into text. */
  readonly perception?: Ref<(typeof Perception)['specs']>
}

/** Language understanding: language, words, entities, intents and sentiment of an utterance. */
export function nlu({ model = 'embedded:encoder', examples, head, entities = [], timeZone = 'UTC', scopeMin, seed = 1, perception }: NluOptions = {}): Definition<(typeof Nlu)['specs']> {
  const source: Source | undefined = head !== undefined ? { kind: 'bytes', bytes: head } : examples === undefined ? undefined : { kind: 'examples', examples, known: undefined }
  return actor(Nlu, nluChart(nluWork({ model, seed, scopeMin, timeZone, declared: declaredFinder(entities), perception })), { needs, input: () => ({ source }) })
}
