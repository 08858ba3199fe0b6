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
  cancelled: boolean
}

/** Turns of the event loop in which nothing was asked of the clock, after which all is taken to be at rest. */
const QUIET_TURNS = 4

/**
 * Makes a clock whose time is virtual and whose chance comes from `seed` (default 1). Timers due at one moment fire
 * in the order in which they were set. Work that awaits the real world (a model, a file) is not waited for.
 */
export function virtualClock({ seed = 1, start = Date.UTC(2026, 0, 1) }: { readonly seed?: number; readonly start?: number } = {}): VirtualClock {
  const timers = new Timers()
  const random = mulberry32(seed)
  let now = start
  let orders = 0
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
      const entry = { at: now + ms, order: orders++, fire, cancelled: false }
      timers.add(entry)
      return { cancel: () => timers.cancel(entry) }
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

const before = (a: Entry, b: Entry): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

/** The timers that have not fired, in a heap: a simulation may hold a million. A cancelled one stays until its turn comes. */
class Timers {
  readonly #heap: Entry[] = []
  count = 0

  add(entry: Entry): void {
    this.count++
    const heap = this.#heap
    let at = heap.push(entry) - 1
    for (let parent = (at - 1) >> 1; at > 0 && before(entry, heap[parent] as Entry); parent = (at - 1) >> 1) {
      heap[at] = heap[parent] as Entry
      at = parent
    }
    heap[at] = entry
  }

  cancel(entry: Entry): void {
    if (entry.cancelled) return
    entry.cancelled = true
    this.count--
  }

  /** Takes the earliest that is due. */
  takeUntil(time: number): Entry | undefined {
    for (let first = this.#heap[0]; first !== undefined && (first.cancelled || first.at <= time); first = this.#heap[0]) {
      this.#removeFirst()
      if (first.cancelled) continue
      // It has fired: a cancel that comes later finds nothing to do.
      this.cancel(first)
      return first
    }
    return undefined
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
