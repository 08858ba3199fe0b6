/**
 * What the log of this node keeps for another one until that has it: mail of durable senders, and answers to durable askers.
 * Owns: which parcels are on their way, in the order of the log, and which asks are with volatile actors there.
 * Does not own: how much the other node is behind with; it says so.
 *
 * Invariants:
 * O1. Parcels are said in the order of the log, each once it is in the store, and again after each break, until the other
 *     node has them. So one number tells it which it has had.
 * O2. The outcome of an ask that only its volatile actor knew is in the log here before anybody is told of it, with the
 *     fact that its parcel is dealt with.
 */
import { asTroupeError } from '../../ground/errors.js'
import type { ActorRecord } from '../actor-record.js'
import type { Address } from '../address.js'
import { unpackEnvelope } from '../codec.js'
import type { Journal } from '../journal.js'
import { replyEntry } from '../ledger.js'
import { LINK_MAIL_BYTES_MAX, OWED_MAX, OWED_WINDOW } from '../limits.js'
import type { NewEntry } from '../log-entry.js'
import type { Parts } from '../parts.js'
import type { Outcome } from '../replay.js'
import { unpackParcel, type Word } from './word.js'
import { Writes } from './writes.js'

/** A parcel on its way. */
interface Said {
  readonly bytes: number
  /** The ask that it brings, or 0; who asked, by which of its mail. */
  readonly ask: number
  readonly from: Address
  readonly of: number
}

interface Held extends Pick<Said, 'from' | 'of'> {
  readonly n: number
}

/** What is to be written with the next commit. */
interface Dealt {
  readonly numbers: readonly number[]
  readonly entries: readonly NewEntry[]
  /** Told the numbers of the entries. */
  readonly written: (numbers: readonly number[]) => void
}

type World = Pick<Parts, 'clock' | 'log' | 'replies' | 'router'>

export class Owed {
  readonly #address: Address
  readonly #journal: Journal
  readonly #parts: World
  readonly #say: (word: Word) => void
  readonly #origin: number
  readonly #writes: Writes
  /** Parcels that were not said since the last break, in order, each with whether it is in the store. */
  #queue: Map<number, boolean>
  /** Parcels on their way, in order. */
  readonly #said = new Map<number, Said>()
  #saidBytes = 0
  /** How much of what the other node has waits there for room. */
  #behind = 0
  /** Up to this one a former life there, or of this node, may have had them. */
  #doubtful: number
  /** By the ask. */
  readonly #held = new Map<number, Held>()
  /** Asks that were called off, and of whom: the word of it may come there before the parcel. */
  readonly #off = new Map<number, Address>()
  #hasSaidLog = false
  #high: number
  #dealt: Dealt[] = []
  #isWriting = false

  constructor(address: Address, journal: Journal, origin: number, parts: World, say: (word: Word) => void) {
    this.#origin = origin
    this.#address = address
    this.#journal = journal
    this.#parts = parts
    this.#say = say
    this.#writes = new Writes(parts.clock, (error) => parts.log(address, ['could not write that parcels have arrived, and tries again:', error]))
    this.#high = this.#kept()?.high ?? 0
    this.#queue = new Map(journal.take(address).map(({ n }) => [n, true]))
    this.#doubtful = [...this.#queue.keys()].at(-1) ?? 0
  }

  /** Without its record everything that the log still has is said again: the other node knows by its number what it has had. */
  #kept(): ActorRecord | undefined {
    try {
      return this.#journal.record(this.#address)
    } catch (error) {
      this.#parts.log(this.#address, ['what it has had is not known, and is asked anew:', error])
      return undefined
    }
  }

  /** Whether the other node is still to say that it has a parcel, or what came of an ask that a volatile actor there has. */
  get waits(): boolean {
    return this.#said.size + this.#held.size > 0
  }

  /** Whether so much waits that who sends more is to wait too. */
  get full(): boolean {
    return this.#queue.size + this.#said.size + this.#behind >= OWED_MAX
  }

  /** A parcel has its number, and goes to the store. */
  numbered(n: number): void {
    this.#queue.set(n, false)
  }

  stored(n: number): void {
    this.#queue.set(n, true)
    this.sayMore()
  }

  /** The store could not take it. */
  lost(n: number): void {
    this.#queue.delete(n)
    this.sayMore()
  }

  /** O1 */
  sayMore(): void {
    for (const [n, isStored] of this.#queue) {
      if (!isStored || this.#said.size >= OWED_WINDOW || this.#saidBytes >= LINK_MAIL_BYTES_MAX) return
      this.#queue.delete(n)
      this.#sayOne(n)
    }
  }

  #sayOne(n: number): void {
    try {
      const bytes = this.#journal.entry(this.#address, n)?.body
      if (bytes === undefined) return
      if (!this.#hasSaidLog) this.#say({ t: 'log', log: this.#origin })
      this.#hasSaidLog = true
      const parcel = unpackParcel(bytes)
      const { from, sequence, correlation, deadline } = parcel.t === 'mail' ? unpackEnvelope(parcel.envelope).header : NO_MAIL
      const leftMs = deadline === 0 ? 0 : Math.max(1, deadline - this.#parts.clock.now())
      this.#say({ t: 'parcel', n, again: n <= this.#doubtful, leftMs, parcel: bytes })
      this.#said.set(n, { bytes: bytes.length, ask: correlation, from, of: sequence })
      this.#saidBytes += bytes.length
    } catch (error) {
      // It stays in the log, for whoever mends it; what comes after it goes on.
      this.#parts.log(this.#address, [`parcel ${n} cannot be read:`, error])
    }
  }

  /** It is not on its way any more. */
  #arrived(n: number, { bytes }: Said): void {
    this.#said.delete(n)
    this.#saidBytes -= bytes
  }

  /** The link broke: everything is said again. */
  sayAgain(): void {
    const under = [...this.#said.keys(), ...[...this.#held.values()].map(({ n }) => n)].toSorted((a, b) => a - b)
    this.#doubtful = Math.max(this.#doubtful, under.at(-1) ?? 0)
    this.#held.clear()
    this.#said.clear()
    this.#saidBytes = this.#behind = 0
    this.#hasSaidLog = false
    this.#queue = new Map([...under.map((n): [number, boolean] => [n, true]), ...this.#queue])
    this.sayMore()
  }

  // ── its word ──────────────────────────────────────────────────────────────────────────────────

  /** The other node has everything up to this one, but for the asks that it holds; so much of it waits there for room. */
  have(n: number, behind: number): void {
    this.#behind = behind
    const had: number[] = []
    for (const [each, said] of this.#said) {
      if (each > n) break
      this.#arrived(each, said)
      had.push(each)
      const to = this.#off.get(said.ask)
      if (to !== undefined) this.#sayOff(said.ask, to)
    }
    if (had.length > 0) this.#deal(had, [], noop)
    this.sayMore()
  }

  /** A volatile actor has this ask. */
  holds(n: number, ask: number): void {
    const said = this.#said.get(n)
    // One that was called off is dealt with like any parcel.
    if (said === undefined || said.ask !== ask || this.#off.has(ask)) return
    this.#arrived(n, said)
    this.#held.set(ask, { n, from: said.from, of: said.of })
  }

  /** Nobody wants the outcome of this ask: its actor is told, now and once it is known to have it. */
  off(ask: number, to: Address): void {
    if (this.#off.size >= OWED_MAX) for (const [oldest] of this.#off) if (this.#off.delete(oldest)) break
    this.#off.set(ask, to)
    this.#say({ t: 'off', id: ask, to })
  }

  #sayOff(ask: number, to: Address): void {
    this.#off.delete(ask)
    this.#say({ t: 'off', id: ask, to })
  }

  /** An ask is settled here: nobody waits for what holds it there. */
  settled(ask: number): void {
    const held = this.#held.get(ask)
    if (held !== undefined && this.#held.delete(ask)) this.#deal([held.n], [], noop)
  }

  /** O2. False for an ask that is not held. */
  answered(ask: number, outcome: Outcome): boolean {
    const held = this.#held.get(ask)
    if (held === undefined) return false
    this.#held.delete(ask)
    const { clock, router, replies } = this.#parts
    const { n, from, of } = held
    const now = clock.now()
    this.#deal([n], [replyEntry(undefined, from, of, ask, outcome, now)], ([at]) => {
      router.awake(from)?.ledger?.replied(of, ask, outcome, now, at as number)
      if (outcome.ok) replies.reply(ask, outcome.value)
      else replies.fail(ask, asTroupeError(outcome.error))
    })
    return true
  }

  // ── the log ───────────────────────────────────────────────────────────────────────────────────

  /** What is dealt with while a write is under way goes with the next one: each writes the whole record. */
  #deal(numbers: readonly number[], entries: readonly NewEntry[], written: Dealt['written']): void {
    this.#dealt.push({ numbers, entries, written })
    if (!this.#isWriting) void this.#write()
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    while (this.#dealt.length > 0) {
      const writes = this.#dealt
      this.#dealt = []
      const numbers = writes.flatMap((each) => each.numbers)
      const entries = writes.flatMap((each) => each.entries)
      this.#high = numbers.reduce((high, n) => Math.max(high, n), this.#high)
      const written = await this.#writes.insist(() => this.#journal.commit(this.#address, { state: undefined, high: this.#high, open: this.#journal.openBefore(this.#address, this.#high, numbers), alarm: undefined }, numbers, entries))
      let at = 0
      for (const each of writes) each.written(written.slice(at, (at += each.entries.length)))
    }
    this.#isWriting = false
  }

  close(): Promise<void> {
    return this.#writes.close()
  }
}

const noop = (): void => {}
const NO_MAIL = { from: '', sequence: 0, correlation: 0, deadline: 0 }
