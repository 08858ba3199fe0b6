/**
 * How well a passage matches, the same for each index: full text and vector, each as a share of what is possible.
 *
 * Full text is BM25, divided by what a passage that holds every word of the query many times over would get: 1 means
 * that it speaks of all that was asked, and a word that no passage knows counts against all of them. So scores of
 * different queries compare, and a threshold can tell what the passages do not answer. (The libraries looked at, and
 * LanceDB, give raw scores, which do not compare, and so leave nothing to set a threshold on.)
 */
import { tokensOf } from '../words.js'
import type { Entry, IndexSettings, Span } from './passage-index.js'
import { Synonyms } from './synonyms.js'

/** BM25's usual constants: how soon more of a word stops helping, and how much long passages are held back. */
const SATURATION = 1.2
const LENGTH_WEIGHT = 0.4
/** A word in the title says what the passage is about. */
const TITLE_WEIGHT = 2
/** Counters of words. Two words may share one, which makes both seem a little more common; a map would grow with the language. */
const COUNTERS = 2 ** 20

export class Ranking {
  readonly #vectorWeight: number
  readonly #synonyms: Synonyms
  readonly #passagesWith = new Uint32Array(COUNTERS)
  #passages = 0
  #length = 0

  constructor({ vectorWeight, synonyms }: IndexSettings) {
    this.#vectorWeight = vectorWeight
    this.#synonyms = new Synonyms(synonyms)
  }

  get passages(): number {
    return this.#passages
  }

  /** The terms of a passage, with repetitions. */
  termsOf({ title, text }: Pick<Entry, 'title' | 'text'>): string[] {
    const of = this.#synonyms.termsOf(title)
    return [...Array.from({ length: TITLE_WEIGHT }, () => of).flat(), ...this.#synonyms.termsOf(text)]
  }

  /** Takes note of a passage that came (1) or went (-1). */
  note(terms: readonly string[], change: 1 | -1): void {
    this.#passages += change
    this.#length += change * terms.length
    for (const term of new Set(terms)) {
      const at = counterOf(term)
      this.#passagesWith[at] = (this.#passagesWith[at] as number) + change
    }
  }

  query(text: string): Wanted {
    const rarities = new Map(this.#synonyms.termsOf(text).map((term) => [term, this.#rarity(term)]))
    return { rarities, most: [...rarities.values()].reduce((sum, rarity) => sum + rarity, 0) * (SATURATION + 1) }
  }

  /** `timesOf` tells how often a term stands in the passage, `length` how many terms it has in all. */
  score({ rarities, most }: Wanted, timesOf: (term: string) => number | undefined, length: number, similarity: number): number {
    const held = SATURATION * (1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * length) / (this.#length / this.#passages || 1))
    let sum = 0
    for (const [term, rarity] of rarities) {
      const times = timesOf(term)
      if (times !== undefined) sum += (rarity * times * (SATURATION + 1)) / (times + held)
    }
    const fullText = most === 0 ? 0 : sum / most
    return (1 - this.#vectorWeight) * fullText + this.#vectorWeight * Math.max(0, similarity)
  }

  /** Where words of the query stand in a text. */
  highlights(text: string, { rarities }: Wanted): Span[] {
    return tokensOf(text)
      .filter((token) => this.#synonyms.termsOf(token.text).some((term) => rarities.has(term)))
      .map(({ start, end }) => ({ start, end }))
  }

  #rarity(term: string): number {
    const having = this.#passagesWith[counterOf(term)] as number
    return Math.log(1 + (this.#passages - having + 0.5) / (having + 0.5))
  }
}

/** The terms of a query with what each is worth, and the most that a passage can get for them. */
export interface Wanted {
  readonly rarities: ReadonlyMap<string, number>
  readonly most: number
}

/** FNV-1a. */
function counterOf(term: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < term.length; at++) hash = Math.imul(hash ^ term.charCodeAt(at), 0x01000193)
  return (hash ^ (hash >>> 16)) & (COUNTERS - 1)
}

export function timesIn(terms: readonly string[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const term of terms) times.set(term, (times.get(term) ?? 0) + 1)
  return times
}
