import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { nluChart } from './chart.js'
import { Nlu, type Example } from './protocol.js'
import { nluWork } from './work.js'

export interface NluOptions {
  /** The encoder. Default `embedded:encoder`. */
  readonly model?: string
  /** What the head is trained on when the actor starts; who asks meanwhile waits for it. */
  readonly examples?: readonly Example[]
  /** Below this score even the best intent is out of scope. Default 0.4. */
  readonly scopeMin?: number
  /** Decides the order of training, so that it can be repeated. Default 1. */
  readonly seed?: number
}

/** Language understanding: language, tokens, entities and intents of an utterance. */
export function nlu({ model = 'embedded:encoder', examples, scopeMin = 0.4, seed = 1 }: NluOptions = {}): Definition<(typeof Nlu)['specs']> {
  return actor(Nlu, nluChart(nluWork({ model, seed, scopeMin })), { needs, input: () => ({ lesson: examples }) })
}
