import type { Clock, Timer } from '../ground/clock.js'

/** The timers of one chart, by name: one that is set again replaces the former. */
export class ChartTimers {
  readonly #clock: Clock
  readonly #timers = new Map<string, Timer>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#timers.size
  }

  set(name: string, delayMs: number, fire: () => void): void {
    this.cancel(name)
    const timer = this.#clock.timer(delayMs > 0 ? delayMs : 0, () => {
      this.#timers.delete(name)
      fire()
    })
    this.#timers.set(name, timer)
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
