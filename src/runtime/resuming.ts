/**
 * Durable actors that go on where the last process ended.
 * Owns: who they are, and the alarms of those who are not in memory.
 */
import type { Timer } from '../ground/clock.js'
import { kindOf, type Address } from './address.js'
import type { Cell } from './cell.js'
import type { Parts } from './parts.js'

/** A durable actor that goes on where the last process ended. */
export interface Resumed {
  readonly address: Address
  /** Messages that it had accepted and not dealt with. */
  readonly messages: number
}

type World = Pick<Parts, 'clock' | 'journal' | 'router' | 'wakes' | 'dozing'>

export class Resuming {
  readonly #parts: World
  readonly #alarms = new Set<Timer>()
  readonly #resumed: Resumed[] = []

  constructor(parts: World) {
    this.#parts = parts
  }

  get resumed(): readonly Resumed[] {
    return this.#resumed
  }

  /** Those with something to do whom nobody has taken yet. */
  get unclaimed(): readonly Resumed[] {
    return [...(this.#parts.journal?.waiting ?? [])].flatMap(([address, left]) => (left.length === 0 || this.#parts.router.has(address) ? [] : [told(address, left)]))
  }

  /** An address is taken. */
  note(address: Address): void {
    const left = this.#parts.journal?.waiting.get(address)
    if (left !== undefined && left.length > 0) this.#resumed.push(told(address, left))
  }

  /** Starts an actor, or lets it sleep on when it slept as the last process ended and nothing has come for it. */
  begin(address: Address, durable: boolean, start: () => Cell): void {
    this.#parts.router.claim(address)
    this.note(address)
    if (!durable || !this.#parts.dozing.goesOn(address, start)) start()
  }

  /** Wakes the actors of a keyed kind that were at work when the last process ended, and those with a timer when that is due. */
  resume(kind: string, durable: boolean): void {
    const { journal, wakes, dozing } = this.#parts
    for (const [address, left] of journal?.waiting ?? []) {
      if (kindOf(address) !== kind || address === kind || left.length === 0) continue
      this.#resumed.push(told(address, left))
      if (!durable || !dozing.goesOn(address)) wakes.wake(address)
    }
    for (const [address, at] of journal?.alarms ?? []) if (kindOf(address) === kind && address !== kind) this.#wakeAt(address, at)
  }

  #wakeAt(address: Address, at: number): void {
    const { clock, wakes } = this.#parts
    if (at <= clock.now()) return wakes.wake(address)
    const alarm = clock.timer(at - clock.now(), () => {
      this.#alarms.delete(alarm)
      wakes.wake(address)
    }, true)
    this.#alarms.add(alarm)
  }

  stop(): void {
    this.#parts.wakes.stop()
    for (const alarm of this.#alarms) alarm.cancel()
  }
}

const told = (address: Address, left: readonly { readonly of: number }[]): Resumed => ({ address, messages: left.filter(({ of }) => of === 0).length })
