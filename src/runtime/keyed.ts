/**
 * Owns: which actors of one keyed kind are resident, in the order of their last use.
 * Does not own: their mail; a cell that is not at rest never leaves.
 */
import type { Timer } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import type { Address } from './address.js'
import { Cell } from './cell.js'
import type { Definition } from './definition.js'
import { overloaded } from './endings.js'
import { RESIDENTS_MAX } from './limits.js'
import type { Parts } from './parts.js'

export interface KeyedOptions {
  /**
   * Lets an actor that was idle this long leave memory. A volatile actor loses its state with that, and its watchers
   * are told `forgotten`; so it is off unless given.
   */
  readonly passivateAfter?: Duration
  /** Residents at once. At the cap the least recently used idle one leaves; when none is idle, `Overloaded`. Default 1,000,000. */
  readonly residents?: number
  /** A machine's input, by key. */
  readonly input?: (key: string) => unknown
}

/** One resident, linked to those used before and after it. */
export interface Resident {
  readonly keyed: Keyed
  readonly cell: Cell
  usedAt: number
  before: Resident | undefined
  after: Resident | undefined
}

/** Residents looked at in one go, so that neither a sweep nor a full house holds up the event loop. */
const LOOKS = 1_000
/** Residents looked at for each one that starts: callers who wake actors faster than the loop turns would else outrun the sweep. */
const LOOKS_PER_START = 2

export class Keyed {
  readonly #definition: Definition
  readonly #options: KeyedOptions
  readonly #parts: Parts
  readonly #idleMs: number
  readonly #max: number
  #count = 0
  #oldest: Resident | undefined
  #newest: Resident | undefined
  #timer: Timer | undefined
  #stopped = false

  constructor(definition: Definition, options: KeyedOptions, parts: Parts) {
    this.#definition = definition
    this.#options = options
    this.#parts = parts
    this.#idleMs = options.passivateAfter === undefined ? Infinity : milliseconds(options.passivateAfter)
    this.#max = options.residents ?? RESIDENTS_MAX
  }

  get definition(): Definition {
    return this.#definition
  }

  /** Starts the actor of an address; nobody once the troupe has stopped. Throws `Overloaded` when the cap is reached and nobody is idle. */
  wake(address: Address): Cell | undefined {
    const slash = address.indexOf('/')
    if (slash === -1 || this.#stopped) return undefined
    this.#forgetOverdue(LOOKS_PER_START)
    if (this.#count >= this.#max && !this.#evict()) throw overloaded(`all ${this.#max} residents of ${address.slice(0, slash)} are at work`, 0)
    const input = this.#options.input?.(address.slice(slash + 1))
    const cell = new Cell(address, this.#definition, this.#parts, input === undefined ? {} : { input })
    const resident: Resident = { keyed: this, cell, usedAt: this.#parts.clock.now(), before: undefined, after: undefined }
    cell.resident = resident
    this.#parts.router.add(cell)
    this.#count++
    this.#append(resident)
    if (this.#idleMs !== Infinity) this.#timer ??= this.#sweepAfter(this.#idleMs)
    cell.start()
    return cell
  }

  /** The resident was used just now. */
  touch(resident: Resident): void {
    resident.usedAt = this.#parts.clock.now()
    if (this.#newest === resident) return
    this.#unlink(resident)
    this.#append(resident)
  }

  /** The cell has ended. */
  left(cell: Cell): void {
    if (cell.resident === undefined) return
    this.#count--
    this.#unlink(cell.resident)
    cell.resident = undefined
    if (this.#count > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** Lets the least recently used idle one go; those at work are used now, so they go to the end of the line. */
  #evict(): boolean {
    for (let looks = Math.min(this.#count, LOOKS); looks > 0; looks--) {
      const resident = this.#oldest as Resident
      if (resident.cell.restful) {
        void resident.cell.stop({ kind: 'forgotten' })
        return true
      }
      this.touch(resident)
    }
    return false
  }

  #sweepAfter(ms: number): Timer {
    return this.#parts.clock.timer(ms, () => this.#sweep(), true)
  }

  #sweep(): void {
    this.#forgetOverdue(LOOKS)
    const oldest = this.#oldest
    this.#timer = oldest === undefined || this.#stopped ? undefined : this.#sweepAfter(Math.max(1, oldest.usedAt + this.#idleMs - this.#parts.clock.now()))
  }

  #forgetOverdue(looksMax: number): void {
    const now = this.#parts.clock.now()
    for (let looks = Math.min(this.#count, looksMax); looks > 0; looks--) {
      const resident = this.#oldest
      if (resident === undefined || resident.usedAt + this.#idleMs > now) break
      if (resident.cell.restful) void resident.cell.stop({ kind: 'forgotten' })
      else this.touch(resident)
    }
  }

  #append(resident: Resident): void {
    resident.before = this.#newest
    resident.after = undefined
    if (this.#newest === undefined) this.#oldest = resident
    else this.#newest.after = resident
    this.#newest = resident
  }

  #unlink(resident: Resident): void {
    if (resident.before === undefined) this.#oldest = resident.after
    else resident.before.after = resident.after
    if (resident.after === undefined) this.#newest = resident.before
    else resident.after.before = resident.before
  }
}
