import { actor, type Definition } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { retrieverChart } from './chart.js'
import { LanceIndex } from './lance-index.js'
import { MemoryIndex } from './memory-index.js'
import { Retriever } from './protocol.js'
import { retrieverWork } from './work.js'

export interface RetrieverOptions {
  /** The encoder. Default `embedded:encoder`. */
  readonly model?: string
  /** Keeps the passages on disk, in a folder of their own, written by one process. Needs `@lancedb/lancedb`. Default: in memory. */
  readonly folder?: string
  /** What the vector counts beside full text, from 0 to 1. Default 0.1: see `bench/retrieval.mjs`. */
  readonly vectorWeight?: number
  /** Groups of words and phrases that mean the same in these documents. */
  readonly synonyms?: readonly (readonly string[])[]
  /** How long a passage may be. Default 256 tokens, as estimated, and 300 characters: what the embedded generator reads. */
  readonly passage?: { readonly tokens?: number; readonly chars?: number }
  /** A model that reads the best passages beside the question and orders them anew. */
  readonly reranker?: string
}

const PASSAGE_TOKENS = 256
const PASSAGE_CHARS = 300

/** Finds passages of documents by their words and their meaning. */
export function retriever({ model = 'embedded:encoder', folder, vectorWeight = 0.1, synonyms = [], passage = {}, reranker }: RetrieverOptions = {}): Definition<(typeof Retriever)['specs']> {
  const { tokens = PASSAGE_TOKENS, chars = PASSAGE_CHARS } = passage
  const work = retrieverWork({ model, budget: { tokens, chars }, synonyms, reranker })
  // Whoever restarts finds the folder as it is; in memory, nothing is left of it.
  const onDisk = folder === undefined ? undefined : new LanceIndex(folder, { vectorWeight, synonyms })
  return actor(Retriever, retrieverChart(work), { needs, input: () => ({ index: onDisk ?? new MemoryIndex({ vectorWeight, synonyms }) }) })
}
