import { TroupeError } from '../ground/errors.js'
import type { Troupe } from '../runtime/troupe.js'
import type { LifeClock } from './loop.js'

/** One life of a simulated process: its troupe once it is up, its time, and the calls from outside that it owes an answer. */
export class Life {
  troupe: Troupe | undefined
  over = false
  /** It was asked to stop: nobody is let in any more. */
  leaving = false
  readonly clock: LifeClock
  readonly #leave: () => void
  readonly #calls = new Set<(error: TroupeError) => void>()

  /** `leave` lets go of what the process has outside of itself: its disk, its network. */
  constructor(clock: LifeClock, leave: () => void) {
    this.clock = clock
    this.#leave = leave
  }

  /** A call from outside, which the end of this life ends. */
  call<T>(call: () => Promise<T>): Promise<T> {
    if (this.over) return Promise.reject(crashed())
    return new Promise((resolve, reject) => {
      const settle = <V>(then: (value: V) => void) => (value: V): void => {
        if (this.#calls.delete(reject)) then(value)
      }
      this.#calls.add(reject)
      call().then(settle(resolve), settle(reject))
    })
  }

  /** Nothing of this life happens any more; whoever called it is told. */
  cutOff(): void {
    this.over = true
    this.clock.end()
    this.#leave()
    const error = crashed()
    for (const reject of this.#calls) reject(error)
    this.#calls.clear()
  }
}

const crashed = (): TroupeError => new TroupeError('Interrupted', 'the simulated process crashed', 'try again once it is back, as a client of a real one would')
