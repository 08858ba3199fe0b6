import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { retrieverChart } from './chart.js'
import { MemoryIndex } from './memory-index.js'
import { Retriever } from './protocol.js'
import { retrieverWork } from './work.js'

export interface RetrieverOptions {
  /** The encoder. Default `embedded:encoder`. */
  readonly model?: string
  /** What the vector counts beside full text, from 0 to 1. Default 0.1: what serves the embedded encoder best on XQuAD. */
  readonly vectorWeight?: number
  /** Groups of words and phrases that mean the same in these documents. */
  readonly synonyms?: readonly (readonly string[])[]
}

/** Finds passages of documents by their words and their meaning. */
export function retriever({ model = 'embedded:encoder', vectorWeight = 0.1, synonyms = [] }: RetrieverOptions = {}): Definition<(typeof Retriever)['specs']> {
  return actor(Retriever, retrieverChart(retrieverWork({ model })), { needs, input: () => ({ index: new MemoryIndex({ vectorWeight, synonyms }) }) })
}
