/**
 * Owns: which durable actors left memory in the middle of a handler that only waits, and when each is to come back.
 * Does not own: what they come back to; the log has it.
 *
 * Invariants:
 * Z1. An address is asleep or has a cell, never both: whoever looks for it wakes it, and only the new cell takes what is kept here.
 * Z2. An order reaches one asleep as it would one awake: a cancel wakes it, a stop ends it and its alarm with it.
 */
import { TroupeError } from '../ground/errors.js'
import type { Timer } from '../ground/clock.js'
import type { Address } from './address.js'
import type { Cell } from './cell.js'
import type { CancelReason, Envelope } from './envelope.js'
import { STORE_RETRY_MS } from './limits.js'
import type { Parts } from './parts.js'
import type { Asked } from './replies.js'
import { startCell } from './start-cell.js'

type World = Pick<Parts, 'clock' | 'replies' | 'router' | 'log' | 'journal'>

/** One that is asleep. */
interface Dozer extends Asked {
  /** The number of the mail whose handler waits. */
  readonly handling: number
  /** Makes its next cell, when no kind does. */
  revive: (() => Cell) | undefined
  alarm: Timer | undefined
}

export class Dozing {
  readonly #parts: World
  readonly #asleep = new Map<Address, Dozer>()

  constructor(parts: World) {
    this.#parts = parts
  }

  has(address: Address): boolean {
    return this.#asleep.has(address)
  }

  /** Whether an address is that of one asleep which is no kind's: nobody else may take it. */
  holds(address: Address): boolean {
    return this.#asleep.get(address)?.revive !== undefined
  }

  /** A cell leaves memory until that moment, in the middle of the handler of this mail; its askers' orders go here from now on. */
  add(cell: Cell, handling: Envelope, until: number): void {
    const { address, definition, parts, options, resident } = cell
    const mail = [handling, ...cell.doze()]
    this.#parts.journal?.sleeps(address, handling.entry, until, mail.slice(1).map(({ entry }) => entry))
    const dozer = this.#lay(address, handling.entry, until, resident === undefined ? () => startCell(address, definition, parts, options) : undefined)
    for (const { correlation } of mail) {
      const ask = this.#parts.replies.get(correlation)
      if (ask?.envelope.to === address) ask.asked = dozer
    }
  }

  /** Lets one that slept when the last process ended sleep on; `revive` makes its cell, when no kind does. False for one that has something to do. */
  goesOn(address: Address, revive?: () => Cell): boolean {
    const asleep = this.#parts.journal?.takeAsleep(address)
    if (asleep !== undefined) this.#lay(address, asleep.handling, asleep.until, revive)
    return asleep !== undefined
  }

  #lay(address: Address, handling: number, until: number, revive: Dozer['revive']): Dozer {
    const dozer: Dozer = { handling, revive, alarm: undefined, cancel: (envelope, reason) => this.#cancel(address, envelope, reason), forget: noop }
    this.#asleep.set(address, dozer)
    if (until < Infinity) dozer.alarm = this.#parts.clock.timer(until - this.#parts.clock.now(), () => this.#rouse(address))
    return dozer
  }

  /** The cell of one that is no kind's, made again. */
  wake(address: Address): Cell | undefined {
    const dozer = this.#asleep.get(address)
    const revive = dozer?.revive
    if (dozer === undefined || revive === undefined) return undefined
    dozer.revive = undefined
    try {
      return revive()
    } catch (error) {
      dozer.revive = revive
      throw error
    }
  }

  /** A new cell has begun at an address: the mail whose handler it goes on with, if it was asleep. */
  take(address: Address): number | undefined {
    const dozer = this.#asleep.get(address)
    this.#asleep.delete(address)
    dozer?.alarm?.cancel()
    return dozer?.handling
  }

  /** The troupe stops: nobody wakes any more. */
  stop(): void {
    for (const { alarm } of this.#asleep.values()) alarm?.cancel()
    this.#asleep.clear()
  }

  #cancel(address: Address, envelope: Envelope, reason: CancelReason): void {
    // To whoever comes back after the process that is no wish.
    if (reason === 'shutting-down') return
    this.#rouse(address, (cell) => cell.cancel(envelope, reason))
  }

  /** Wakes one, and tries again while there is no room for it. */
  #rouse(address: Address, then: (cell: Cell) => void = noop): void {
    try {
      const cell = this.#parts.router.cell(address)
      if (cell !== undefined) then(cell)
    } catch (error) {
      if (error instanceof TroupeError && error.code === 'Overloaded') this.#parts.clock.timer(STORE_RETRY_MS, () => this.#rouse(address, then))
      else this.#parts.log(address, ['could not be woken:', error])
    }
  }
}

const noop = (): void => {}
