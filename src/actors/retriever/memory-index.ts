/**
 * Passages in memory, found by full text and vector together.
 *
 * Full text is BM25, divided by what a passage that holds every word of the query many times over would get: 1 means
 * that it speaks of all that was asked, and a word that no passage knows counts against all of them. So scores of
 * different queries compare, and a threshold can tell what the passages do not answer. (The libraries looked at give
 * raw scores, which do not compare, and so leave nothing to set a threshold on.)
 */
import { tokensOf } from '../words.js'
import type { Entry, PassageIndex, Query } from './passage-index.js'
import type { Passage } from './protocol.js'
import { Synonyms } from './synonyms.js'

/** BM25's usual constants: how soon more of a word stops helping, and how much long passages are held back. */
const SATURATION = 1.2
const LENGTH_WEIGHT = 0.4
/** A word in the title says what the passage is about. */
const TITLE_WEIGHT = 2

interface Kept {
  readonly entry: Entry
  readonly terms: ReadonlyMap<string, number>
  readonly length: number
}

export class MemoryIndex implements PassageIndex {
  readonly #vectorWeight: number
  readonly #synonyms: Synonyms
  #kept: Kept[] = []
  #documentsWith = new Map<string, number>()
  #lengthMean = 1

  constructor({ vectorWeight, synonyms = [] }: { readonly vectorWeight: number; readonly synonyms?: readonly (readonly string[])[] }) {
    this.#vectorWeight = vectorWeight
    this.#synonyms = new Synonyms(synonyms)
  }

  get size(): number {
    return this.#kept.length
  }

  put(entries: readonly Entry[]): void {
    const documents = new Set(entries.map(({ document }) => document))
    this.#keep([...this.#kept.filter(({ entry }) => !documents.has(entry.document)), ...entries.map((entry) => keep(entry, this.#synonyms))])
  }

  remove(documents: readonly string[]): number {
    const gone = new Set(this.#kept.map(({ entry }) => entry.document).filter((document) => documents.includes(document)))
    this.#keep(this.#kept.filter(({ entry }) => !gone.has(entry.document)))
    return gone.size
  }

  search({ text, vector, limit }: Query): Passage[] {
    const terms = new Set(this.#synonyms.termsOf(text))
    const most = [...terms].reduce((sum, term) => sum + this.#rarity(term), 0) * (SATURATION + 1)
    const fused = this.#kept.map((kept) => {
      const fullText = most === 0 ? 0 : this.#fullText(kept, terms) / most
      return { kept, score: (1 - this.#vectorWeight) * fullText + this.#vectorWeight * Math.max(0, cosine(vector, kept.entry.vector)) }
    })
    return fused
      .toSorted((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ kept: { entry }, score }) => ({ text: entry.text, title: entry.title, source: entry.source, score, highlights: highlightsOf(entry.text, terms, this.#synonyms) }))
  }

  #fullText({ terms, length }: Kept, wanted: ReadonlySet<string>): number {
    let score = 0
    for (const term of wanted) {
      const times = terms.get(term)
      if (times === undefined) continue
      const held = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * length) / this.#lengthMean)
      score += (this.#rarity(term) * times * (SATURATION + 1)) / (times + held)
    }
    return score
  }

  #rarity(term: string): number {
    const having = this.#documentsWith.get(term) ?? 0
    return Math.log(1 + (this.#kept.length - having + 0.5) / (having + 0.5))
  }

  #keep(kept: Kept[]): void {
    this.#kept = kept
    this.#documentsWith = new Map()
    for (const { terms } of kept) for (const term of terms.keys()) this.#documentsWith.set(term, (this.#documentsWith.get(term) ?? 0) + 1)
    this.#lengthMean = kept.reduce((sum, { length }) => sum + length, 0) / Math.max(1, kept.length) || 1
  }
}

function keep(entry: Entry, synonyms: Synonyms): Kept {
  const terms = new Map<string, number>()
  const count = (text: string, weight: number): void => {
    for (const term of synonyms.termsOf(text)) terms.set(term, (terms.get(term) ?? 0) + weight)
  }
  count(entry.title, TITLE_WEIGHT)
  count(entry.text, 1)
  return { entry, terms, length: [...terms.values()].reduce((a, b) => a + b, 0) }
}

function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] as number) * (b[at] as number)
  return sum
}

const highlightsOf = (text: string, terms: ReadonlySet<string>, synonyms: Synonyms): { start: number; end: number }[] =>
  tokensOf(text)
    .filter((token) => synonyms.termsOf(token.text).some((term) => terms.has(term)))
    .map(({ start, end }) => ({ start, end }))
