/**
 * Another node, as this one speaks to it.
 * Owns: what was said to it and waits for its word: mail until it is accepted, asks until their outcome, stops and watches.
 * Does not own: how words get there (link), what the log keeps for it (owed), what it asks of this node (arrivals).
 *
 * Invariants:
 * P1. Mail of a volatile sender is said once. When the link breaks before it is known to be accepted, its sender is told
 *     that nobody knows, and it is not said again.
 * P2. At most LINK_MAIL_MAX of such mail are on their way; who has more to send waits for room.
 */
import { TroupeError, asTroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import { MESSAGE_BYTES_MAX, packEnvelope } from '../codec.js'
import { ofLife, type CancelReason, type Envelope } from '../envelope.js'
import { LINK_MAIL_BYTES_MAX, LINK_MAIL_MAX, READ_CHUNKS, WAITERS_MAX } from '../limits.js'
import type { Parts } from '../parts.js'
import type { ActorEnding } from '../ref.js'
import type { Outcome } from '../replay.js'
import type { Break } from './link.js'
import type { Owed } from './owed.js'
import { Room } from './room.js'
import type { MailKind, Word } from './word.js'

/** Room for what the word says beside its envelope. */
const WORD_BYTES_MAX = 64 * 2 ** 10

interface Sent {
  readonly envelope: Envelope
  readonly accepted: () => void
  readonly refused: (error: TroupeError) => void
}

interface Call {
  readonly address: Address
  readonly ended: (ending: ActorEnding) => void
}

type World = Pick<Parts, 'clock' | 'endings' | 'inspection' | 'replies'>

export class Peer {
  readonly name: string
  readonly #world: World
  readonly #say: (word: Word) => void
  readonly owed: Owed | undefined
  /** Mail on its way, by its id. */
  readonly #mail = new Map<number, Sent>()
  #bytes = 0
  /** Asks of volatile askers that it has and that have no outcome. */
  readonly #asked = new Map<number, Envelope>()
  /** Of each stream: how many chunks were read and not said so, and when the last one that came is taken. */
  readonly #read = new Map<number, { count: number; tail: Promise<void> }>()
  readonly #calls = new Map<number, Call>()
  #call = 0
  readonly room = new Room<Envelope>((envelope) => this.#admit(envelope))

  constructor(name: string, world: World, say: (word: Word) => void, owed: Owed | undefined) {
    this.name = name
    this.#world = world
    this.#say = say
    this.owed = owed
  }

  /** Whether nothing is on its way whose sender waits to hear of it. */
  get idle(): boolean {
    return this.#mail.size === 0 && this.room.size === 0
  }

  /** Whether anybody here waits for something that only the other node can say. */
  get waits(): boolean {
    return this.#mail.size + this.#asked.size + this.#calls.size > 0 || this.owed?.waits === true
  }

  // ── mail ──────────────────────────────────────────────────────────────────────────────────────

  accept(envelope: Envelope): 'accepted' | 'full' | TroupeError {
    if (envelope.entry === 0 && envelope.body.length > MESSAGE_BYTES_MAX - WORD_BYTES_MAX) {
      const error = new TroupeError('InvalidMessage', `${envelope.type} has ${envelope.body.length} bytes, more than one message to another node holds`, 'send it in parts, as a stream')
      return this.#world.endings.dead(envelope, 'invalid', error)
    }
    return (this.room.size === 0 || (envelope.entry !== 0 && this.room.size >= WAITERS_MAX)) && this.#admit(envelope) ? 'accepted' : 'full'
  }

  #admit(envelope: Envelope): boolean {
    if (envelope.entry !== 0) {
      // It is in the log, and leaves from there; its sender goes on once not too much waits. Too many that wait go on.
      if (this.owed?.full === true && this.room.size < WAITERS_MAX) return false
      this.#world.inspection.ended(envelope, 'forwarded')
      return true
    }
    if (this.#mail.size >= LINK_MAIL_MAX || this.#bytes + envelope.body.length > LINK_MAIL_BYTES_MAX) return false
    this.#send(envelope)
    return true
  }

  #send(envelope: Envelope): void {
    const { id, correlation, deadline, body } = envelope
    const channel = this.#world.replies.get(correlation)?.channel
    const kind: MailKind = correlation === 0 ? 'told' : channel === undefined ? 'request' : 'stream'
    let accepted = noop
    let refused: (error: TroupeError) => void = noop
    if (correlation === 0) {
      envelope.kept = new Promise((resolve, reject) => {
        accepted = resolve
        refused = reject
      })
      envelope.kept.catch(noop)
    } else this.#asked.set(id, envelope)
    this.#mail.set(id, { envelope, accepted, refused })
    this.#bytes += body.length
    this.#say({ t: 'mail', kind, leftMs: deadline === 0 ? 0 : Math.max(1, deadline - this.#world.clock.now()), envelope: packEnvelope(envelope, body) })
  }

  #left(id: number): Sent | undefined {
    const sent = this.#mail.get(id)
    if (sent === undefined) return undefined
    this.#mail.delete(id)
    this.#bytes -= sent.envelope.body.length
    this.room.look()
    return sent
  }

  /** Nobody wants the outcome: its node is told, unless it is the life of a durable asker that ends, whose next one goes on with the ask. */
  cancel({ id, to, sequence }: Envelope, reason: CancelReason): void {
    if (sequence === 0) this.#say({ t: 'off', id })
    else if (!ofLife(reason)) this.owed?.off(id, to)
  }

  /** An ask is settled here. */
  forget(ask: number, calledOff: CancelReason | undefined): void {
    this.#asked.delete(ask)
    this.#read.delete(ask)
    // A life that ends settles nothing: the next one goes on with the ask.
    if (calledOff === undefined || !ofLife(calledOff)) this.owed?.settled(ask)
  }

  // ── its word ──────────────────────────────────────────────────────────────────────────────────

  /** It has accepted the mail. */
  taken(id: number): void {
    const sent = this.#left(id)
    if (sent === undefined) return
    this.#world.inspection.ended(sent.envelope, 'forwarded')
    sent.accepted()
  }

  /** It has all parcels up to this one: there may be room for more. */
  have(n: number, behind: number): void {
    this.owed?.have(n, behind)
    this.room.look()
  }

  /** An ask has its outcome, or a message was refused. */
  outcome(id: number, outcome: Outcome): void {
    const sent = this.#left(id)
    const { replies, inspection } = this.#world
    if (sent !== undefined) inspection.ended(sent.envelope, outcome.ok || sent.envelope.correlation !== 0 ? 'forwarded' : 'refused')
    if (sent?.envelope.correlation === 0) return outcome.ok ? sent.accepted() : sent.refused(asTroupeError(outcome.error))
    if (this.owed?.answered(id, outcome) === true) return
    const settle = (): void => void (outcome.ok ? replies.reply(id, outcome.value) : replies.fail(id, asTroupeError(outcome.error)))
    // The end of a stream comes after all of its chunks.
    const tail = this.#read.get(id)?.tail
    if (tail === undefined) settle()
    else void tail.then(settle)
  }

  /** A chunk of a stream: it counts as read once the reader is near enough for the next. */
  chunk(id: number, value: unknown): void {
    if (!this.#asked.has(id)) return
    let read = this.#read.get(id)
    if (read === undefined) this.#read.set(id, (read = { count: 0, tail: Promise.resolve() }))
    const reading = read
    reading.tail = reading.tail.then(async () => {
      await this.#world.replies.get(id)?.channel?.write(value)
      if (this.#read.get(id) !== reading || ++reading.count < READ_CHUNKS) return
      this.#say({ t: 'read', id, count: reading.count })
      reading.count = 0
    })
  }

  // ── stops and watches ─────────────────────────────────────────────────────────────────────────

  /** Ends the actor at an address there; resolves with its end. Rejects with `Interrupted` when that is not known. */
  stop(address: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#begin('stop', address, (ending) => (ending.kind === 'failed' && isInterrupted(ending.error) ? reject(asTroupeError(ending.error)) : resolve()))
    })
  }

  /** Calls `ended` once with how the actor at an address there ended; the returned function takes that back. */
  watch(address: Address, ended: (ending: ActorEnding) => void): () => void {
    const id = this.#begin('watch', address, ended)
    return () => {
      if (this.#calls.delete(id)) this.#say({ t: 'off', id })
    }
  }

  /** Calls count down from -1, so that none has the number of an envelope. */
  #begin(t: 'stop' | 'watch', address: Address, ended: (ending: ActorEnding) => void): number {
    const id = --this.#call
    this.#calls.set(id, { address, ended })
    this.#say({ t, id, address })
    return id
  }

  ended(id: number, ending: ActorEnding): void {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    call?.ended(ending)
  }

  // ── its end ───────────────────────────────────────────────────────────────────────────────────

  /** P1 */
  broke(why: Break): void {
    const { endings, replies } = this.#world
    const mail = [...this.#mail.values()]
    this.#mail.clear()
    this.#bytes = 0
    for (const { envelope, refused } of mail) refused(endings.dead(envelope, 'node-lost', lost(this.name, envelope.type, envelope.to, why)))
    for (const { id, type, to } of this.#asked.values()) replies.fail(id, lost(this.name, type, to, why))
    for (const { address, ended } of this.#calls.values()) ended({ kind: 'failed', error: lost(this.name, 'the end', address, why) })
    this.#calls.clear()
    this.owed?.sayAgain()
    this.room.look()
  }

  async close(): Promise<void> {
    this.broke('this node stops')
    this.room.close()
    await this.owed?.close()
  }
}

const noop = (): void => {}
const isInterrupted = (error: unknown): boolean => error instanceof TroupeError && error.code === 'Interrupted'

const lost = (node: string, what: string, address: Address, why: Break): TroupeError =>
  new TroupeError('Interrupted', `${what} of ${address} on node ${node} has no known outcome: ${why}`, 'it may have been done or not; ask the actor, or send it again where twice does no harm', { node, address })
