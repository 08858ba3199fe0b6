/** Something that fires once, later, unless it is cancelled first. */
export interface Timer {
  cancel(): void
}

/**
 * The one door for time and chance. Everything in Troupe that waits, stamps or draws does it here,
 * so that a virtual clock and a seed decide a whole run.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds from an arbitrary start, never going back: for measuring how long something took. */
  elapsed(): number
  /** Calls `fire` once after `ms`. It keeps the process alive meanwhile, unless it works in the background. */
  timer(ms: number, fire: () => void, background?: boolean): Timer
  /** Calls `run` once the event loop has turned. */
  nextTurn(run: () => void): void
  /** A number in [0, 1). */
  random(): number
  /** Which of `count` that are ready comes first; the one that waits longest where a clock has no such choice. A simulation's has. */
  pick?(count: number): number
}

/** Node reads a longer delay as 1 ms, so one timer waits at most this long and then waits again. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

/** Resolves when the work has settled, or after `ms` in any case. */
export function settledWithin(work: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.timer(ms, resolve)
    const settled = (): void => {
      timer.cancel()
      resolve()
    }
    work.then(settled, settled)
  })
}

class RealTimer implements Timer {
  #handle: NodeJS.Timeout
  constructor(ms: number, fire: () => void, background: boolean) {
    this.#handle = this.#wait(ms, fire, background)
  }
  #wait(ms: number, fire: () => void, background: boolean): NodeJS.Timeout {
    const part = Math.min(ms, LONGEST_TIMEOUT_MS)
    const next = ms > part ? () => (this.#handle = this.#wait(ms - part, fire, background)) : fire
    const handle = setTimeout(next, part)
    return background ? handle.unref() : handle
  }
  cancel(): void {
    clearTimeout(this.#handle)
  }
}

export const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  timer: (ms, fire, background = false) => new RealTimer(ms, fire, background),
  nextTurn: (run) => void setImmediate(run),
  random: () => Math.random(),
}
