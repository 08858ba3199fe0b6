/**
 * Owns: what durable actors have for others whom the store knows and nobody has spawned or registered since the restart.
 * Mail for such an actor waits in the log, within its mailbox's usual bound; an ask waits for as long as its asker does.
 */
import type { Timer } from '../ground/clock.js'
import { kindOf, type Address } from './address.js'
import type { Envelope } from './envelope.js'
import { heed } from './heed.js'
import { MAILBOX_COUNT_MAX } from './limits.js'
import type { Parts } from './parts.js'

type World = Pick<Parts, 'router' | 'journal' | 'clock' | 'nodes'>

export class Unclaimed {
  readonly #parts: World
  /** Who waits, by the address or kind that is to be taken. */
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(parts: World) {
    this.#parts = parts
  }

  /** Whether mail for this address is to be in the log before it leaves: somebody durable is there, or will be. */
  keeps(to: Address): boolean {
    if (this.#parts.nodes?.isAway(to) === true) return this.#parts.journal !== undefined
    const cell = this.#parts.router.cell(to)
    return cell === undefined ? this.#parts.journal?.awaits(to, MAILBOX_COUNT_MAX) === true : cell.ledger?.leaving === false
  }

  /** Mail that has come into the log; whoever it is for finds it there when it wakes. */
  arrived(envelopes: readonly Envelope[], numbers: readonly number[]): void {
    const { router, clock } = this.#parts
    for (const [i, envelope] of envelopes.entries()) {
      envelope.entry = numbers[i] as number
      router.awake(envelope.to)?.ledger?.arrived(envelope, envelope.entry, clock.now())
    }
  }

  /** Whether nobody is at this address, and a durable actor is to come back to it. */
  isAwaited(address: Address): boolean {
    const { router, journal } = this.#parts
    return journal !== undefined && !router.has(address) && journal.awaits(address, Infinity)
  }

  /** Resolves when the address is taken, after `ms`, or when nobody wants it any more. */
  taken(address: Address, ms: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts
    return new Promise((resolve) => {
      let timer: Timer | undefined
      const names = [address, kindOf(address)]
      const go = (): void => {
        timer?.cancel()
        release()
        for (const name of names) this.#leave(name, go)
        resolve()
      }
      for (const name of names) {
        const waiting = this.#waiting.get(name)
        if (waiting === undefined) this.#waiting.set(name, new Set([go]))
        else waiting.add(go)
      }
      const release = heed(signal, go)
      if (ms !== Infinity) timer = clock.timer(ms, go)
    })
  }

  #leave(name: string, go: () => void): void {
    const waiting = this.#waiting.get(name)
    waiting?.delete(go)
    if (waiting?.size === 0) this.#waiting.delete(name)
  }

  /** An address or a kind was taken. */
  claimed(name: string, durable: boolean): void {
    if (durable) this.#parts.journal?.claim(name)
    for (const go of this.#waiting.get(name) ?? []) go()
  }
}
