/**
 * Parcels of another node's log as they come in here.
 * Owns: up to which one they have had their effect on this node.
 *
 * Invariants:
 * I1. What a parcel is for durable actors here, and the fact that it has come, are one batch of the store; so it counts
 *     once, however often it comes.
 * I2. Parcels are dealt with in their order; the sender hears of each batch once it is in the store.
 * I3. What may have reached a volatile actor's former life is not given to its next one: its asker is told so.
 * I4. What is in the log is accepted: it waits for room before its actor, however much does, and the sender is told how much.
 */
import { asTroupeError, describe, TroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import type { Cell } from '../cell.js'
import { pack, unpack } from '../codec.js'
import { Envelope } from '../envelope.js'
import { mailEntry, replyEntry } from '../ledger.js'
import { INTAKE_BATCH, OWED_MAX } from '../limits.js'
import type { NewEntry } from '../log-entry.js'
import type { Parts } from '../parts.js'
import { checkFor } from '../post.js'
import type { Message } from '../protocol.js'
import type { Outcome } from '../replay.js'
import type { Arrivals } from './arrivals.js'
import { envelopeOf } from './envelope-of.js'
import type { Nodes } from './nodes.js'
import { unpackParcel, type MailKind, type Parcel, type Word } from './word.js'
import { Writes } from './writes.js'

type ParcelWord = Extract<Word, { t: 'parcel' }>

/** What a parcel brings: entries for the log, and what is to be done once they are there. */
interface Brought {
  readonly entries: readonly NewEntry[]
  readonly act: (numbers: readonly number[]) => void
}

const VERSION = 1

export class Intake {
  readonly #node: string
  readonly #parts: Parts
  readonly #nodes: Nodes
  readonly #arrivals: Arrivals
  readonly #say: (word: Word) => void
  readonly #queue: { readonly word: ParcelWord; readonly parcel: Parcel }[] = []
  /** The last parcel that came in, and of which log. */
  #log: number
  #come: number
  /** The last one that has had its effect. */
  #done: number
  #isBusy = false
  readonly #writes: Writes
  #closed = false
  /** How much of what came waits for room, and how much of that the sender knows of. */
  #behind = 0
  #told = 0

  constructor(node: string, parts: Parts, nodes: Nodes, arrivals: Arrivals, say: (word: Word) => void) {
    this.#node = node
    this.#parts = parts
    this.#nodes = nodes
    this.#arrivals = arrivals
    this.#say = say
    this.#writes = new Writes(parts.clock, (error) => parts.log(`@${node}`, ['what came from it could not be written, and is tried again:', error]))
    const [log, n] = this.#heard()
    this.#log = log
    this.#come = this.#done = n
  }

  /** Up to which parcel of which log a former life has had them. */
  #heard(): readonly [log: number, n: number] {
    const key = `what came from node ${this.#node}`
    try {
      const value = this.#parts.journal?.get(['heard', this.#node])
      if (value === undefined) return [0, 0]
      const [version, log, n] = unpack(value) as [number, number, number]
      if (version !== VERSION) throw new TroupeError('Incompatible', `the record of ${key} has version ${version}, this is ${VERSION}`, 'open the store with the version of Troupe that wrote it, or a later one')
      return [log, n]
    } catch (error) {
      // What has had its effect here is not known any more, so nothing more is taken: it stays with its sender.
      this.#closed = true
      this.#parts.log(`@${this.#node}`, [`no durable mail is taken from it, since the record of ${key} cannot be read:`, error])
      return [0, 0]
    }
  }

  log(log: number): void {
    if (log === this.#log) return
    this.#log = log
    this.#come = this.#done = 0
    this.#queue.length = 0
  }

  parcel(word: ParcelWord): void {
    if (this.#closed) return
    const parcel = unpackParcel(word.parcel)
    if (word.n <= this.#come) return this.#again(word, parcel)
    // It has not come, so that it comes again.
    if (this.#queue.length >= OWED_MAX) return
    this.#come = word.n
    this.#queue.push({ word, parcel })
    void this.#work()
  }

  /** One that has come before. */
  #again(word: ParcelWord, parcel: Parcel): void {
    if (word.n > this.#done) return
    if (parcel.t === 'mail') {
      const envelope = envelopeOf(parcel.envelope, 0)
      if (envelope.correlation !== 0 && !this.#nodes.isDurableHere(envelope.to)) this.#doubt(word.n, envelope)
    }
    this.#have()
  }

  #have(): void {
    this.#told = this.#behind
    this.#say({ t: 'have', n: this.#done, behind: this.#behind })
  }

  /** I3 */
  #doubt(n: number, { id, type, to }: Envelope): void {
    this.#say({ t: 'held', n, ask: id })
    const error = new TroupeError('Interrupted', `${type} to ${to} may have been handled before its node began anew`, 'ask the actor, or send it again where twice does no harm', { id, address: to })
    this.#say({ t: 'outcome', id, outcome: { ok: false, error } })
  }

  async #work(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, INTAKE_BATCH)
      const log = this.#log
      const brought = batch.map(({ word, parcel }) => this.#safely(word, () => this.#bring(word, parcel)) ?? NOTHING_BROUGHT)
      const n = (batch.at(-1) as { word: ParcelWord }).word.n
      const numbers = await this.#write(log, n, brought.flatMap(({ entries }) => entries))
      if (this.#closed) return
      let at = 0
      for (const [i, { entries, act }] of brought.entries()) {
        const own = numbers.slice(at, (at += entries.length))
        this.#safely((batch[i] as { word: ParcelWord }).word, () => act(own))
      }
      // Of a log that its node has lost since, nobody wants to hear.
      if (log !== this.#log) continue
      this.#done = n
      this.#have()
    }
    this.#isBusy = false
  }

  /** A parcel that cannot be dealt with harms no other. */
  #safely<T>({ n }: ParcelWord, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      this.#parts.log(`@${this.#node}`, [`its parcel ${n} cannot be dealt with:`, error])
      return undefined
    }
  }

  /** I1. While the store has no room it is tried again; the sender waits. */
  async #write(log: number, n: number, entries: readonly NewEntry[]): Promise<readonly number[]> {
    const { journal } = this.#parts
    if (journal === undefined) return []
    return this.#writes.insist(() => journal.keepBeside({ kind: 'put', key: ['heard', this.#node], value: pack([VERSION, log, n]) }, entries))
  }

  /** Takes nothing more: what is not in the store yet stays with its sender. Resolves when nothing is on its way there. */
  close(): Promise<void> {
    this.#closed = true
    this.#queue.length = 0
    return this.#writes.close()
  }

  // ── what it brings ────────────────────────────────────────────────────────────────────────────

  #bring(word: ParcelWord, parcel: Parcel): Brought {
    if (parcel.t === 'reply') return this.#reply(parcel)
    const envelope = envelopeOf(parcel.envelope, word.leftMs === 0 ? 0 : this.#parts.clock.now() + word.leftMs)
    try {
      this.#nodes.assertHere(envelope.to)
      if (this.#nodes.isDurableHere(envelope.to)) return this.#mail(envelope, parcel.kind)
    } catch (error) {
      return this.#refused(envelope, asTroupeError(error))
    }
    const topic = this.#nodes.topicOf(envelope.to)
    if (topic !== undefined) return this.#published(envelope, topic, this.#isDoubtful(word))
    return { entries: [], act: () => this.#forVolatile(word, envelope) }
  }

  #reply({ to, of, ask, outcome }: Extract<Parcel, { t: 'reply' }>): Brought {
    const { clock, router, replies } = this.#parts
    const now = clock.now()
    return {
      entries: [replyEntry(undefined, to, of, ask, outcome, now)],
      act: ([n]) => {
        router.awake(to)?.ledger?.replied(of, ask, outcome, now, n as number)
        if (outcome.ok) replies.reply(ask, outcome.value)
        else replies.fail(ask, asTroupeError(outcome.error))
      },
    }
  }

  /** Throws what refuses it. */
  #mail(envelope: Envelope, kind: MailKind): Brought {
    this.#check(envelope, kind)
    this.#wake(envelope.to)
    return { entries: [mailEntry(undefined, envelope)], act: ([n]) => this.#deliver(envelope, n as number) }
  }

  #check({ to, type, body }: Envelope, kind: MailKind): void {
    const protocol = this.#nodes.protocolOf(to)
    if (protocol !== undefined) checkFor({ address: to, definition: { protocol } }, { ...(unpack(body) as Message), type }, kind === 'told' ? 'event' : kind)
  }

  /** Throws why its actor cannot be there. One that finds no room to wake in has its mail when it does. */
  #wake(to: Address): Cell | undefined {
    try {
      return this.#parts.router.cell(to)
    } catch (error) {
      if (asTroupeError(error).code === 'Overloaded') return undefined
      throw error
    }
  }

  /** An asker that is durable hears of it by the log, like of any outcome. */
  #refused(envelope: Envelope, error: TroupeError): Brought {
    const { from, sequence, correlation } = envelope
    const entries = correlation === 0 ? [] : [replyEntry(this.#nodes, from, sequence, correlation, { ok: false, error }, this.#parts.clock.now())]
    return { entries, act: () => this.#parts.endings.dead(envelope, 'refused', error) }
  }

  /** I4 */
  #deliver(envelope: Envelope, n: number): void {
    envelope.entry = n
    const { router, clock, wakes } = this.#parts
    let cell: Cell | undefined
    try {
      cell = router.cell(envelope.to)
    } catch {
      // Too many are at work for it to wake: it finds this in the log once there is room.
      return wakes.wake(envelope.to)
    }
    cell?.ledger?.arrived(envelope, n, clock.now())
    if (cell?.accept(envelope) !== 'full') return
    this.#behind++
    cell.awaitRoom(envelope, () => this.#caughtUp())
  }

  /** The sender hears of it now and then, and when nothing waits any more. */
  #caughtUp(): void {
    this.#behind--
    if (this.#behind === 0 || this.#told - this.#behind >= INTAKE_BATCH) this.#have()
  }

  /** A node with a store has written that a parcel has come before anybody here was given it. */
  #isDoubtful({ again }: ParcelWord): boolean {
    return again && this.#parts.journal === undefined
  }

  #forVolatile(word: ParcelWord, envelope: Envelope): void {
    if (envelope.correlation === 0) {
      if (this.#isDoubtful(word)) this.#parts.endings.dead(envelope, 'node-lost', new TroupeError('Interrupted', `${envelope.type} to ${envelope.to} may have been handled before`, 'replay it where twice does no harm', { address: envelope.to }))
      else this.#arrivals.told(envelope).catch((error: unknown) => this.#parts.log(envelope.to, [`refused ${envelope.type} of ${envelope.from}:`, describe(error)]))
      return
    }
    if (this.#isDoubtful(word)) return this.#doubt(word.n, envelope)
    this.#say({ t: 'held', n: word.n, ask: envelope.id })
    this.#arrivals.asked(envelope, word.leftMs, (outcome: Outcome) => this.#say({ t: 'outcome', id: envelope.id, outcome }))
  }

  /** Durable subscribers have it by the log, others at most once. */
  #published(envelope: Envelope, topic: string, isDoubtful: boolean): Brought {
    const copies = this.#arrivals.copies(envelope, topic)
    const durable = copies.filter(({ to }) => this.#nodes.isDurableHere(to))
    return {
      entries: durable.map((copy) => mailEntry(undefined, copy)),
      act: (numbers) => {
        for (const [i, copy] of durable.entries()) this.#deliver(copy, numbers[i] as number)
        for (const copy of copies) {
          if (durable.includes(copy)) continue
          if (isDoubtful) this.#parts.endings.dead(copy, 'node-lost')
          else this.#arrivals.hand(copy)
        }
      },
    }
  }

  /** The asker of an ask that may be in the log here does not want the outcome any more. */
  off(ask: number, to: Address): void {
    try {
      const cell = this.#parts.router.present(to)
      cell?.cancel(new Envelope(ask, to, '', '', NOTHING, ask, 0, 0, 1, ask, 0, 0), 'caller')
      cell?.forget(ask, 'caller')
    } catch (error) {
      this.#parts.log(to, ['could not be woken to call off an ask:', error])
    }
  }
}

const NOTHING = new Uint8Array()
const NOTHING_BROUGHT: Brought = { entries: [], act: () => {} }
