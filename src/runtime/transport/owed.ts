/**
 * What the log of this node keeps for another one until that has it: mail of durable senders, and answers to durable askers.
 * Owns: which parcels are on their way, in the order of the log, and which asks are with volatile actors there.
 *
 * Invariants:
 * O1. Parcels are said in the order of the log, each once it is in the store, and again after each break, until the other
 *     node has them. So one number tells it which it has had.
 * O2. The outcome of an ask that only its volatile actor knew is in the log here before anybody is told of it, with the
 *     fact that its parcel is dealt with.
 */
import { asTroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import { unpackEnvelope } from '../codec.js'
import type { Journal } from '../journal.js'
import { replyEntry } from '../ledger.js'
import { OWED_MAX, OWED_WINDOW, STORE_RETRY_MS } from '../limits.js'
import type { NewEntry } from '../log-entry.js'
import type { Parts } from '../parts.js'
import type { Outcome } from '../replay.js'
import { unpackParcel, type Word } from './word.js'

interface Held {
  readonly n: number
  /** Who asked, by which of its mail. */
  readonly from: Address
  readonly of: number
}

export class Owed {
  readonly #address: Address
  readonly #journal: Journal
  readonly #parts: Pick<Parts, 'clock' | 'log' | 'replies' | 'router'>
  readonly #say: (word: Word) => void
  readonly #origin: number
  /** Parcels that were not said since the last break, in order, and those of them that are in the store. */
  #queue: number[]
  readonly #stored: Set<number>
  /** Parcels on their way. */
  #said: number[] = []
  /** Up to this one a former life there, or of this node, may have had them. */
  #doubtful: number
  readonly #held = new Map<number, Held>()
  #hasSaidLog = false
  #high: number
  #dealt: number[] = []
  #isWriting = false

  constructor(address: Address, journal: Journal, origin: number, parts: Pick<Parts, 'clock' | 'log' | 'replies' | 'router'>, say: (word: Word) => void) {
    this.#origin = origin
    this.#address = address
    this.#journal = journal
    this.#parts = parts
    this.#say = say
    this.#high = journal.record(address)?.high ?? 0
    this.#queue = journal.take(address).map(({ n }) => n)
    this.#stored = new Set(this.#queue)
    this.#doubtful = this.#queue.at(-1) ?? 0
  }

  /** Whether the other node is still to say that it has a parcel, or what came of an ask that a volatile actor there has. */
  get waits(): boolean {
    return this.#said.length + this.#held.size > 0
  }

  /** Whether so much waits that who sends more is to wait too. */
  get full(): boolean {
    return this.#queue.length + this.#said.length >= OWED_MAX
  }

  /** A parcel has its number, and goes to the store. */
  numbered(n: number): void {
    this.#queue.push(n)
  }

  stored(n: number): void {
    this.#stored.add(n)
    this.sayMore()
  }

  /** The store could not take it. */
  lost(n: number): void {
    this.#queue = this.#queue.filter((each) => each !== n)
    this.sayMore()
  }

  /** O1 */
  sayMore(): void {
    let count = 0
    for (const n of this.#queue) {
      if (!this.#stored.has(n) || this.#said.length >= OWED_WINDOW) break
      count++
      this.#sayOne(n)
    }
    this.#queue.splice(0, count)
  }

  #sayOne(n: number): void {
    try {
      const parcel = this.#journal.entry(this.#address, n)?.body
      if (parcel === undefined) return
      if (!this.#hasSaidLog) this.#say({ t: 'log', log: this.#origin })
      this.#hasSaidLog = true
      this.#said.push(n)
      this.#say({ t: 'parcel', n, again: n <= this.#doubtful, leftMs: this.#leftMs(parcel), parcel })
    } catch (error) {
      // It stays in the log, for whoever mends it; what comes after it goes on.
      this.#parts.log(this.#address, [`parcel ${n} cannot be read:`, error])
    }
  }

  #leftMs(bytes: Uint8Array): number {
    const parcel = unpackParcel(bytes)
    const deadline = parcel.t === 'mail' ? unpackEnvelope(parcel.envelope).header.deadline : 0
    return deadline === 0 ? 0 : Math.max(1, deadline - this.#parts.clock.now())
  }

  /** The link broke: everything is said again. */
  sayAgain(): void {
    this.#doubtful = Math.max(this.#doubtful, this.#said.at(-1) ?? 0)
    const held = [...this.#held.values()].map(({ n }) => n)
    this.#held.clear()
    this.#hasSaidLog = false
    const under = [...this.#said, ...held].toSorted((a, b) => a - b)
    this.#said = []
    this.#queue = [...under, ...this.#queue]
    this.sayMore()
  }

  // ── its word ──────────────────────────────────────────────────────────────────────────────────

  /** The other node has everything up to this one, but for the asks that it holds. */
  have(n: number): void {
    const count = this.#said.findIndex((each) => each > n)
    const had = this.#said.splice(0, count < 0 ? this.#said.length : count)
    const held = new Set([...this.#held.values()].map((each) => each.n))
    this.#deal(had.filter((each) => !held.has(each)))
    this.sayMore()
  }

  /** A volatile actor has this ask. */
  holds(n: number, ask: number): void {
    const body = this.#stored.has(n) ? this.#journal.entry(this.#address, n)?.body : undefined
    const parcel = body === undefined ? undefined : unpackParcel(body)
    if (parcel?.t !== 'mail') return
    const { from, sequence } = unpackEnvelope(parcel.envelope).header
    this.#held.set(ask, { n, from, of: sequence })
  }

  /** An ask is settled here: nobody waits for what holds it there. */
  settled(ask: number): void {
    const held = this.#held.get(ask)
    if (held === undefined || !this.#held.delete(ask) || this.#said.includes(held.n)) return
    this.#deal([held.n])
  }

  /** O2. False for an ask that is not held. */
  answered(ask: number, outcome: Outcome): boolean {
    const held = this.#held.get(ask)
    if (held === undefined) return false
    this.#held.delete(ask)
    void this.#keepAnswer(ask, held, outcome)
    return true
  }

  async #keepAnswer(ask: number, { n, from, of }: Held, outcome: Outcome): Promise<void> {
    const { clock, router, replies } = this.#parts
    const now = clock.now()
    this.#said = this.#said.filter((each) => each !== n)
    const [at] = await this.#write([n], [replyEntry(undefined, from, of, ask, outcome, now)])
    router.awake(from)?.ledger?.replied(of, ask, outcome, now, at as number)
    if (outcome.ok) replies.reply(ask, outcome.value)
    else replies.fail(ask, asTroupeError(outcome.error))
  }

  // ── the log ───────────────────────────────────────────────────────────────────────────────────

  /** What is dealt with while a write is under way goes with the next one. */
  #deal(numbers: readonly number[]): void {
    this.#dealt.push(...numbers)
    if (this.#isWriting || this.#dealt.length === 0) return
    this.#isWriting = true
    const now = this.#dealt
    this.#dealt = []
    void this.#write(now, []).then(() => {
      this.#isWriting = false
      this.#deal([])
    })
  }

  /** Resolves once it is in the store; while that has no room it is tried again. */
  async #write(dealt: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    for (const n of dealt) this.#stored.delete(n)
    for (;;) {
      this.#high = Math.max(this.#high, ...dealt)
      const open = this.#journal.openBefore(this.#address, this.#high, dealt)
      try {
        return await this.#journal.commit(this.#address, { state: undefined, high: this.#high, open, alarm: undefined }, dealt, entries)
      } catch (error) {
        this.#parts.log(this.#address, ['could not write that parcels have arrived, and tries again:', error])
        await new Promise<void>((resolve) => this.#parts.clock.timer(STORE_RETRY_MS, resolve, true))
      }
    }
  }
}
