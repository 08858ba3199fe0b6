import type { Timer } from '../ground/clock.js'

interface Entry {
  readonly at: number
  readonly order: number
  readonly fire: () => void
  cancelled: boolean
}

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/**
 * The timers that have not fired, in a heap: a simulation may hold a million. Those of one moment come in the order in
 * which they were set. A cancelled one stays until its turn comes.
 */
export class Timers {
  readonly #heap: Entry[] = []
  #orders = 0
  count = 0

  add(at: number, fire: () => void): Timer {
    const entry: Entry = { at, order: this.#orders++, fire, cancelled: false }
    this.count++
    this.#insert(entry)
    return { cancel: () => this.#cancel(entry) }
  }

  /** When the next one is due. */
  get next(): number | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (!first.cancelled) return first.at
      this.#removeFirst()
    }
    return undefined
  }

  /** Takes the earliest that is due. */
  takeUntil(time: number): Entry | undefined {
    const next = this.next
    if (next === undefined || next > time) return undefined
    const first = this.#heap[0] as Entry
    this.#removeFirst()
    // It has fired: a cancel that comes later finds nothing to do.
    this.#cancel(first)
    return first
  }

  #cancel(entry: Entry): void {
    if (entry.cancelled) return
    entry.cancelled = true
    this.count--
  }

  #insert(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    for (let parent = (at - 1) >> 1; at > 0 && before(entry, heap[parent] as Entry); parent = (at - 1) >> 1) {
      heap[at] = heap[parent] as Entry
      at = parent
    }
    heap[at] = entry
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop() as Entry
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, last)) break
      heap[at] = heap[child] as Entry
      at = child
    }
    heap[at] = last
  }
}
