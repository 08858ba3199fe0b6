import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { generatorChart } from './chart.js'
import { Generator } from './protocol.js'
import { generatorWork } from './work.js'

export interface GeneratorOptions {
  /** The decoder. Default `embedded:generator`, which answers from passages and does little else. */
  readonly model?: string
  /** Most tokens of an answer. Default 128. */
  readonly maxTokens?: number
  /** What the model can read and write together. Default 1,024 for the embedded model, otherwise 4,096. Counted by an estimate. */
  readonly contextTokens?: number
  /** What every conversation begins with. */
  readonly system?: string
  /** Whether only sentences of the passages are let through. Default true for embedded models, which cannot be trusted with more. */
  readonly verbatim?: boolean
  /** A model that summarises; otherwise the decoder does, and in place of an embedded one, sentences are chosen. */
  readonly summariser?: string
  /** A model that translates; otherwise the decoder does, which the embedded one cannot. */
  readonly translator?: string
}

const EMBEDDED_CONTEXT = 1_024
const USUAL_CONTEXT = 4_096

/** Writes: answers from given passages, with citations that are checked against them; conversations; summaries and translations. */
export function generator({ model = 'embedded:generator', maxTokens = 128, system = '', summariser, translator, ...options }: GeneratorOptions = {}): Definition<(typeof Generator)['specs']> {
  const embedded = model.startsWith('embedded:')
  const { verbatim = embedded, contextTokens = embedded ? EMBEDDED_CONTEXT : USUAL_CONTEXT } = options
  return actor(Generator, generatorChart(generatorWork({ model, maxTokens, system, verbatim, contextTokens, summariser, translator, obeys: !embedded })), { needs })
}
