/**
 * The segments of the log, which leave as a whole.
 * Owns: how many entries of each are not dealt with.
 */
import { LOG_SEGMENT } from './limits.js'
import type { Change } from './store/store.js'

export class Segments {
  readonly #live = new Map<number, number>()

  /** Those that the log has. */
  get all(): readonly number[] {
    return [...this.#live.keys()]
  }

  count(n: number, change: number): void {
    const segment = Math.floor(n / LOG_SEGMENT)
    this.#live.set(segment, (this.#live.get(segment) ?? 0) + change)
  }

  /** Removes those behind the present one, that of the entry `n`, in which nothing is left to do. */
  sweep(n: number): Change[] {
    const present = Math.floor(n / LOG_SEGMENT)
    const changes: Change[] = []
    for (const [segment, live] of this.#live) {
      if (segment >= present || live > 0) continue
      this.#live.delete(segment)
      // Without a look at which of them are there: that would read the whole segment.
      for (let at = segment * LOG_SEGMENT; at < (segment + 1) * LOG_SEGMENT; at++) changes.push({ kind: 'remove', key: ['log', at] })
    }
    return changes
  }
}
