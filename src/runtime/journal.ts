/**
 * What durable actors have accepted and committed, in a store.
 * Owns: the log and its segments, the numbers of its entries, what the log held when it was opened.
 * Does not own: what an entry means to its actor; its ledger does.
 *
 * Records:
 *   ['meta']            the epoch: how often the store was opened, from which envelope ids start
 *   ['actor', address]  an actor's last committed step
 *   ['log', n]          an entry: mail, or a result of an effect, for one actor
 *
 * Invariants:
 * J1. An entry is in the log before anybody is told of it.
 * J2. A step's changes are one batch: its actor's record, which also says which entries it has dealt with, and the mail
 *     that it sent to other durable actors.
 * J3. Entries leave the log by whole segments, once every entry of the segment is dealt with: LMDB does not bear
 *     deleting them one by one, like a queue's.
 */
import type { Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, unpack } from './codec.js'
import { LOG_SEGMENT } from './limits.js'
import type { Change, Store } from './store/store.js'

const VERSION = 1

/** One thing for one actor. */
export interface LogEntry {
  readonly n: number
  readonly address: Address
  readonly kind: 'mail' | 'effect'
  readonly body: Uint8Array
  /** Clock time. */
  readonly now: number
}

/** A new entry, before it has its number. */
export type NewEntry = Omit<LogEntry, 'n' | 'now'>

/** An actor's last committed step. */
export interface ActorRecord {
  /** Packed; what it is, is the behaviour's. */
  readonly state: Uint8Array | undefined
  /** Every entry up to this number is dealt with, and so are these beyond it. */
  readonly low: number
  readonly done: readonly number[]
}

export class Journal {
  readonly epoch: number
  readonly #store: Store
  readonly #clock: Clock
  /** Entries that are not dealt with, by actor, in the order of the log; an actor takes its own when it starts. */
  readonly #left: Map<Address, LogEntry[]>
  /** How many entries of each segment are not dealt with. */
  readonly #segments: Map<number, number>
  #n: number

  private constructor(store: Store, clock: Clock, epoch: number, left: Map<Address, LogEntry[]>, segments: Map<number, number>, n: number) {
    this.#store = store
    this.#clock = clock
    this.epoch = epoch
    this.#left = left
    this.#segments = segments
    this.#n = n
  }

  /** Reads what the last process left. Throws `StoreCorrupt` for a log that cannot be read, `Incompatible` for a later version. */
  static async open(store: Store, clock: Clock): Promise<Journal> {
    const meta = store.get(['meta'])
    const epoch = 1 + (meta === undefined ? 0 : read<{ epoch: number }>(meta, 'the journal').epoch)
    const left = new Map<Address, LogEntry[]>()
    const segments = new Map<number, number>()
    const records = new Map<Address, Pick<ActorRecord, 'low' | 'done'>>()
    let last = 0
    for (const { key, value } of store.range(['log'], ['log', Infinity])) {
      const n = key[1] as number
      last = n
      const segment = Math.floor(n / LOG_SEGMENT)
      const entry = readEntry(n, value)
      let record = entry === undefined ? undefined : records.get(entry.address)
      if (entry !== undefined && record === undefined) records.set(entry.address, (record = dealtWith(store, entry.address)))
      // A damaged entry is left where it is, for whoever mends it.
      const done = record !== undefined && (n <= record.low || record.done.includes(n))
      segments.set(segment, (segments.get(segment) ?? 0) + (done ? 0 : 1))
      if (done || entry === undefined) continue
      const mine = left.get(entry.address)
      if (mine === undefined) left.set(entry.address, [entry])
      else mine.push(entry)
    }
    const journal = new Journal(store, clock, epoch, left, segments, last)
    await store.commit([{ kind: 'put', key: ['meta'], value: pack({ version: VERSION, epoch }) }, ...journal.#emptySegments()])
    return journal
  }

  /** Whom the log holds something for. */
  get waiting(): ReadonlyMap<Address, readonly LogEntry[]> {
    return this.#left
  }

  /** What an actor's former life left for it; given once. */
  take(address: Address): readonly LogEntry[] {
    const left = this.#left.get(address) ?? []
    this.#left.delete(address)
    return left
  }

  /** An actor's last committed step. Throws `StoreCorrupt` or `Incompatible`, naming it. */
  record(address: Address): ActorRecord | undefined {
    const value = this.#store.get(['actor', address])
    return value === undefined ? undefined : read<ActorRecord>(value, address)
  }

  /** Keeps entries; gives their numbers, and a promise that resolves when they are kept. */
  append(entries: readonly NewEntry[]): { readonly numbers: readonly number[]; readonly kept: Promise<void> } {
    const { changes, numbers } = this.#number(entries)
    return { numbers, kept: this.#write(changes, numbers) }
  }

  /**
   * Commits a step: the actor's record, the entries it dealt with, and new entries, all or nothing.
   * The numbers of the new entries hold once the promise resolves.
   */
  async commit(address: Address, record: ActorRecord, dealt: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    const { changes, numbers } = this.#number(entries)
    await this.#write([{ kind: 'put', key: ['actor', address], value: pack({ version: VERSION, ...record }) }, ...changes], numbers)
    for (const n of dealt) this.#dealt(n)
    const empty = this.#emptySegments()
    // Nobody waits for this: what stays for now is dealt with, and goes the next time.
    if (empty.length > 0) this.#store.commit(empty).catch(() => {})
    return numbers
  }

  async close(): Promise<void> {
    await this.#store.close()
  }

  async #write(changes: readonly Change[], numbers: readonly number[]): Promise<void> {
    try {
      await this.#store.commit(changes)
    } catch (error) {
      for (const n of numbers) this.#dealt(n)
      throw error
    }
  }

  #number(entries: readonly NewEntry[]): { changes: Change[]; numbers: number[] } {
    const numbers: number[] = []
    const changes = entries.map(({ address, kind, body }): Change => {
      const n = ++this.#n
      numbers.push(n)
      const segment = Math.floor(n / LOG_SEGMENT)
      this.#segments.set(segment, (this.#segments.get(segment) ?? 0) + 1)
      return { kind: 'put', key: ['log', n], value: pack([VERSION, kind, address, body, this.#clock.now()]) }
    })
    return { changes, numbers }
  }

  #dealt(n: number): void {
    const segment = Math.floor(n / LOG_SEGMENT)
    this.#segments.set(segment, (this.#segments.get(segment) ?? 1) - 1)
  }

  /** J3: removes the segments behind the present one in which nothing is left to do. */
  #emptySegments(): Change[] {
    const present = Math.floor((this.#n + 1) / LOG_SEGMENT)
    const changes: Change[] = []
    for (const [segment, live] of this.#segments) {
      if (segment >= present || live > 0) continue
      this.#segments.delete(segment)
      for (const { key } of this.#store.range(['log', segment * LOG_SEGMENT], ['log', (segment + 1) * LOG_SEGMENT])) changes.push({ kind: 'remove', key })
    }
    return changes
  }
}

function dealtWith(store: Store, address: Address): Pick<ActorRecord, 'low' | 'done'> {
  const value = store.get(['actor', address])
  if (value === undefined) return { low: 0, done: [] }
  try {
    return read<ActorRecord>(value, address)
  } catch {
    // The actor is told when it starts; its mail stays for the day when its record is mended.
    return { low: 0, done: [] }
  }
}

/** A damaged entry harms nobody else: it is left where it is. */
function readEntry(n: number, value: Uint8Array): LogEntry | undefined {
  try {
    const [version, kind, address, body, now] = unpack(value) as [number, LogEntry['kind'], Address, Uint8Array, number]
    return version === VERSION ? { n, kind, address, body, now } : undefined
  } catch {
    return undefined
  }
}

function read<T>(value: Uint8Array, whose: string): T {
  let found: { version: number } & T
  try {
    found = unpack(value) as { version: number } & T
  } catch (error) {
    throw new TroupeError('StoreCorrupt', `the record of ${whose} is damaged`, 'restore the store from a copy; the other actors are not concerned', { address: whose }, error)
  }
  if (found.version === VERSION) return found
  throw new TroupeError('Incompatible', `the record of ${whose} has version ${found.version}, this is ${VERSION}`, 'open the store with the version of Troupe that wrote it, or a later one', { address: whose })
}
