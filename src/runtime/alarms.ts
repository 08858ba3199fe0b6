/**
 * Owns: when durable actors want to be woken, and whose handlers only wait, as the store has it.
 * Does not own: who is woken; the troupe does that.
 */
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import type { SealedStore } from './store/sealed.js'
import type { Change } from './store/store.js'

/** Whose handler only waits. */
export interface Asleep {
  /** The mail whose handler it is. */
  readonly handling: number
  /** Clock time, or Infinity. */
  readonly until: number
  /** The last entry of its effects. */
  readonly last: number
  /** Other mail that waits for its end. */
  readonly mail: readonly number[]
}

export class Alarms {
  readonly #store: SealedStore
  readonly #at = new Map<Address, number>()
  readonly #asleep = new Map<Address, Asleep>()

  constructor(store: SealedStore) {
    this.#store = store
    for (const { key, value } of store.range(['alarm'], ['alarn'])) this.#at.set(key[1] as Address, read(value, (at) => at as number) ?? 0)
    for (const { key, value } of store.range(['asleep'], ['asleeq'])) {
      const asleep = read(value, (kept) => kept as Asleep)
      // Whoever's is damaged is woken at once, and finds that it has to wait.
      if (asleep !== undefined) this.#asleep.set(key[1] as Address, asleep)
    }
  }

  /** Clock time; at once for an alarm that is damaged: its actor sets it again. */
  get all(): ReadonlyMap<Address, number> {
    return this.#at
  }

  /** What the batch of a step has to change, when the actor wants to be woken then. Whose step ends is not asleep. */
  changes(address: Address, at: number | undefined): Change[] {
    const changes: Change[] = []
    if (at === undefined && this.#at.has(address)) changes.push({ kind: 'remove', key: ['alarm', address] })
    if (at !== undefined && this.#at.get(address) !== at) changes.push({ kind: 'put', key: ['alarm', address], value: pack(at) })
    if (this.#asleep.delete(address)) changes.push({ kind: 'remove', key: ['asleep', address] })
    return changes
  }

  /** That batch is in the store. */
  changed(address: Address, at: number | undefined): void {
    if (at === undefined) this.#at.delete(address)
    else this.#at.set(address, at)
  }

  /** An actor's handler waits and does nothing else: the next process need not wake it before that, unless something comes. */
  sleeps(address: Address, asleep: Asleep): void {
    this.#asleep.set(address, asleep)
    this.#store.commit([{ kind: 'put', key: ['asleep', address], value: pack(asleep) }]).catch(() => {
      if (this.#asleep.get(address) === asleep) this.#asleep.delete(address)
    })
  }

  asleep(address: Address): Asleep | undefined {
    return this.#asleep.get(address)
  }
}

function read<T>(value: Uint8Array | undefined, as: (kept: unknown) => T): T | undefined {
  try {
    return value === undefined ? undefined : as(unpack(value))
  } catch {
    return undefined
  }
}
