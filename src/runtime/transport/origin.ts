import type { Clock } from '../../ground/clock.js'
import { pack, unpack } from '../codec.js'
import type { Journal } from '../journal.js'

/** A number that tells this log from every other: in the store before any parcel of it can leave. */
export function originOf(journal: Journal, clock: Clock): number {
  const value = journal.get(['origin'])
  if (value !== undefined) return unpack(value) as number
  const origin = Math.floor(clock.random() * 2 ** 48)
  journal.keepWithNext({ kind: 'put', key: ['origin'], value: pack(origin) })
  return origin
}
