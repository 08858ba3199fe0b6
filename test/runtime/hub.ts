import type { Clock, Transport } from 'troupe'
import type { VirtualClock } from 'troupe/testing'

/** What becomes of one message: after how many milliseconds it arrives, each time that it does. */
export type Fate = (from: string, to: string) => readonly number[]

/** A network in one process, as bad as its fate says. Default: everything arrives, once, in the next turn. */
export class Hub {
  readonly #clock: Clock
  readonly #receivers = new Map<string, (from: string, bytes: Uint8Array) => void>()
  fate: Fate = () => [0]
  sent = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The transport of a node; opening it again, after a crash, takes its place. */
  of(name: string): Transport {
    let receiver: ((from: string, bytes: Uint8Array) => void) | undefined
    return {
      send: (to, bytes) => {
        // A transport that is closed, or of a node that crashed, is silent.
        if (receiver === undefined || this.#receivers.get(name) !== receiver) return
        this.sent++
        for (const ms of this.fate(name, to)) this.#clock.timer(ms, () => this.#receivers.get(to)?.(name, bytes.slice()))
      },
      open: (receive) => {
        receiver = (from, bytes) => receive(from, bytes)
        this.#receivers.set(name, receiver)
      },
      close: () => {
        if (this.#receivers.get(name) === receiver) this.#receivers.delete(name)
        return Promise.resolve()
      },
    }
  }
}

/** Lets virtual time pass until the promise has settled; a minute of it at most. */
export async function passing<T>(clock: VirtualClock, promise: Promise<T>, mostMs = 60_000): Promise<T> {
  let settled = false
  const done = (): void => void (settled = true)
  promise.then(done, done)
  await clock.settle()
  for (let ms = 0; !settled && ms < mostMs; ms++) await clock.advance(1)
  if (!settled) throw new Error(`not settled after ${mostMs} ms`)
  return promise
}
