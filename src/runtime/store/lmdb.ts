/** The door to LMDB: durable state in one folder, for one process at a time. */
import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import type { RootDatabase, Transaction } from 'lmdb'
import { realClock } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import { holdLock, type Lock } from './lock.js'
import { checkMark } from './mark.js'
import type { Change, Entry, Key, OpenStore, Store } from './store.js'

export interface LmdbOptions {
  /** Encrypts the files (ChaCha8, by LMDB): at least 16 bytes or characters. A store opens only with the key it was made with. */
  readonly key?: string | Uint8Array
  /** Waits for the disk on each commit. Default true; false survives a killed process, not a power cut. */
  readonly sync?: boolean
}

/**
 * Opens, or makes, a store in a folder. Throws `Unauthorized` for a wrong key, `Overloaded` when another process has it
 * open, `Incompatible` for a folder written by a later version, `MissingDependency` without the package `lmdb`.
 */
export function lmdb(folder: string, options: LmdbOptions = {}): OpenStore {
  return async () => {
    const { open } = await load()
    await mkdir(folder, { recursive: true })
    const path = await realpath(folder)
    const lock = await holdLock(path)
    try {
      const key = options.key === undefined ? undefined : keyOf(options.key)
      await checkMark(path, key)
      const database = open<Uint8Array, (string | number)[]>({
        path,
        encoding: 'binary',
        keyEncoding: 'ordered-binary',
        // A commit resolves once it is on disk, not once another one is.
        overlappingSync: false,
        // A batch is a transaction. LMDB's own batching by turns leaves a rejection that nobody can catch when the disk is full.
        eventTurnBatching: false,
        noSync: options.sync === false,
        ...(key !== undefined && { encryptionKey: key }),
      })
      return new LmdbStore(database, path, lock)
    } catch (error) {
      await lock.release()
      throw error
    }
  }
}

/**
 * Opens a store to look into it, also while a troupe has it open: whatever is read is of one moment, and nothing is
 * written. Throws `Unauthorized` for a wrong key, `InvalidDefinition` for a folder without a store.
 */
export function lmdbReadOnly(folder: string, { key: given }: Pick<LmdbOptions, 'key'> = {}): OpenStore {
  return async () => {
    const { open } = await load()
    const key = given === undefined ? undefined : keyOf(given)
    await checkMark(folder, key, 'refuse')
    const database = open<Uint8Array, (string | number)[]>({ path: folder, readOnly: true, encoding: 'binary', keyEncoding: 'ordered-binary', ...(key !== undefined && { encryptionKey: key }) })
    return new LmdbView(database)
  }
}

async function load(): Promise<typeof import('lmdb')> {
  try {
    return await import('lmdb')
  } catch (error) {
    throw new TroupeError('MissingDependency', 'the package lmdb is not installed', 'npm install lmdb', {}, error)
  }
}

/** LMDB takes 32 characters (a Buffer ends the process, 3.5.6), so what is given is hashed to that: 192 bits of it. */
function keyOf(key: string | Uint8Array): string {
  const bytes = Buffer.from(key)
  if (bytes.length >= 16) return createHash('sha256').update(bytes).digest('base64').slice(0, 32)
  throw new TroupeError('InvalidDefinition', `the store's key has ${bytes.length} bytes`, 'give 16 or more, from a random source')
}

const noop = (): void => {}
/** A Buffer as the plain bytes that the promise speaks of. */
const plain = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array => new Uint8Array(buffer, byteOffset, length)

/** Batches on their way at once: LMDB begins the second while the first is on its way to the disk. */
const WRITES = 2

interface Commit {
  readonly changes: readonly Change[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class LmdbStore implements Store {
  readonly #database: RootDatabase<Uint8Array, (string | number)[]>
  readonly #path: string
  readonly #lock: Lock
  readonly #waiting: Commit[] = []
  #writing = 0

  constructor(database: RootDatabase<Uint8Array, (string | number)[]>, path: string, lock: Lock) {
    this.#database = database
    this.#path = path
    this.#lock = lock
  }

  /** Commits that come while others are being written wait, and are written together. */
  commit(changes: readonly Change[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject })
      if (this.#writing < WRITES) void this.#write()
    })
  }

  async #write(): Promise<void> {
    this.#writing++
    while (this.#waiting.length > 0) {
      // Whoever a commit has just let go on commits again within this turn: 64 writers then share one sync, and not four.
      await new Promise<void>((resolve) => realClock.nextTurn(resolve))
      // The other may have taken them.
      if (this.#waiting.length === 0) break
      const group = this.#waiting.splice(0)
      try {
        await this.#batch(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#writing--
  }

  async #batch(group: readonly Commit[]): Promise<void> {
    const database = this.#database
    try {
      await database.batch(() => {
        let last: Promise<boolean> | undefined
        for (const { changes } of group) {
          for (const change of changes) {
            const key = change.key as (string | number)[]
            const written = change.kind === 'put' ? database.put(key, change.value) : database.remove(key)
            // A write that has a promise of its own rejects along with the batch's; most share one.
            if (written !== last) (last = written).catch(noop)
          }
        }
      })
    } catch (error) {
      const cause = await (error as { commitError?: Promise<unknown> }).commitError?.catch((why: unknown) => why)
      throw new TroupeError('Overloaded', `${this.#path} could not be written`, 'make room on the disk; nothing of this step was kept, and it can be tried again', { store: true, retryAfterMs: 1_000 }, cause ?? error)
    }
  }

  get(key: Key): Uint8Array | undefined {
    const found = this.#database.getBinary(key as (string | number)[])
    return found === undefined ? undefined : plain(found)
  }

  *range(from: Key, to: Key): Iterable<Entry> {
    for (const { key, value } of this.#database.getRange({ start: from as (string | number)[], end: to as (string | number)[] })) yield { key: Array.isArray(key) ? key : [key], value: plain(value) }
  }

  async close(): Promise<void> {
    // What was called before is written before.
    while (this.#writing > 0) await new Promise<void>((resolve) => realClock.nextTurn(resolve))
    await this.#database.close()
    await this.#lock.release()
  }
}

class LmdbView implements Store {
  readonly #database: RootDatabase<Uint8Array, (string | number)[]>
  readonly #transaction: Transaction

  constructor(database: RootDatabase<Uint8Array, (string | number)[]>) {
    this.#database = database
    this.#transaction = database.useReadTransaction()
  }

  commit(): Promise<void> {
    return Promise.reject(new TroupeError('InvalidDefinition', 'the store is open for reading', 'open it with lmdb(…) to write'))
  }

  get(key: Key): Uint8Array | undefined {
    const found = this.#database.get(key as (string | number)[], { transaction: this.#transaction })
    return found === undefined ? undefined : plain(found)
  }

  *range(from: Key, to: Key): Iterable<Entry> {
    const transaction = this.#transaction
    for (const { key, value } of this.#database.getRange({ start: from as (string | number)[], end: to as (string | number)[], transaction })) yield { key: Array.isArray(key) ? key : [key], value: plain(value) }
  }

  async close(): Promise<void> {
    this.#transaction.done()
    await this.#database.close()
  }
}
