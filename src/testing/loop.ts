/**
 * An event loop of our own: among the things that can happen now the seed chooses one, and time stands still until
 * nothing can.
 */
import type { Clock, Timer } from '../ground/clock.js'
import { SLICE_MS } from '../runtime/limits.js'
import { Timers } from './timers.js'

/** Something of which things can happen, one at a time. */
export interface Source {
  /** When its next thing may happen, in virtual milliseconds from the start; `undefined` when nothing is left. */
  readonly next: number | undefined
  happen(): void
}

/** One look at the clock in so many takes all patience away from the dispatcher, so that runs break off anywhere. */
const LOOKS_A_BREAK = 24

export class Loop {
  /** Virtual milliseconds from the start. */
  elapsed = 0
  readonly #sources: Source[] = []
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  add(source: Source): void {
    this.#sources.push(source)
  }

  remove(source: Source): void {
    const at = this.#sources.indexOf(source)
    if (at >= 0) this.#sources.splice(at, 1)
  }

  pick(count: number): number {
    return count < 2 ? 0 : Math.floor(this.#random() * count)
  }

  /** Lets one thing happen, after the time until it has passed, if time may pass; false when there is none. */
  step(mayPass: boolean): boolean {
    let earliest = Infinity
    let now: Source[] = []
    for (const source of this.#sources) {
      const at = Math.max(source.next ?? Infinity, this.elapsed)
      if (at === Infinity || at > earliest) continue
      if (at < earliest) now = []
      earliest = at
      now.push(source)
    }
    if (now.length === 0 || (earliest > this.elapsed && !mayPass)) return false
    this.elapsed = earliest
    now[this.pick(now.length)]?.happen()
    return true
  }
}

/** The time of one life in the loop; when the life ends, nothing of what it had still planned happens. */
export class LifeClock implements Clock {
  readonly #loop: Loop
  readonly #now: () => number
  readonly #timers = new Timers()
  readonly #turns: (() => void)[] = []
  readonly #chance: () => number
  readonly #sources: readonly Source[]
  #ended = false
  #leapt = 0

  constructor(loop: Loop, now: () => number, chance: () => number) {
    this.#loop = loop
    this.#now = now
    this.#chance = chance
    const timers = this.#timers
    const turns = this.#turns
    this.#sources = [
      {
        get next() {
          return timers.next
        },
        happen: () => timers.takeUntil(loop.elapsed)?.fire(),
      },
      {
        get next() {
          return turns.length > 0 ? 0 : undefined
        },
        happen: () => turns.shift()?.(),
      },
    ]
    for (const source of this.#sources) loop.add(source)
  }

  now(): number {
    return this.#now()
  }

  elapsed(): number {
    if (this.#loop.pick(LOOKS_A_BREAK) === 1) this.#leapt += SLICE_MS + 1
    return this.#loop.elapsed + this.#leapt
  }

  timer(ms: number, fire: () => void): Timer {
    return this.#ended ? NO_TIMER : this.#timers.add(this.#loop.elapsed + ms, fire)
  }

  nextTurn(run: () => void): void {
    if (!this.#ended) this.#turns.push(run)
  }

  random(): number {
    return this.#chance()
  }

  pick(count: number): number {
    return this.#loop.pick(count)
  }

  end(): void {
    this.#ended = true
    for (const source of this.#sources) this.#loop.remove(source)
  }
}

const NO_TIMER: Timer = { cancel: () => {} }
