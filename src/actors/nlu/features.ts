/** Hashed word and character n-grams of a text: what a small encoder's vector misses. */

/** Sparse features: hashes with what each counts in this text; words and pairs of words come before characters. */
export interface Sparse {
  readonly hashes: Uint32Array
  readonly values: Float32Array
  /** How many of them are words. */
  readonly words: number
}

const HAN_RUN = /\p{Script=Han}+|[\p{L}\p{N}'’]+|[?!？！]/gu
const HAN = /\p{Script=Han}/u
const CHARS_MIN = 2
const CHARS_MAX = 5

function hash(text: string, seed: number): number {
  let h = (2166136261 ^ seed) >>> 0
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 16777619) >>> 0
  return h
}

/** Words, or single characters where a script writes no spaces. */
const unitsOf = (text: string): string[] => (text.normalize('NFKC').toLowerCase().match(HAN_RUN) ?? []).flatMap((run) => (HAN.test(run) ? Array.from(run) : [run]))

export function sparseOf(text: string): Sparse {
  const units = unitsOf(text)
  const words = new Map<number, number>()
  const characters = new Map<number, number>()
  const count = (bag: Map<number, number>, key: number): void => void bag.set(key, (bag.get(key) ?? 0) + 1)
  for (const [at, unit] of units.entries()) {
    count(words, hash(unit, 1))
    count(words, hash(`${units[at - 1] ?? '^'} ${unit}`, 2))
    if (HAN.test(unit)) continue
    const padded = `^${unit}$`
    for (let size = CHARS_MIN; size <= CHARS_MAX; size++) {
      for (let from = 0; from + size <= padded.length; from++) count(characters, hash(padded.slice(from, from + size), 3))
    }
  }
  return { hashes: Uint32Array.from([...words.keys(), ...characters.keys()]), values: Float32Array.from([...words.values(), ...characters.values()], tempered), words: words.size }
}

/** The third time a word is said says less than the first. */
const tempered = (times: number): number => 1 + Math.log(times)
