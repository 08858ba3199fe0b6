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

/** Whom a damaged entry may be for, as far as it still tells. */
export function suspects(bytes: Uint8Array): readonly Address[] {
  let names: readonly unknown[]
  try {
    const [, first, , , , , again] = unpack(bytes) as unknown[]
    names = [first, again]
  } catch {
    // Its parts can no longer be told apart, but where its address begins at its head, or ends at its tail, it can be read.
    names = [textAt(bytes, 2)?.text, tailOf(bytes)]
  }
  return [...new Set(names.filter((one) => typeof one === 'string'))]
}

/** A text of MessagePack, by its first byte. */
function textAt(bytes: Uint8Array, at: number): { readonly text: string; readonly end: number } | undefined {
  const [head = 0, high = 0, low = 0] = bytes.subarray(at, at + 3)
  const [start, length] = head >> 5 === 5 ? [at + 1, head & 31] : head === 0xd9 ? [at + 2, high] : head === 0xda ? [at + 3, high * 256 + low] : [0, 0]
  const end = start + length
  return length === 0 || end > bytes.length ? undefined : { text: Buffer.from(bytes.subarray(start, end)).toString(), end }
}

function tailOf(bytes: Uint8Array): string | undefined {
  for (let at = bytes.length - 2; at >= 0; at--) {
    const found = textAt(bytes, at)
    if (found?.end === bytes.length) return found.text
  }
  return undefined
}
