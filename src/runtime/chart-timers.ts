import type { Clock, Timer } from '../ground/clock.js'

/** The timers of one chart, by name: one that is set again replaces the former. */
export class ChartTimers {
  readonly #clock: Clock
  readonly #timers = new Map<string, Timer>()
  #unnamed = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#timers.size
  }

  /** `fire` is given the timer's name. */
  set(name: string | undefined, delayMs: number, fire: (name: string) => void): void {
    const id = name ?? `timer-${++this.#unnamed}`
    this.cancel(id)
    const timer = this.#clock.timer(delayMs > 0 ? delayMs : 0, () => {
      this.#timers.delete(id)
      fire(id)
    })
    this.#timers.set(id, timer)
  }

  cancel(name: string): void {
    this.#timers.get(name)?.cancel()
    this.#timers.delete(name)
  }

  cancelAll(): void {
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
  }
}
