/** Who waits until there is room on the way to a node, first in, first out. */
import { WAITERS_MAX } from '../limits.js'
import type { Waiter } from '../mailbox.js'

export class Room<T> {
  readonly #waiting = new Set<Waiter<T>>()
  readonly #admit: (item: T) => boolean

  /** `admit` lets an item in, or says that there is no room. */
  constructor(admit: (item: T) => boolean) {
    this.#admit = admit
  }

  get size(): number {
    return this.#waiting.size
  }

  /** Waits for room; `undefined` when too many do. */
  wait(item: T, settle: (admitted: boolean) => void): Waiter<T> | undefined {
    if (this.#waiting.size >= WAITERS_MAX) return undefined
    const waiter: Waiter<T> = { item, settle, gone: false }
    this.#waiting.add(waiter)
    return waiter
  }

  leave(waiter: Waiter<T>): void {
    waiter.gone = true
    this.#waiting.delete(waiter)
  }

  /** There may be room. */
  look(): void {
    for (const waiter of this.#waiting) {
      if (!this.#admit(waiter.item)) return
      this.leave(waiter)
      waiter.settle(true)
    }
  }

  /** There will be none. */
  close(): void {
    for (const waiter of this.#waiting) {
      this.leave(waiter)
      waiter.settle(false)
    }
  }
}
