/**
 * Wakes actors for what the log has for them.
 * Owns: those for whom there was no room, until there is.
 */
import type { Timer } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { kindOf, rootOf, type Address } from './address.js'
import { STORE_RETRY_MS } from './limits.js'
import type { Parts } from './parts.js'

type World = Pick<Parts, 'router' | 'clock' | 'log'>

export class Wakes {
  readonly #parts: World
  /** Never more than have mail in the log. */
  readonly #late = new Set<Address>()
  #timer: Timer | undefined
  #stopped = false

  constructor(parts: World) {
    this.#parts = parts
  }

  /** Wakes an actor, now or once there is room; of a child its whole family. One whose record is damaged harms nobody else: its senders are told. */
  wake(address: Address): void {
    const root = rootOf(address)
    if (this.#stopped || this.#try(root)) return
    this.#late.add(root)
    this.#timer ??= this.#parts.clock.timer(STORE_RETRY_MS, () => this.#again(), true)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** False when there is no room. */
  #try(address: Address): boolean {
    try {
      this.#parts.router.cell(address)
    } catch (error) {
      if (error instanceof TroupeError && error.code === 'Overloaded') return false
      this.#parts.log(address, ['could not be resumed:', error])
    }
    this.#late.delete(address)
    return true
  }

  #again(): void {
    const full = new Set<string>()
    for (const address of this.#late) if (!full.has(kindOf(address)) && !this.#try(address)) full.add(kindOf(address))
    this.#timer = this.#late.size === 0 ? undefined : this.#parts.clock.timer(STORE_RETRY_MS, () => this.#again(), true)
  }
}
