/** One entry of the journal's log, as it is written. */
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'

const VERSION = 1

/** One thing for one actor: mail, or what came of an effect of the handler of one mail. */
export interface LogEntry {
  readonly n: number
  readonly address: Address
  /** 0 for mail; for an effect the number of the mail whose handler it belongs to, with which it is done. */
  readonly of: number
  readonly body: Uint8Array
  /** Clock time. */
  readonly now: number
  /** The version of its actor's definition when it came. */
  readonly by: number
}

/** A new entry, before it has its number. */
export type NewEntry = Omit<LogEntry, 'n' | 'now' | 'by'>

/** The address stands there twice: an entry that is damaged still tells whose it is. */
export const packEntry = ({ address, of, body, now, by }: Omit<LogEntry, 'n'>): Uint8Array => pack([VERSION, address, of, body, now, by, address])

export function readEntry(n: number, value: Uint8Array): LogEntry | undefined {
  try {
    const [version, address, of, body, now, by = 0] = unpack(value) as [number, Address, number, Uint8Array, number, number?]
    return version === VERSION ? { n, address, of, body, now, by } : undefined
  } catch {
    return undefined
  }
}

/** Whom of those that are known a damaged entry may be for, and whether it may be mail, as far as it still tells. */
export function suspects(bytes: Uint8Array, known: () => Iterable<Address>): { readonly addresses: readonly Address[]; readonly isMail: boolean } {
  try {
    const [, address, of, , , , again] = unpack(bytes) as unknown[]
    const addresses = [...new Set([address, again].filter((one) => typeof one === 'string'))]
    if (addresses.length > 0) return { addresses, isMail: of === 0 }
  } catch {
    // Its parts can no longer be told apart; its beginning or its end still has the address.
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const isFor = (name: Buffer): boolean => text.subarray(-name.length).equals(name) || [3, 4, 5].some((at) => text.subarray(at, at + name.length).equals(name))
  return { addresses: [...new Set(known())].filter((address) => isFor(Buffer.from(address))), isMail: true }
}
