/**
 * Parcels of another node's log as they come in here.
 * Owns: up to which one they have had their effect on this node.
 *
 * Invariants:
 * I1. What a parcel is for durable actors here, and the fact that it has come, are one batch of the store; so it counts
 *     once, however often it comes.
 * I2. Parcels are dealt with in their order; the sender hears of each batch once it is in the store.
 * I3. What may have reached a volatile actor's former life is not given to its next one: its asker is told so.
 */
import { asTroupeError, describe, TroupeError } from '../../ground/errors.js'
import { pack, unpack } from '../codec.js'
import { isOpen, type Envelope } from '../envelope.js'
import { mailEntry, replyEntry } from '../ledger.js'
import { INTAKE_BATCH, OWED_MAX, STORE_RETRY_MS } from '../limits.js'
import type { NewEntry } from '../log-entry.js'
import type { Parts } from '../parts.js'
import { checkBody, type Message } from '../protocol.js'
import type { Outcome } from '../replay.js'
import type { Arrivals } from './arrivals.js'
import { envelopeOf } from './envelope-of.js'
import type { Nodes } from './nodes.js'
import { unpackParcel, type Parcel, type Word } from './word.js'

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
  /** Mail of durable askers in the log of durable actors here, by the ask. */
  readonly #asked = new Map<number, Envelope>()

  constructor(node: string, parts: Parts, nodes: Nodes, arrivals: Arrivals, say: (word: Word) => void) {
    this.#node = node
    this.#parts = parts
    this.#nodes = nodes
    this.#arrivals = arrivals
    this.#say = say
    const value = parts.journal?.get(['heard', node])
    const [, log, n] = value === undefined ? [VERSION, 0, 0] : (unpack(value) as [number, number, number])
    this.#log = log
    this.#come = this.#done = n
  }

  log(log: number): void {
    if (log === this.#log) return
    this.#log = log
    this.#come = this.#done = 0
    this.#queue.length = 0
  }

  parcel(word: ParcelWord): void {
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
    this.#say({ t: 'have', n: this.#done })
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
      const brought = batch.map(({ word, parcel }) => this.#bring(word, parcel))
      const n = (batch.at(-1) as { word: ParcelWord }).word.n
      const numbers = await this.#write(log, n, brought.flatMap(({ entries }) => entries))
      if (log !== this.#log) continue
      let at = 0
      for (const { entries, act } of brought) act(numbers.slice(at, (at += entries.length)))
      this.#done = n
      this.#say({ t: 'have', n })
    }
    this.#isBusy = false
  }

  /** I1. While the store has no room it is tried again; the sender waits. */
  async #write(log: number, n: number, entries: readonly NewEntry[]): Promise<readonly number[]> {
    const { journal, clock } = this.#parts
    if (journal === undefined) return []
    for (;;) {
      try {
        return await journal.keepBeside({ kind: 'put', key: ['heard', this.#node], value: pack([VERSION, log, n]) }, entries)
      } catch (error) {
        this.#parts.log(`@${this.#node}`, ['what came from it could not be written, and is tried again:', error])
        await new Promise<void>((resolve) => clock.timer(STORE_RETRY_MS, resolve, true))
      }
    }
  }

  // ── what it brings ────────────────────────────────────────────────────────────────────────────

  #bring(word: ParcelWord, parcel: Parcel): Brought {
    if (parcel.t === 'reply') return this.#reply(parcel)
    const envelope = envelopeOf(parcel.envelope, word.leftMs === 0 ? 0 : this.#parts.clock.now() + word.leftMs)
    try {
      if (this.#nodes.isDurableHere(envelope.to)) return this.#mail(envelope)
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
  #mail(envelope: Envelope): Brought {
    this.#check(envelope)
    return {
      entries: [mailEntry(undefined, envelope)],
      act: ([n]) => {
        if (envelope.correlation !== 0) this.#note(envelope)
        this.#deliver(envelope, n as number)
      },
    }
  }

  #check({ to, type, body }: Envelope): void {
    const spec = this.#nodes.protocolOf(to)?.specs[type]
    if (spec !== undefined) checkBody(spec, unpack(body) as Message)
  }

  /** An asker that is durable hears of it by the log, like of any outcome. */
  #refused(envelope: Envelope, error: TroupeError): Brought {
    const { from, sequence, correlation } = envelope
    const entries = correlation === 0 ? [] : [replyEntry(this.#nodes, from, sequence, correlation, { ok: false, error }, this.#parts.clock.now())]
    return { entries, act: () => this.#parts.endings.dead(envelope, 'refused', error) }
  }

  #deliver(envelope: Envelope, n: number): void {
    const { router, unclaimed, endings, wakes } = this.#parts
    unclaimed.arrived([envelope], [n])
    try {
      const cell = router.cell(envelope.to)
      if (cell?.accept(envelope) === 'full' && cell.awaitRoom(envelope, noop) === undefined) endings.dead(envelope, 'overloaded')
    } catch {
      // Too many are at work for it to wake: it finds this in the log once there is room.
      wakes.wake(envelope.to)
    }
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

  // ── asks of durable askers ────────────────────────────────────────────────────────────────────

  #note(envelope: Envelope): void {
    if (this.#asked.size >= OWED_MAX) for (const [ask, each] of this.#asked) if (!isOpen(each)) this.#asked.delete(ask)
    this.#asked.set(envelope.correlation, envelope)
  }

  /** Its asker does not want the outcome any more. */
  off(ask: number): void {
    const envelope = this.#asked.get(ask)
    this.#asked.delete(ask)
    if (envelope === undefined) return
    try {
      const cell = this.#parts.router.present(envelope.to)
      cell?.forget(ask, 'caller')
      cell?.cancel(envelope, 'caller')
    } catch (error) {
      this.#parts.log(envelope.to, ['could not be woken to call off an ask:', error])
    }
  }
}

const noop = (): void => {}
