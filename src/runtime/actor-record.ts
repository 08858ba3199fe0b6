/** What the journal keeps of one actor: its last committed step. */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import { damaged, type SealedStore } from './store/sealed.js'

const VERSION = 1

/** An actor's last committed step. */
export interface ActorRecord {
  /** Packed; what it is, is the behaviour's. */
  readonly state: Uint8Array | undefined
  /** All mail up to this number is dealt with, but for what is still open. */
  readonly high: number
  readonly open: readonly number[]
  /** When the actor wants to be woken, if it does: clock time. */
  readonly alarm: number | undefined
  /** The version of the definition that wrote it, when it has one. */
  readonly by?: number
  /** The last entry before its life, for a chart's child. */
  readonly born?: number
  /** How many steps its history has had, and how many of them it keeps. */
  readonly history?: { readonly steps: number; readonly keep: number }
}

/** With the version of the journal. */
export const packVersioned = (kept: object): Uint8Array => pack({ version: VERSION, ...kept })

/** What of an actor's mail is dealt with. */
export function dealtWith(store: SealedStore, address: Address): Pick<ActorRecord, 'high' | 'open' | 'born'> {
  try {
    const value = store.get(['actor', address])
    return value === undefined ? { high: 0, open: [] } : readVersioned<ActorRecord>(value, address)
  } catch {
    // The actor is told when it starts; its mail stays for the day when its record is mended.
    return { high: 0, open: [] }
  }
}

/** Reads what carries the version of the journal. Throws `StoreCorrupt` or `Incompatible`. */
export function readVersioned<T>(value: Uint8Array, whose: string): T {
  let found: { version: number } & T
  try {
    found = unpack(value) as { version: number } & T
  } catch (error) {
    throw damaged(whose, error)
  }
  if (typeof found !== 'object' || found === null || found.version === undefined) throw damaged(whose)
  if (found.version === VERSION) return found
  throw new TroupeError('Incompatible', `the record of ${whose} has version ${found.version}, this is ${VERSION}`, 'open the store with the version of Troupe that wrote it, or a later one', { address: whose })
}
