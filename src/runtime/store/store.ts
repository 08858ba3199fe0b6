/**
 * The promise of a store: an ordered map of bytes that changes in whole batches.
 *
 * - `commit` applies all of its changes or none, and resolves when they survive `kill -9` (and, with sync on, a power cut).
 * - Batches take effect in the order of their calls. Batches that are called at once may share one sync.
 * - A batch that could not be written rejects (`Overloaded` when there is no room), changes nothing, and leaves the
 *   store usable.
 * - Reads see every batch that has resolved.
 */

import { TroupeError } from '../../ground/errors.js'

/** Parts compare one by one: numbers by value, text by its UTF-8 bytes, numbers before text; a prefix comes first. */
export type Key = readonly (string | number)[]

export type Change = { readonly kind: 'put'; readonly key: Key; readonly value: Uint8Array } | { readonly kind: 'remove'; readonly key: Key }

export interface Entry {
  readonly key: Key
  readonly value: Uint8Array
}

export interface Store {
  commit(changes: readonly Change[]): Promise<void>
  get(key: Key): Uint8Array | undefined
  /** The entries from `from` on and before `to`, in order; both need not exist. */
  range(from: Key, to: Key): Iterable<Entry>
  close(): Promise<void>
}

/** Whether an error says that a store could not be written: a passing thing, once there is room. */
export const isStoreFailure = (error: unknown): error is TroupeError => error instanceof TroupeError && error.code === 'Overloaded' && error.details['store'] === true

/** Opens a store; what `createTroupe({ store })` takes. */
export type OpenStore = () => Promise<Store>
