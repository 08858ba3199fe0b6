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
  /** Calls `fire` once after `ms`. A real timer never keeps the process alive by itself. */
  timer(ms: number, fire: () => void): Timer
  /** Calls `run` once the event loop has turned. */
  nextTurn(run: () => void): void
  /** A number in [0, 1). */
  random(): number
}

/** Node reads a longer delay as 1 ms, so one timer waits at most this long and then waits again. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

class RealTimer implements Timer {
  #handle: NodeJS.Timeout
  constructor(ms: number, fire: () => void) {
    this.#handle = this.#wait(ms, fire)
  }
  #wait(ms: number, fire: () => void): NodeJS.Timeout {
    const part = Math.min(ms, LONGEST_TIMEOUT_MS)
    const next = ms > part ? () => (this.#handle = this.#wait(ms - part, fire)) : fire
    return setTimeout(next, part).unref()
  }
  cancel(): void {
    clearTimeout(this.#handle)
  }
}

export const realClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  timer: (ms, fire) => new RealTimer(ms, fire),
  nextTurn: (run) => void setImmediate(run),
  random: () => Math.random(),
}
