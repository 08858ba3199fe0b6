import { milliseconds, type Duration } from '../ground/duration.js'
import { realClock, type Clock, type Timer } from '../ground/clock.js'

/** A clock that stands still until it is advanced. */
export interface VirtualClock extends Clock {
  /** Moves time on, firing each timer at its moment and letting what it causes finish before the next. */
  advance(duration: Duration): Promise<void>
  /** Lets all that can happen without time passing happen. */
  settle(): Promise<void>
  /** Timers that have not fired. */
  readonly timers: number
}

interface Entry {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

/** Turns of the event loop in which nothing was asked of the clock, after which all is taken to be at rest. */
const QUIET_TURNS = 4

/**
 * Makes a clock whose time is virtual and whose chance comes from `seed` (default 1). Timers due at one moment fire
 * in the order in which they were set. Work that awaits the real world (a model, a file) is not waited for.
 */
export function virtualClock({ seed = 1, start = Date.UTC(2026, 0, 1) }: { readonly seed?: number; readonly start?: number } = {}): VirtualClock {
  const timers = new Set<Entry>()
  const random = mulberry32(seed)
  let now = start
  let orders = 0
  let asked = 0

  const earliest = (until: number): Entry | undefined => {
    let first: Entry | undefined
    for (const entry of timers) if (entry.at <= until && (first === undefined || entry.at < first.at || (entry.at === first.at && entry.order < first.order))) first = entry
    return first
  }
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
      return timers.size
    },
    timer(ms, fire): Timer {
      asked++
      const entry = { at: now + ms, order: orders++, fire }
      timers.add(entry)
      return { cancel: () => void timers.delete(entry) }
    },
    nextTurn(run) {
      asked++
      realClock.nextTurn(run)
    },
    settle,
    async advance(duration) {
      const until = now + milliseconds(duration)
      await settle()
      for (let entry = earliest(until); entry !== undefined; entry = earliest(until)) {
        timers.delete(entry)
        now = Math.max(now, entry.at)
        entry.fire()
        await settle()
      }
      now = until
    },
  }
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, enough for simulations. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
