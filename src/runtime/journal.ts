/**
 * What durable actors have accepted and committed, in a store.
 * Owns: the log and its segments, the numbers of its entries, what the log held when it was opened.
 * Does not own: what an entry means to its actor; its ledger does.
 *
 * Records:
 *   ['meta']            the epoch: how often the store was opened, from which envelope ids start
 *   ['actor', address]  an actor's last committed step
 *   ['alarm', address]  when an actor that sleeps wants to be woken
 *   ['asleep', address] whose handler had nothing but to wait, for how long, and what the log held then
 *   ['history', address, n]  a step that an actor's history keeps
 *   ['grave', address] up to which entry a former life of a chart's child had mail
 *   ['durable', name] an address or a kind that a durable actor has, or had
 *   ['schedule', name]  a schedule, and up to which moment it is dealt with
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
import { dealtWith, packVersioned, readVersioned, type ActorRecord } from './actor-record.js'
import { childrenOf, kindOf, nameOf, type Address } from './address.js'
import { Alarms, type Asleep } from './alarms.js'
import { pack } from './codec.js'
import { Graves } from './graves.js'
import { packEntry, readEntry, suspects, type LogEntry, type NewEntry } from './log-entry.js'
import { Segments } from './segments.js'
import { damaged, SealedStore, type SealedEntry } from './store/sealed.js'
import type { Change, Key, Store } from './store/store.js'

/** An actor's mail that is not dealt with, in order, each with the entries of its handler's effects. */
type Open = Map<number, number[]>

export class Journal {
  readonly epoch: number
  readonly #store: SealedStore
  readonly #clock: Clock
  readonly #open = new Map<Address, Open>()
  /** For whom some entry of the log is damaged. */
  readonly #damaged = new Set<Address>()
  /** What of the log could not be read when it was opened. */
  readonly damage: TroupeError[] = []
  /** What a former process left for each actor; an actor takes its own when it starts. */
  readonly #former = new Map<Address, LogEntry[]>()
  readonly #segments = new Segments()
  /** Addresses and kinds of durable actors. */
  readonly #names = new Set<string>()
  /** Those of them that go into the store with whatever is written next. */
  #unwritten: Change[] = []
  /** Those of them that were taken in this process. */
  readonly #claimed = new Set<string>()
  /** The versions of the definitions that run. */
  readonly #versions = new Map<string, number>()
  readonly #alarms: Alarms
  /** Told of what the log keeps for other nodes, in the order of its numbers. */
  onAway: { numbered(address: Address, n: number): void; stored(address: Address, n: number): void; lost(address: Address, n: number): void } | undefined
  readonly #graves: Graves
  #n: number

  private constructor(store: SealedStore, clock: Clock, epoch: number, n: number) {
    this.#store = store
    this.#alarms = new Alarms(store)
    this.#graves = new Graves(store)
    this.#clock = clock
    this.epoch = epoch
    this.#n = n
  }

  /** Reads what the last process left. Throws `StoreCorrupt` for a log that cannot be read, `Incompatible` for a later version. */
  static async open(bare: Store, clock: Clock): Promise<Journal> {
    const store = new SealedStore(bare)
    const value = store.get(['meta'])
    const meta = value === undefined ? { epoch: 0, n: 0 } : readVersioned<{ epoch: number; n: number }>(value, 'the journal')
    const journal = new Journal(store, clock, meta.epoch + 1, meta.n)
    journal.#read()
    for (const { key } of store.range(['durable'], ['durablf'])) journal.#names.add(key[1] as string)
    await store.commit([journal.#meta(), ...journal.#emptySegments()])
    return journal
  }

  #read(): void {
    const records = new Map<Address, Pick<ActorRecord, 'high' | 'open'>>()
    const lost: { readonly n: number; readonly bytes: Uint8Array }[] = []
    for (const { key, value, bytes } of this.#store.range(['log'], ['log', Infinity])) {
      const n = key[1] as number
      this.#n = Math.max(this.#n, n)
      const entry = value === undefined ? undefined : readEntry(n, value)
      if (entry === undefined) {
        // A damaged entry harms nobody but whom it is for: it stays where it is, for whoever mends it.
        this.#segments.count(n, 1)
        lost.push({ n, bytes })
        continue
      }
      let record = records.get(entry.address)
      if (record === undefined) records.set(entry.address, (record = dealtWith(this.#store, entry.address)))
      this.#segments.count(n, 0)
      const done = entry.of === 0 ? n <= this.#graves.upTo(entry.address) || (n <= record.high && !record.open.includes(n)) : this.#open.get(entry.address)?.has(entry.of) !== true
      if (done) continue
      this.#opened(n, entry)
      const mine = this.#former.get(entry.address)
      if (mine === undefined) this.#former.set(entry.address, [entry])
      else mine.push(entry)
    }
    for (const { n, bytes } of lost) {
      const addresses = suspects(bytes)
      const whose = addresses.length === 0 ? '' : `; it is for ${addresses.join(' or ')}`
      this.damage.push(new TroupeError('StoreCorrupt', `entry ${n} of the log is damaged${whose}`, 'restore the store from a copy; others are not concerned', { addresses }))
      for (const address of addresses) if (this.#concerns(address, n)) this.#damaged.add(address)
    }
  }

  /** Whether an actor may not go on without an entry: one of mail that it has dealt with is missed by nobody. */
  #concerns(address: Address, n: number): boolean {
    if ([...(this.#open.get(address)?.keys() ?? [])].some((mail) => mail < n)) return true
    const { high, open } = dealtWith(this.#store, address)
    if (n <= this.#graves.upTo(address)) return false
    return n > high || open.includes(n)
  }

  /** An address or a kind is a durable actor's. */
  claim(name: string): void {
    this.#claimed.add(name)
    if (this.#names.has(name)) return
    this.#names.add(name)
    this.#unwritten.push({ kind: 'put', key: ['durable', name], value: pack(1) })
  }

  /** Whether a durable actor of a former process is to come back to this address, and has less than so much mail. */
  awaits(address: Address, mailMax: number): boolean {
    const kind = kindOf(address)
    if (this.#claimed.has(address) || this.#claimed.has(kind) || !(this.#names.has(address) || this.#names.has(kind))) return false
    const left = this.#former.get(address)
    // From here on its mail is kept for whoever takes the address.
    if (left === undefined) this.#former.set(address, [])
    return (left?.length ?? 0) < mailMax
  }

  /** When sleeping actors want to be woken. */
  get alarms(): ReadonlyMap<Address, number> {
    return this.#alarms.all
  }

  /** Whom the last process left something for. */
  get waiting(): ReadonlyMap<Address, readonly LogEntry[]> {
    return this.#former
  }

  /** An actor's handler waits and does nothing else. */
  sleeps(address: Address, handling: number, until: number, mail: readonly number[]): void {
    this.#alarms.sleeps(address, { handling, until, last: this.#open.get(address)?.get(handling)?.at(-1) ?? handling, mail })
  }

  /** An actor of a former process that has nothing to do until then. What it left stays in the log alone. */
  takeAsleep(address: Address): Asleep | undefined {
    const asleep = this.#alarms.asleep(address)
    const left = this.#former.get(address)
    if (asleep === undefined || left === undefined || asleep.until <= this.#clock.now() || this.#damaged.has(address)) return undefined
    // Mail that was on its way to it when it fell asleep is not among what it knew.
    const isKnown = ({ n, of }: LogEntry): boolean => (of === 0 ? n === asleep.handling || asleep.mail.includes(n) : of === asleep.handling && n <= asleep.last)
    if (!this.isOpen(address, asleep.handling) || !left.every(isKnown)) return undefined
    this.#former.delete(address)
    return asleep
  }

  /** What an actor's former lives left for it, in order. */
  take(address: Address): readonly LogEntry[] {
    const left = this.#former.get(address) ?? []
    this.#former.delete(address)
    // A life of this process has left the rest: only the numbers of that are in memory.
    const known = new Set(left.map(({ n }) => n))
    const numbers = [...(this.#open.get(address) ?? [])].flatMap(([mail, effects]) => [mail, ...effects]).filter((n) => !known.has(n))
    if (numbers.length === 0) return left
    return [...left, ...numbers.flatMap((n) => this.entry(address, n) ?? [])].toSorted((a, b) => a.n - b.n)
  }

  /** Goes into the store with whatever is written next. */
  keepWithNext(change: Change): void {
    this.#unwritten.push(change)
  }

  /** An entry of the log. Nothing when it is still on its way to the store; throws `StoreCorrupt` for one that is damaged. */
  entry(address: Address, n: number): LogEntry | undefined {
    const [found] = this.#store.range(['log', n], ['log', n + 1])
    const entry = found?.value === undefined ? undefined : readEntry(n, found.value)
    if (found !== undefined && entry === undefined) throw damaged(address)
    return entry
  }

  /** An actor's mail before `high` that is not dealt with, this mail aside; mail counts from the moment that it has a number. */
  openBefore(address: Address, high: number, besides: readonly number[]): number[] {
    const open: number[] = []
    for (const n of this.#open.get(address)?.keys() ?? []) {
      if (n >= high) break
      if (!besides.includes(n)) open.push(n)
    }
    return open
  }

  /** An actor's last committed step. Throws `StoreCorrupt` or `Incompatible`, naming it. */
  record(address: Address): ActorRecord | undefined {
    if (this.#damaged.has(address)) throw damaged(address)
    const value = this.#store.get(['actor', address])
    return value === undefined ? undefined : readVersioned<ActorRecord>(value, address)
  }

  /** Keeps entries; gives their numbers, and a promise that resolves when they are kept. */
  append(entries: readonly NewEntry[]): { readonly numbers: readonly number[]; readonly kept: Promise<void> } {
    const { changes, numbers } = this.#number(entries)
    return { numbers, kept: this.#write(changes, numbers, entries) }
  }

  /**
   * Commits a step: the actor's record, the mail it dealt with, and new entries, all or nothing; with them end the lives of
   * the children that are `gone`. The numbers of the new entries hold once the promise resolves.
   */
  async commit(address: Address, record: ActorRecord, dealt: readonly number[], entries: readonly NewEntry[], beside: readonly Change[] = [], gone: readonly Address[] = []): Promise<readonly number[]> {
    const buried = gone.flatMap((child) => this.#family(child))
    const died = this.#n
    const graves = buried.flatMap((child) => this.#bury(child, died))
    const { changes, numbers } = this.#number(entries)
    const alarm = this.#alarms.changes(address, record.alarm)
    await this.#write([{ kind: 'put', key: ['actor', address], value: packVersioned(record) }, ...alarm, ...changes, ...beside, ...graves], numbers, entries)
    this.#alarms.changed(address, record.alarm)
    for (const n of dealt) this.#dealt(address, n)
    for (const child of buried) this.#forgetLife(child, died)
    const empty = this.#emptySegments()
    // Nobody waits for this: what stays for now is dealt with, and goes the next time.
    if (empty.length > 0) this.#store.commit([this.#meta(), ...empty]).catch(() => {})
    return numbers
  }

  /** A child and all below it, as far as the store or the log has something of them. */
  #family(child: Address): Address[] {
    const [from, to] = childrenOf(child)
    const below = Array.from(this.#store.range(['actor', from], ['actor', to]), ({ key }) => key[1] as Address)
    return this.#store.has(['actor', child]) || this.#open.has(child) || this.#graves.has(child) ? [child, ...below] : below
  }

  #bury(child: Address, died: number): Change[] {
    const history = Array.from(this.#store.range(['history', child], ['history', child, Infinity]), ({ key }): Change => ({ kind: 'remove', key }))
    return [{ kind: 'remove', key: ['actor', child] }, ...this.#alarms.changes(child, undefined), ...history, this.#graves.dig(child, dealtWith(this.#store, child).born ?? 0, died)]
  }

  #forgetLife(child: Address, died: number): void {
    this.#alarms.changed(child, undefined)
    this.#damaged.delete(child)
    for (const n of this.#open.get(child)?.keys() ?? []) if (n <= died) this.#dealt(child, n)
    const left = this.#former.get(child)?.filter(({ n }) => n > died)
    if (left !== undefined) this.#former.set(child, left)
  }

  /** The last number given. */
  get latest(): number {
    return this.#n
  }

  /** Up to which entry the mail of an address is of a life that is over. */
  overUpTo(address: Address): number {
    return this.#graves.upTo(address)
  }

  /** Keeps something of the troupe's own, and mail with it, all or nothing. */
  async keepBeside(change: Change, entries: readonly NewEntry[] = []): Promise<readonly number[]> {
    const { changes, numbers } = this.#number(entries)
    await this.#write([change, ...changes], numbers, entries)
    return numbers
  }

  /** Commits an actor that has not run yet: what it finds when it first starts. */
  async begin(address: Address, record: ActorRecord, entries: readonly NewEntry[], beside: readonly Change[]): Promise<void> {
    this.#former.set(address, [])
    await this.commit(address, record, [], entries, beside)
  }

  /** The definition that runs an address has this version: so has what comes for it from now on. */
  runs(address: Address, version: number): void {
    if (version !== 0) this.#versions.set(nameOf(address), version)
  }

  /** Whether this mail of an actor is not dealt with. */
  isOpen(address: Address, n: number): boolean {
    return this.#open.get(address)?.has(n) === true
  }

  /** Whether there is mail for an address. */
  waits(address: Address): boolean {
    return this.#open.has(address)
  }

  get now(): number {
    return this.#clock.now()
  }

  get(key: Key): Uint8Array | undefined {
    return this.#store.get(key)
  }

  /** What is kept beside the actors and the log. */
  range(from: Key, to: Key): Iterable<SealedEntry> {
    return this.#store.range(from, to)
  }

  async close(): Promise<void> {
    // What a full disk does not take here was never used.
    if (this.#unwritten.length > 0) await this.#store.commit(this.#unwritten).catch(() => {})
    await this.#store.close()
  }

  /** The last number is kept apart from the log, which may come to be empty. */
  #meta(): Change {
    return { kind: 'put', key: ['meta'], value: packVersioned({ epoch: this.epoch, n: this.#n }) }
  }

  #write(changes: readonly Change[], numbers: readonly number[], entries: readonly NewEntry[]): Promise<void> {
    const { onAway } = this
    const names = this.#unwritten
    if (names.length > 0) this.#unwritten = []
    const written = this.#store.commit(names.length > 0 ? [...names, ...changes] : changes)
    // Before whoever waits for it hears of it.
    written.then(onAway && (() => entries.forEach(({ address }, i) => onAway.stored(address, numbers[i] as number))), () => {
      this.#unwritten.push(...names)
      for (const [i, entry] of entries.entries()) {
        this.#forget(numbers[i] as number, entry)
        onAway?.lost(entry.address, numbers[i] as number)
      }
    })
    return written
  }

  #number(entries: readonly NewEntry[]): { changes: Change[]; numbers: number[] } {
    const numbers: number[] = []
    const changes: Change[] = []
    const now = this.#clock.now()
    for (const entry of entries) {
      const { address, of, body } = entry
      const n = ++this.#n
      this.onAway?.numbered(address, n)
      this.#opened(n, entry)
      const by = this.#versions.size === 0 ? 0 : (this.#versions.get(nameOf(address)) ?? 0)
      // An actor that sleeps since the restart finds it with what its former life left.
      if (this.#former.size > 0) this.#former.get(address)?.push({ n, address, of, body, now, by })
      numbers.push(n)
      changes.push({ kind: 'put', key: ['log', n], value: packEntry({ address, of, body, now, by }) })
    }
    return { changes, numbers }
  }

  #opened(n: number, { address, of }: NewEntry): void {
    let open = this.#open.get(address)
    if (of === 0) {
      if (open === undefined) this.#open.set(address, (open = new Map()))
      open.set(n, [])
    }
    const effects = of === 0 ? undefined : open?.get(of)
    effects?.push(n)
    // An effect of mail that is dealt with already is nobody's.
    this.#segments.count(n, of === 0 || effects !== undefined ? 1 : 0)
  }

  /** What could not be written never was. */
  #forget(n: number, { address, of }: NewEntry): void {
    const former = this.#former.get(address)
    if (former !== undefined) this.#former.set(address, former.filter((entry) => entry.n !== n))
    if (of === 0) return this.#dealt(address, n)
    const effects = this.#open.get(address)?.get(of)
    const at = effects?.indexOf(n) ?? -1
    if (at < 0) return
    effects?.splice(at, 1)
    this.#segments.count(n, -1)
  }

  #dealt(address: Address, n: number): void {
    const open = this.#open.get(address)
    const effects = open?.get(n)
    if (open === undefined || effects === undefined) return
    open.delete(n)
    if (open.size === 0) this.#open.delete(address)
    for (const each of [n, ...effects]) this.#segments.count(each, -1)
  }

  /** J3: removes the segments behind the present one in which nothing is left to do. */
  #emptySegments(): Change[] {
    const changes = this.#segments.sweep(this.#n + 1)
    if (changes.length > 0) changes.push(...this.#graves.sweep(this.#segments.all))
    return changes
  }
}
