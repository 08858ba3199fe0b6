/** Draws from a seeded chance. */
export type Chance = () => number

/** Mulberry32: small, and good enough for queues. */
export function chanceFrom(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Waiting times of things that happen at random, on average `mean` apart. */
export const exponential = (chance: Chance, mean: number): number => -Math.log(1 - chance()) * mean

/** Durations with a long tail, such as calls: the median, and how far they spread. */
export function lognormal(chance: Chance, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance())
  return median * Math.exp(sigma * normal)
}
