/** Passages in memory, for small corpora: each search looks at all of them. */
import { TroupeError } from '../../ground/errors.js'
import type { Entry, Found, IndexSettings, PassageIndex, Query } from './passage-index.js'
import { cosine, Ranking, timesIn } from './ranking.js'
import { holds, matches, type Fact, type TriplePattern } from './where.js'

/** Some 3 kB each; a search among so many takes about a tenth of a second. */
const PASSAGES_MAX = 50_000

interface Kept {
  readonly entry: Entry
  readonly terms: readonly string[]
  readonly times: ReadonlyMap<string, number>
}

export class MemoryIndex implements PassageIndex {
  readonly #ranking: Ranking
  readonly #kept = new Map<string, readonly Kept[]>()

  constructor(settings: IndexSettings) {
    this.#ranking = new Ranking(settings)
  }

  get size(): number {
    return this.#ranking.passages
  }

  open(): Promise<void> {
    return Promise.resolve()
  }

  close(): void {
    // Nobody else can reach it.
  }

  documents(): Promise<readonly string[]> {
    return Promise.resolve([...this.#kept.keys()])
  }

  hashes(documents: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return Promise.resolve(new Map(documents.flatMap((document) => (this.#kept.get(document) ?? []).slice(0, 1).map(({ entry }) => [document, entry.hash] as const))))
  }

  entries(documents: readonly string[]): Promise<readonly Entry[]> {
    return Promise.resolve(documents.flatMap((document) => (this.#kept.get(document) ?? []).map(({ entry }) => entry)))
  }

  replace(documents: readonly string[], entries: readonly Entry[]): Promise<void> {
    if (this.size + entries.length > PASSAGES_MAX) {
      return Promise.reject(new TroupeError('Overloaded', `an index in memory holds ${PASSAGES_MAX} passages at most`, 'keep it on disk: retriever({ folder: … })', { retryAfterMs: 0 }))
    }
    for (const document of documents) this.#drop(document)
    for (const entry of entries) {
      const terms = this.#ranking.termsOf(entry)
      this.#ranking.note(terms, 1)
      this.#kept.set(entry.document, [...(this.#kept.get(entry.document) ?? []), { entry, terms, times: timesIn(terms) }])
    }
    return Promise.resolve()
  }

  remove(documents: readonly string[]): Promise<number> {
    return Promise.resolve(documents.filter((document) => this.#drop(document)).length)
  }

  search({ text, vector, limit, where }: Query): Promise<readonly Found[]> {
    const wanted = this.#ranking.query(text)
    const scored: { readonly entry: Entry; readonly score: number }[] = []
    for (const passages of this.#kept.values()) {
      for (const { entry, terms, times } of passages) {
        if (where !== undefined && !holds(where, entry)) continue
        scored.push({ entry, score: this.#ranking.score(wanted, (term) => times.get(term), terms.length, cosine(vector, entry.vector)) })
      }
    }
    const best = scored.toSorted((a, b) => b.score - a.score).slice(0, limit)
    return Promise.resolve(best.map(({ entry: { document, text, title, source, metadata }, score }) => ({ document, text, title, source, score, metadata, highlights: this.#ranking.highlights(text, wanted) })))
  }

  facts(pattern: TriplePattern, limit: number): Promise<readonly Fact[]> {
    const found: Fact[] = []
    for (const passages of this.#kept.values()) {
      for (const { entry: { document, source, triples, leads } } of passages) {
        if (leads) found.push(...triples.filter((triple) => matches(triple, pattern)).map((triple) => ({ ...triple, document, source })))
      }
      if (found.length >= limit) break
    }
    return Promise.resolve(found.slice(0, limit))
  }

  settle(): Promise<void> {
    return Promise.resolve()
  }

  rebuild(): Promise<void> {
    return Promise.resolve()
  }

  #drop(document: string): boolean {
    for (const { terms } of this.#kept.get(document) ?? []) this.#ranking.note(terms, -1)
    return this.#kept.delete(document)
  }
}
