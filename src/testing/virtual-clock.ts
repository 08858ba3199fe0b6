import { milliseconds, type Duration } from '../ground/duration.js'
import { realClock, type Clock, type Timer } from '../ground/clock.js'
import { chance } from './chance.js'
import { Timers } from './timers.js'

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /** Moves time on, firing each timer at its moment and letting what it causes finish before the next. */
  advance(duration: Duration): Promise<void>
  /** Lets all that can happen without time passing happen. */
  settle(): Promise<void>
  /** Timers that have not fired. */
  readonly timers: number
}

/** Turns of the event loop in which nothing was asked of the clock, after which all is taken to be at rest. */
const QUIET_TURNS = 4

/**
 * Makes a clock whose time is virtual and whose chance comes from `seed` (default 1). Timers due at one moment fire
 * in the order in which they were set. Work that awaits the real world (a model, a file) is not waited for.
 */
export function virtualClock({ seed = 1, start = Date.UTC(2026, 0, 1) }: { readonly seed?: number; readonly start?: number } = {}): VirtualClock {
  const timers = new Timers()
  const random = chance(seed)
  let now = start
  let asked = 0

  const settle = async (): Promise<void> => {
    for (let quiet = 0, before = asked; quiet < QUIET_TURNS; quiet = before === asked ? quiet + 1 : 0) {
      before = asked
      await new Promise<void>((resolve) => realClock.nextTurn(resolve))
    }
  }
  return {
    now: () => now,
    elapsed: () => now - start,
    random,
    get timers() {
      return timers.count
    },
    timer(ms, fire): Timer {
      asked++
      return timers.add(now + ms, fire)
    },
    nextTurn(run) {
      asked++
      realClock.nextTurn(run)
    },
    settle,
    async advance(duration) {
      const until = now + milliseconds(duration)
      await settle()
      for (let entry = timers.takeUntil(until); entry !== undefined; entry = timers.takeUntil(until)) {
        now = Math.max(now, entry.at)
        entry.fire()
        await settle()
      }
      now = until
    },
  }
}
