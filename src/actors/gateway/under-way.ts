/** The exchanges that have no answer yet. */
import type { Exchange } from './exchange.js'

/** An array in which each knows its place: a set is made anew every few times that something comes and goes. */
export class UnderWay {
  readonly #exchanges: Exchange[] = []

  get size(): number {
    return this.#exchanges.length
  }

  add(exchange: Exchange): void {
    exchange.slot = this.#exchanges.push(exchange) - 1
  }

  /** False when it was not under way. */
  delete(exchange: Exchange): boolean {
    const { slot } = exchange
    if (slot === -1) return false
    const last = this.#exchanges.pop() as Exchange
    if (last !== exchange) {
      this.#exchanges[slot] = last
      last.slot = slot
    }
    exchange.slot = -1
    return true
  }

  callOff(reason: unknown): void {
    for (const exchange of this.#exchanges.slice()) exchange.callOff(reason)
  }
}
