import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { generatorChart } from './chart.js'
import { Generator } from './protocol.js'
import { generatorWork } from './work.js'

export interface GeneratorOptions {
  /** The decoder. Default `embedded:generator`. */
  readonly model?: string
  /** Most tokens of an answer. Default 128. */
  readonly maxTokens?: number
  /** Whether only sentences of the passages are let through. Default true for embedded models, which cannot be trusted with more. */
  readonly verbatim?: boolean
}

/** Writes answers from given passages, with citations that are checked against them. */
export function generator({ model = 'embedded:generator', maxTokens = 128, verbatim = model.startsWith('embedded:') }: GeneratorOptions = {}): Definition<(typeof Generator)['specs']> {
  return actor(Generator, generatorChart(generatorWork({ model, maxTokens, verbatim })), { needs })
}
