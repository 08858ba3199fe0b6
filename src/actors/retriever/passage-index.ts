/** Where passages are kept and found: in memory here, on disk behind the same interface. */
import type { Passage } from './protocol.js'

export interface Entry {
  readonly document: string
  readonly title: string
  readonly source: string
  readonly text: string
  readonly vector: Float32Array
}

export interface Query {
  readonly text: string
  readonly vector: Float32Array
  readonly limit: number
}

export interface PassageIndex {
  readonly size: number
  /** Replaces whatever was known of the documents that the entries belong to. */
  put(entries: readonly Entry[]): void
  /** Gives how many of these documents it knew. */
  remove(documents: readonly string[]): number
  /** Best first. */
  search(query: Query): Passage[]
}
