/** What one handler waits for that only time or mail can bring: the ends of its sleeps, and the events that it awaits. */
import type { TroupeError } from '../ground/errors.js'

interface Wait {
  readonly end: () => void
  readonly until: number
}

export class Waits {
  /** By what fails each. */
  readonly #open = new Map<(error: TroupeError) => void, Wait>()
  /** Whose waits they are; it counts them with all else that is pending. */
  readonly #host: { pending: number }

  constructor(host: { pending: number }) {
    this.#host = host
  }

  get size(): number {
    return this.#open.size
  }

  /** When the first of them ends by itself: clock time, or Infinity. */
  get until(): number {
    return Math.min(...[...this.#open.values()].map(({ until }) => until))
  }

  /** A wait that ends by itself at `until`; `begin` gives what lets go of it, however it ends. */
  begin<T>(until: number, begin: (resolve: (value: T) => void, reject: (error: TroupeError) => void) => () => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = <V>(then: (value: V) => void) => (value: V): void => {
        if (!this.#open.delete(fail)) return
        this.#host.pending--
        end()
        then(value)
      }
      const fail = settle<TroupeError>(reject)
      this.#host.pending++
      this.#open.set(fail, { end: () => end(), until })
      const end = begin(settle<T>(resolve), fail)
    })
  }

  /** All of them are called off. */
  fail(error: TroupeError): void {
    for (const fail of this.#open.keys()) fail(error)
  }

  /** They are left without a word: none of them is ever settled. */
  letGo(): void {
    this.#host.pending -= this.#open.size
    for (const { end } of this.#open.values()) end()
    this.#open.clear()
  }
}
