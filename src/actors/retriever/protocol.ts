/** What `retriever` takes and gives. */
import { protocol, request, stream } from '../../runtime/index.js'
import { count, list, number, oneOf, optional, record, string, type Shaped } from '../shape.js'
import { fact, factsBody, metadata, triple, where } from './where.js'

const document = record({
  id: string,
  /** Default, of a web page, its own; otherwise none. */
  title: optional(string),
  text: string,
  /** Where a reader finds it. */
  source: string,
  /** Default `markdown`. `jsonl`: a record a line, `{ text, title?, source?, metadata?, triples? }`. */
  format: optional(oneOf('markdown', 'html', 'text', 'jsonl')),
  metadata: optional(metadata),
  /** What the document states, as subject, relation and object. */
  triples: optional(list(triple)),
})
const highlight = record({ start: number, end: number })
const passage = record({
  text: string,
  title: string,
  source: string,
  document: optional(string),
  metadata: optional(metadata),
  /** How well it matches, from 0 to 1, comparable between queries; with a reranker, what that says. */
  score: number,
  /** Where words of the query stand in `text`. */
  highlights: optional(list(highlight)),
})
const progress = record({
  /** Taken in so far, the unchanged included. */
  documents: number,
  of: number,
  /** Known already, and passed over. */
  unchanged: number,
  /** Of the documents that are new or changed. */
  passages: number,
  /** Texts that went through the encoder: fewer than passages when a document changed only in part. */
  embedded: number,
})

export type Document = Shaped<typeof document>
export type Passage = Shaped<typeof passage>
export type IngestProgress = Shaped<typeof progress>

const documents = record({ documents: list(document) })

export const Retriever = protocol({
  /** Takes documents in; one with a known id replaces the earlier one, and costs nothing when it is the same. */
  add: request(documents, progress),
  /** The same, telling how far it is. Whoever leaves stops it; what was committed stays. */
  ingest: stream(documents, progress),
  search: request(record({ query: string, limit: optional(count), where: optional(where) }), record({ passages: list(passage) })),
  /** The triples that fit a pattern, with their source. */
  facts: request(factsBody, record({ facts: list(fact) })),
  /**
   * Goes over every passage again, from what is kept: those that another encoder embedded are embedded anew, words and
   * indexes are made anew. What it finds meanwhile is what it knew; whoever stops it asks again, and it goes on.
   */
  reindex: request(null, progress),
  remove: request(record({ ids: list(string) }), record({ removed: number })),
})
