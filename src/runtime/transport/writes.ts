/** What must come into the store: tried again while that has no room, until this closes. */
import type { Clock, Timer } from '../../ground/clock.js'
import { STORE_RETRY_MS } from '../limits.js'

export class Writes {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #retries = new Set<Timer>()
  #closed = false

  /** `failed` is told of each try in vain. */
  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
  }

  /** Resolves once it is in the store; never, when this has closed before. */
  async insist<T>(commit: () => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#closed) return new Promise(() => {})
      const written = commit()
      this.#underWay.add(written)
      try {
        return await written
      } catch (error) {
        if (!this.#closed) this.#failed(error)
      } finally {
        this.#underWay.delete(written)
      }
      if (!this.#closed) await this.#pause()
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.timer(STORE_RETRY_MS, () => {
        this.#retries.delete(timer)
        resolve()
      }, true)
      this.#retries.add(timer)
    })
  }

  /** Resolves when nothing of this is on its way to the store any more. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#retries) timer.cancel()
    await Promise.allSettled(this.#underWay)
  }
}
