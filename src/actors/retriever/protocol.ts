/** What `retriever` takes and gives. */
import { protocol, request } from '../../runtime/index.js'
import { count, list, number, optional, record, string, type Shaped } from '../shape.js'

/** `text` is Markdown or plain; `source` is where a reader finds it. */
const document = record({ id: string, title: string, text: string, source: string })
const highlight = record({ start: number, end: number })
const passage = record({
  text: string,
  title: string,
  source: string,
  /** How well it matches, from 0 to 1, comparable between queries. */
  score: number,
  /** Where words of the query stand in `text`. */
  highlights: optional(list(highlight)),
})

export type Document = Shaped<typeof document>
export type Passage = Shaped<typeof passage>

export const Retriever = protocol({
  /** Takes documents in; one with a known id replaces the earlier one. */
  add: request(record({ documents: list(document) }), record({ documents: number, passages: number })),
  search: request(record({ query: string, limit: optional(count) }), record({ passages: list(passage) })),
  remove: request(record({ ids: list(string) }), record({ removed: number })),
})
