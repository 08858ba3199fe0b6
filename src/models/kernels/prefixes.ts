/** Caches of prompts that were read before, for prompts that begin alike. */
import type { Tensors } from '../kernel.js'

interface Prefix {
  readonly tokens: readonly number[]
  readonly tensors: Tensors
}

export class Prefixes {
  /** The one used last stands last. */
  #kept: Prefix[] = []
  readonly #tokensMax: number

  /** Together they hold at most so many tokens. */
  constructor(tokensMax: number) {
    this.#tokensMax = tokensMax
  }

  /** Remembers the cache of exactly these tokens; what it goes on from is forgotten. */
  keep(tokens: readonly number[], tensors: Tensors): void {
    this.#kept = this.#kept.filter((each) => alike(each.tokens, tokens) < each.tokens.length)
    this.#kept.push({ tokens, tensors })
    let held = this.#kept.reduce((sum, each) => sum + each.tokens.length, 0)
    while (held > this.#tokensMax) held -= this.#kept.shift()?.tokens.length ?? held
  }

  /** The longest cache that a prompt can begin with, in whole pieces; at least one token of it is always left to read. */
  find(prompt: readonly number[], piece: number): { tensors: Tensors; length: number } | undefined {
    let best: Prefix | undefined
    let length = 0
    for (const each of this.#kept) {
      const common = Math.min(alike(each.tokens, prompt), prompt.length - 1)
      const whole = common - (common % piece)
      if (whole > length) [best, length] = [each, whole]
    }
    if (best === undefined) return undefined
    this.#kept = [...this.#kept.filter((each) => each !== best), best]
    return { tensors: best.tensors, length }
  }
}

/** How many tokens two lists have in common at their start. */
function alike(a: readonly number[], b: readonly number[]): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}
