/**
 * Children of durable charts whose lives are over, as long as the log has mail of theirs: their records are gone, and
 * nothing else would say that this mail counts for nothing.
 * Owns: up to which entry that is. A grave goes with the last segment of the log that it speaks of.
 */
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import { LOG_SEGMENT } from './limits.js'
import type { SealedStore } from './store/sealed.js'
import type { Change } from './store/store.js'

interface Grave {
  /** The last entry before its life, and the last within. */
  readonly born: number
  readonly died: number
}

export class Graves {
  readonly #graves = new Map<Address, Grave>()

  constructor(store: SealedStore) {
    for (const { key, value } of store.range(['grave'], ['gravf'])) {
      const grave = value === undefined ? undefined : read(value)
      if (grave !== undefined) this.#graves.set(key[1] as Address, grave)
    }
  }

  has(address: Address): boolean {
    return this.#graves.has(address)
  }

  /** Up to which entry an address's mail is of a life that is over. */
  upTo(address: Address): number {
    return this.#graves.size === 0 ? 0 : (this.#graves.get(address)?.died ?? 0)
  }

  /** Ends a life that began after one entry, and ends with another. */
  dig(address: Address, born: number, died: number): Change {
    const grave: Grave = { born: Math.min(born, this.#graves.get(address)?.born ?? born), died }
    this.#graves.set(address, grave)
    return { kind: 'put', key: ['grave', address], value: pack([grave.born, grave.died]) }
  }

  /** Lets those go of whose mail the log has nothing any more, with the segments that it has. */
  sweep(segments: readonly number[]): Change[] {
    const changes: Change[] = []
    for (const [address, { born, died }] of this.#graves) {
      const [from, to] = [Math.floor(born / LOG_SEGMENT), Math.floor(died / LOG_SEGMENT)]
      if (segments.some((segment) => segment >= from && segment <= to)) continue
      this.#graves.delete(address)
      changes.push({ kind: 'remove', key: ['grave', address] })
    }
    return changes
  }
}

function read(value: Uint8Array): Grave | undefined {
  try {
    const [born, died] = unpack(value) as [number, number]
    return { born, died }
  } catch {
    return undefined
  }
}
