/** What this process holds in memory outside its own heap, and which threads it grew for. */
import { readFileSync } from 'node:fs'
import type { Clock } from '../ground/clock.js'
import { RESIDENT_MS } from './limits.js'

/** A thread that grows and shrinks. */
export interface Grower {
  /** Bytes that it took more, or less when negative. */
  grew(bytes: number): void
}

/** Memory is the process's, not a thread's: its heap and the files that it maps are the program's own, all else is the models'. */
function outsideHeap(): number {
  const { rss, heapTotal, external } = process.memoryUsage()
  return (anonymous() ?? rss) - heapTotal - external
}

/** Resident memory that is no file's, where the system tells. */
function anonymous(): number | undefined {
  try {
    const kilobytes = /^RssAnon:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

/**
 * M1. What changed between two looks is shared out evenly among those who worked in between, or was claimed by one.
 * M2. Memory is looked at when work ends and at most once in `RESIDENT_MS`, so that an idle host looks at nothing.
 */
export class Resident {
  readonly #clock: Clock
  readonly #measure: () => number
  readonly #worked = new Set<Grower>()
  #last: number
  #at: number

  constructor(clock: Clock, measure = outsideHeap) {
    this.#clock = clock
    this.#measure = measure
    this.#last = measure()
    this.#at = clock.elapsed()
  }

  noteWork(by: Grower): void {
    this.#worked.add(by)
    if (this.#clock.elapsed() - this.#at >= RESIDENT_MS) this.#look()
  }

  /** All that changes while `work` is under way is due to it: a model that loads, or that gives its memory back. */
  async claim<T>(by: Grower, work: () => Promise<T>): Promise<T> {
    const before = this.#measure()
    const result = await work()
    const grown = this.#measure() - before
    this.#last += grown
    by.grew(grown)
    return result
  }

  #look(): void {
    const now = this.#measure()
    const each = (now - this.#last) / this.#worked.size
    for (const grower of this.#worked) grower.grew(each)
    this.#worked.clear()
    this.#last = now
    this.#at = this.#clock.elapsed()
  }
}
