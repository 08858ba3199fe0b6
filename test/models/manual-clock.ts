import type { Clock, Timer } from '../../src/ground/clock.js'

/** A clock that moves when it is told to. */
export class ManualClock implements Clock {
  #now = 0
  #timers = new Map<object, { at: number; fire: () => void }>()

  now(): number {
    return this.#now
  }
  elapsed(): number {
    return this.#now
  }
  timer(ms: number, fire: () => void): Timer {
    const timer = { cancel: () => void this.#timers.delete(timer) }
    this.#timers.set(timer, { at: this.#now + ms, fire })
    return timer
  }
  nextTurn(run: () => void): void {
    setImmediate(run)
  }
  random(): number {
    return 0.5
  }
  get timers(): number {
    return this.#timers.size
  }
  advance(ms: number): void {
    this.#now += ms
    for (const [timer, { at, fire }] of this.#timers) {
      if (at > this.#now) continue
      this.#timers.delete(timer)
      fire()
    }
  }
}
