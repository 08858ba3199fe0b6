/** Hashed word and character n-grams of a text: what a small encoder's vector misses. */

/** Sparse features: hashes, and values whose squares sum to 1 within each kind. */
export interface Sparse {
  readonly hashes: Uint32Array
  readonly values: Float32Array
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

export function sparseOf(text: string, weights: { readonly words: number; readonly characters: number }): Sparse {
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
  return joined([
    [words, weights.words],
    [characters, weights.characters],
  ])
}

function joined(bags: readonly (readonly [Map<number, number>, number])[]): Sparse {
  const size = bags.reduce((sum, [bag]) => sum + bag.size, 0)
  const hashes = new Uint32Array(size)
  const values = new Float32Array(size)
  let at = 0
  for (const [bag, weight] of bags) {
    const tempered = [...bag].map(([key, times]) => [key, 1 + Math.log(times)] as const)
    const norm = Math.hypot(...tempered.map(([, value]) => value)) || 1
    for (const [key, value] of tempered) {
      hashes[at] = key
      values[at++] = (weight * value) / norm
    }
  }
  return { hashes, values }
}
