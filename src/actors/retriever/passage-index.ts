/** Where passages are kept and found: in memory, or on disk; both keep the promises of `test/contract/passage-index.ts`. */
import type { Fact, Metadata, Triple, TriplePattern, Where } from './where.js'

/** A passage as it is kept. */
export interface Entry {
  readonly document: string
  /** Its place among the passages of its document, from 0. */
  readonly at: number
  /** Of the whole document and of all that decides how it is cut and embedded: equal means that nothing needs to be done. */
  readonly hash: string
  readonly title: string
  readonly source: string
  readonly text: string
  readonly vector: Float32Array
  readonly metadata: Metadata
  /** Those of the document or record that it belongs to, so that one filter finds all its passages. */
  readonly triples: readonly Triple[]
  /** The first passage of what states the triples: there they are told. */
  readonly leads: boolean
}

export interface Query {
  readonly text: string
  readonly vector: Float32Array
  readonly limit: number
  readonly where?: Where | undefined
}

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Found {
  readonly document: string
  readonly text: string
  readonly title: string
  readonly source: string
  readonly score: number
  readonly highlights: readonly Span[]
  readonly metadata: Metadata
}

export interface PassageIndex {
  /** Passages it holds; known once it is open. */
  readonly size: number
  /** Everything else is called after this has settled. Refused while another has it open. */
  open(): Promise<void>
  /** Lets another open it; it can be opened again. */
  close(): void
  /** Every document it knows, in an order of its own that stays. */
  documents(): Promise<readonly string[]>
  /** The hash of each of these documents that it knows. */
  hashes(documents: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** What it holds of these documents, in order. */
  entries(documents: readonly string[]): Promise<readonly Entry[]>
  /** Puts the entries in place of whatever is known of these documents: all of it at once, or, when the process dies, nothing. */
  replace(documents: readonly string[], entries: readonly Entry[]): Promise<void>
  /** Gives how many of these documents it knew. */
  remove(documents: readonly string[]): Promise<number>
  /** Best first. */
  search(query: Query): Promise<readonly Found[]>
  facts(pattern: TriplePattern, limit: number): Promise<readonly Fact[]>
  /** Told when an ingestion is over: time to tidy up, so that searches are fast again. */
  settle(): Promise<void>
  /** Makes whatever speeds up its searches anew, from the passages alone. */
  rebuild(): Promise<void>
}

export interface IndexSettings {
  /** What the vector counts beside full text, from 0 to 1. */
  readonly vectorWeight: number
  readonly synonyms: readonly (readonly string[])[]
}
