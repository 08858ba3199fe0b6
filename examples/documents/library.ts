/** A folder of documents that can be asked: retriever, generator, and a check that what is said stands in them. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Troupe } from 'troupe'
import { generator, retriever, type Document, type IngestProgress } from 'troupe/actors'

export interface Citation {
  readonly number: number
  readonly title: string
  readonly source: string
  /** The sentence of the document. */
  readonly quote: string
}
export interface Answered {
  readonly text: string
  readonly citations: readonly Citation[]
  /** Passages that were looked at. */
  readonly passages: number
}

const NOT_IN_THE_SOURCES = 'That is not in the documents.'
/** Below this score of the best passage nothing is asked of the generator: see docs/dialogue.md for how it was found. */
const SCORE_MIN = 0.24
const PASSAGES = 4

/** Takes a folder in; gives a function that answers questions from it. */
export async function openLibrary(troupe: Troupe, folder: string, onProgress: (progress: IngestProgress) => void = () => {}): Promise<(question: string) => Promise<Answered>> {
  const shelf = troupe.spawn('shelf', retriever())
  const writer = troupe.spawn('writer', generator())
  for await (const progress of shelf.stream({ type: 'ingest', documents: await documentsIn(folder) })) onProgress(progress)

  return async (question) => {
    const { passages } = await shelf.ask({ type: 'search', query: question, limit: PASSAGES })
    const none: Answered = { text: NOT_IN_THE_SOURCES, citations: [], passages: passages.length }
    if ((passages[0]?.score ?? 0) < SCORE_MIN) return none
    let text = ''
    for await (const chunk of writer.stream({ type: 'answer', question, passages })) {
      if (chunk.kind === 'text') text += chunk.text
      if (chunk.kind === 'refusal') return none
      if (chunk.kind !== 'done') continue
      const citations = citationsOf(text, passages)
      // The generator has checked itself; here the reader's own check, against the very words.
      return chunk.grounded && citations !== undefined ? { text, citations, passages: passages.length } : none
    }
    return none
  }
}

/** Each cited sentence with its passage; `undefined` when one of them does not stand there. */
export function citationsOf(text: string, passages: readonly { readonly text: string; readonly title: string; readonly source: string }[]): readonly Citation[] | undefined {
  const cited = [...text.matchAll(/([^[\]]+?)\s*\[(\d+)\]/g)].map(([, quote = '', number]) => ({ quote: quote.trim(), number: Number(number) }))
  const found = cited.flatMap(({ quote, number }) => {
    const passage = passages[number - 1]
    return passage !== undefined && passage.text.includes(quote) ? [{ number, title: passage.title, source: passage.source, quote }] : []
  })
  return found.length > 0 && found.length === cited.length ? found : undefined
}

async function documentsIn(folder: string): Promise<Document[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.md')).toSorted()
  return Promise.all(names.map(async (name) => ({ id: name, source: name, text: await readFile(join(folder, name), 'utf8') })))
}
