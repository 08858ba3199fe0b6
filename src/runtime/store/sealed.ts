/** A store whose every record has a checksum, so that one that is damaged is known to be, and is not taken for another. */
import { crc32 } from 'node:zlib'
import { TroupeError } from '../../ground/errors.js'
import type { Key, Store } from './store.js'

/** A byte that no MessagePack begins with: records of before there were checksums are read as they are. */
const MARK = 0xc1
const HEAD = 5

export interface SealedEntry {
  readonly key: Key
  /** Nothing when the record is damaged. */
  readonly value: Uint8Array | undefined
  /** The bytes without their checksum, right or wrong. */
  readonly bytes: Uint8Array
}

export class SealedStore {
  readonly commit: Store['commit']
  readonly close: Store['close']
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.commit = (changes) => store.commit(changes.map((change) => (change.kind === 'put' ? { kind: 'put', key: change.key, value: seal(change.value) } : change)))
    this.close = () => store.close()
  }

  /** Throws `StoreCorrupt` for a damaged record, naming whose it is. */
  get(key: Key): Uint8Array | undefined {
    const sealed = this.#store.get(key)
    if (sealed === undefined) return undefined
    const { value } = unseal(sealed)
    if (value === undefined) throw damaged(String(key[1] ?? 'the journal'))
    return value
  }

  has(key: Key): boolean {
    return this.#store.get(key) !== undefined
  }

  *range(from: Key, to: Key): Iterable<SealedEntry> {
    for (const { key, value } of this.#store.range(from, to)) yield { key, ...unseal(value) }
  }
}

const SLAB_BYTES = 16 * 2 ** 10
let slab = new ArrayBuffer(SLAB_BYTES)
let used = 0

/** Memory of its own for each small record would cost more than all else here. */
function room(bytes: number): Uint8Array {
  if (bytes > SLAB_BYTES / 4) return new Uint8Array(bytes)
  if (used + bytes > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES)
    used = 0
  }
  used += bytes
  return new Uint8Array(slab, used - bytes, bytes)
}

function seal(value: Uint8Array): Uint8Array {
  const sealed = room(HEAD + value.length)
  const sum = crc32(value)
  sealed[0] = MARK
  sealed[1] = sum >>> 24
  sealed[2] = sum >>> 16
  sealed[3] = sum >>> 8
  sealed[4] = sum
  sealed.set(value, HEAD)
  return sealed
}

export function unseal(sealed: Uint8Array): Omit<SealedEntry, 'key'> {
  const bytes = sealed.subarray(HEAD)
  const isWhole = sealed.length > HEAD && new DataView(sealed.buffer, sealed.byteOffset).getUint32(1) === crc32(bytes)
  if (isWhole) return { value: bytes, bytes }
  return sealed[0] === MARK ? { value: undefined, bytes } : { value: sealed, bytes: sealed }
}

export const damaged = (whose: string, cause?: unknown): TroupeError =>
  new TroupeError('StoreCorrupt', `what the store has of ${whose} is damaged`, 'restore the store from a copy; others are not concerned', { address: whose }, cause)
