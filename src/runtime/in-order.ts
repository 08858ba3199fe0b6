/**
 * When a handler that does several things at once sees what came of them: one result a turn of the event loop, in the
 * order of the log. So it is when it runs again (R2 of replay.ts), and what it does between two results is then the same.
 *
 * Several results come in one turn whenever they were written together, and one is on its way for longer than another: a
 * reply by way of whoever gave it.
 */
import type { Dispatcher } from './dispatcher.js'

interface Coming {
  /** Its number in the log. */
  readonly n: number
  readonly see: () => void
}

export class InOrder {
  readonly #dispatcher: Dispatcher
  readonly #coming: Coming[] = []
  /** The turn in which the last one was seen. */
  #sawIn = -1
  #waits = false

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
  }

  /** A promise of its turn for what stands at `n`; nothing when it may be seen at once. `alone` says that nothing else is under way. */
  turnOf(n: number, alone: boolean): Promise<void> | undefined {
    const { turn } = this.#dispatcher
    if (alone && this.#coming.length === 0 && this.#sawIn !== turn) {
      this.#sawIn = turn
      return undefined
    }
    return new Promise((see) => {
      this.#coming.push({ n, see })
      this.#wait()
    })
  }

  #wait(): void {
    if (this.#waits) return
    this.#waits = true
    this.#dispatcher.nextTurn(() => {
      this.#waits = false
      this.#sawIn = this.#dispatcher.turn
      const [first] = this.#coming.sort((a, b) => a.n - b.n).splice(0, 1)
      if (this.#coming.length > 0) this.#wait()
      first?.see()
    })
  }
}
