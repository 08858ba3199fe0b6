/** Passages in memory, for small corpora: each search looks at all of them. */
import { TroupeError } from '../../ground/errors.js'
import { inSlices } from '../in-slices.js'
import type { Entry, Found, IndexSettings, PassageIndex, Query } from './passage-index.js'
import { cosineOfUnits } from '../cosine.js'
import { Ranking, timesIn, type Wanted } from './ranking.js'
import { holds, matches, type Fact, type TriplePattern } from './where.js'

/** Some 3 kB each; a search among so many takes about a tenth of a second, in slices. */
const PASSAGES_MAX = 50_000

interface Kept {
  readonly entry: Entry
  readonly terms: readonly string[]
  readonly times: ReadonlyMap<string, number>
}

interface Scored {
  readonly entry: Entry
  readonly score: number
}

/** How many more than twice what is wanted are gathered before the worst are let go. */
const SPARE = 256

const foremost = (scored: readonly Scored[], limit: number): Scored[] => scored.toSorted((a, b) => b.score - a.score).slice(0, limit)

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

  async replace(documents: readonly string[], entries: readonly Entry[]): Promise<void> {
    if (this.size + entries.length > PASSAGES_MAX) throw new TroupeError('Overloaded', `an index in memory holds ${PASSAGES_MAX} passages at most`, 'keep it on disk: retriever({ folder: … })', { retryAfterMs: 0 })
    const fresh = await inSlices(this.#read(entries))
    for (const document of documents) this.#drop(document)
    for (const [document, kept] of fresh) {
      for (const { terms } of kept) this.#ranking.note(terms, 1)
      this.#kept.set(document, kept)
    }
  }

  remove(documents: readonly string[]): Promise<number> {
    return Promise.resolve(documents.filter((document) => this.#drop(document)).length)
  }

  async search({ text, vector, limit, where }: Query): Promise<readonly Found[]> {
    const wanted = this.#ranking.query(text)
    // Of the documents as they are now: one that is replaced meanwhile shall not be found twice.
    const best = await inSlices(this.#best([...this.#kept.values()], wanted, { vector, limit, where }))
    return best.map(({ entry: { document, text, title, source, metadata }, score }) => ({ document, text, title, source, score, metadata, highlights: this.#ranking.highlights(text, wanted) }))
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

  *#read(entries: readonly Entry[]): Generator<void, Map<string, Kept[]>> {
    const fresh = new Map<string, Kept[]>()
    for (const entry of entries) {
      const terms = this.#ranking.termsOf(entry)
      const kept = { entry, terms, times: timesIn(terms) }
      const before = fresh.get(entry.document)
      if (before === undefined) fresh.set(entry.document, [kept])
      else before.push(kept)
      yield
    }
    return fresh
  }

  *#best(documents: readonly (readonly Kept[])[], wanted: Wanted, { vector, limit, where }: Omit<Query, 'text'>): Generator<void, Scored[]> {
    let best: Scored[] = []
    let least = -Infinity
    for (const passages of documents) {
      for (const { entry, terms, times } of passages) {
        // Between passages, since a document may be a book.
        yield
        if (where !== undefined && !holds(where, entry)) continue
        const score = this.#ranking.score(wanted, (term) => times.get(term), terms.length, cosineOfUnits(vector, entry.vector))
        if (score > least) best.push({ entry, score })
      }
      if (best.length >= 2 * limit + SPARE) {
        best = foremost(best, limit)
        least = best.at(-1)?.score ?? least
      }
    }
    return foremost(best, limit)
  }

  #drop(document: string): boolean {
    for (const { terms } of this.#kept.get(document) ?? []) this.#ranking.note(terms, -1)
    return this.#kept.delete(document)
  }
}
