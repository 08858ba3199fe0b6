/**
 * What one durable actor has accepted, begun and committed.
 * Owns: its last committed state, the mail it has not dealt with, the effects of the handler under way.
 * Does not own: how any of it is written (journal), nor when (its cell).
 */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, packEnvelope, unpack, unpackEnvelope } from './codec.js'
import { Envelope, type Priority } from './envelope.js'
import type { Journal, LogEntry, NewEntry } from './journal.js'
import type { Outcome, Recorded } from './replay.js'

/** What the log keeps of a handler's effects, packed. */
export type Effect =
  | { readonly t: 'result'; readonly at: number; readonly name: string; readonly input: string; readonly outcome: Outcome; readonly now: number; readonly took?: number }
  /** An ask to a durable actor has left; its reply comes as an entry of its own. */
  | { readonly t: 'asked'; readonly at: number; readonly name: string; readonly input: string; readonly ask: number }
  | { readonly t: 'reply'; readonly ask: number; readonly outcome: Outcome; readonly now: number }
  /** This many messages of the handler have left. */
  | { readonly t: 'sent'; readonly count: number }
  /** When a sleep ends. */
  | { readonly t: 'due'; readonly at: number; readonly due: number }

/** What the former life of a handler left for it. */
export interface Former {
  readonly records: readonly Recorded[]
  readonly sent: number
  readonly asked: ReadonlyMap<number, number>
  readonly due: ReadonlyMap<number, number>
}

interface Open {
  readonly records: Recorded[]
  readonly asked: Map<number, { readonly at: number; readonly name: string; readonly input: string }>
  /** Asks whose replies are in the log already. */
  readonly replies: Set<number>
  readonly due: Map<number, number>
  sent: number
}

export class Ledger {
  readonly #journal: Journal
  readonly #address: Address
  readonly #open = new Map<number, Open>()
  #state: Uint8Array | undefined
  #low: number
  #done: Set<number>

  /** Reads an actor's record. Throws `StoreCorrupt`, `Incompatible`, or `InvalidDefinition` without a journal. */
  static of(journal: Journal | undefined, address: Address): Ledger {
    if (journal !== undefined) return new Ledger(journal, address)
    throw new TroupeError('InvalidDefinition', `${address} is durable, and the troupe has no store`, "give one: createTroupe({ store: lmdb('./data') }), from 'troupe/lmdb'")
  }

  private constructor(journal: Journal, address: Address) {
    this.#journal = journal
    this.#address = address
    const record = journal.record(address)
    this.#state = record?.state
    this.#low = record?.low ?? 0
    this.#done = new Set(record?.done)
  }

  /** The last committed state, in memory of its own; `undefined` for an actor that never committed. */
  get state(): unknown {
    return this.#state === undefined ? undefined : unpack(this.#state)
  }
  get isNew(): boolean {
    return this.#state === undefined
  }

  /** The mail that a former life accepted and did not deal with, oldest first. */
  recover(): Envelope[] {
    const mail = new Map<number, Envelope>()
    const took = new Set<number>()
    for (const entry of this.#journal.take(this.#address)) {
      if (entry.of === 0) mail.set(entry.n, fromEntry(entry))
      else this.#note(entry.of, unpack(entry.body) as Effect, took)
    }
    for (const n of took) mail.delete(n)
    return [...mail.values()]
  }

  #note(mail: number, effect: Effect, took?: Set<number>): void {
    const open = this.#of(mail)
    switch (effect.t) {
      case 'result':
        if (effect.took !== undefined) took?.add(effect.took)
        open.records.push(effect)
        return
      case 'reply': {
        const asked = open.asked.get(effect.ask)
        open.replies.add(effect.ask)
        if (asked !== undefined) open.records.push({ ...asked, outcome: effect.outcome, now: effect.now })
        return
      }
      case 'asked':
        open.asked.set(effect.ask, effect)
        return
      case 'due':
        open.due.set(effect.at, effect.due)
        return
      case 'sent':
        open.sent = effect.count
    }
  }

  #of(mail: number): Open {
    let open = this.#open.get(mail)
    if (open === undefined) this.#open.set(mail, (open = { records: [], asked: new Map(), replies: new Set(), due: new Map(), sent: 0 }))
    return open
  }

  /** Mail for this actor: in the log before its sender is told. */
  accept(envelope: Envelope, now: number): Promise<void> {
    const { numbers, kept } = this.#journal.append([mailEntry(envelope)])
    this.arrived(envelope, numbers[0] as number, now)
    return kept
  }

  /** Mail that another actor's step has put into the log. */
  arrived(envelope: Envelope, n: number, now: number): void {
    envelope.entry = n
    envelope.began = now
  }

  /** What a handler did for this envelope before; what it does from now on does not change it. */
  former(envelope: Envelope): Former {
    const open = this.#open.get(envelope.entry)
    const asked = new Map([...(open?.asked ?? [])].map(([ask, { at }]) => [at, ask]))
    return { records: [...(open?.records ?? [])], sent: open?.sent ?? 0, asked, due: new Map(open?.due) }
  }

  /** Keeps something that the handler of a mail did, with what it sent before it. */
  async keep(of: number, effect: Effect, mail: readonly NewEntry[] = []): Promise<readonly number[]> {
    const { numbers, kept } = this.#journal.append([...mail, { address: this.#address, of, body: pack(effect) }])
    await kept
    this.#note(of, effect)
    return numbers
  }

  /** A reply is in the log already, so its asker need not keep it again. */
  replied(of: number, ask: number, outcome: Outcome, now: number): void {
    this.#note(of, { t: 'reply', ask, outcome, now })
  }
  hasReply(of: number, ask: number): boolean {
    return this.#open.get(of)?.replies.has(ask) === true
  }

  /** Commits the end of a step: the state, the mail it dealt with, what it sent and the reply. */
  async commit(state: unknown, dealt: Envelope, took: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    const written = await this.#commit(pack(state), [dealt.entry, ...took], entries)
    this.#open.delete(dealt.entry)
    return written
  }

  async #commit(state: Uint8Array | undefined, dealt: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    // Mail is dealt with in nearly the order of the log: one number covers all but the few that overtook others.
    const first = this.#journal.firstOpen(this.#address, dealt)
    const low = Math.max(this.#low, first === undefined ? Math.max(...dealt) : first - 1)
    const done = [...this.#done, ...dealt].filter((n) => n > low)
    const written = await this.#journal.commit(this.#address, { state, low, done }, dealt, entries)
    this.#state = state
    this.#low = low
    this.#done = new Set(done)
    return written
  }

  /** The envelope has ended without a step: refused, expired, cancelled or set aside. */
  async deal(envelope: Envelope): Promise<void> {
    await this.#commit(this.#state, [envelope.entry], [])
    this.#open.delete(envelope.entry)
  }
}

export const mailEntry = (envelope: Envelope): NewEntry => ({ address: envelope.to, of: 0, body: packEnvelope(envelope, envelope.body) })
export const replyEntry = (address: Address, of: number, ask: number, outcome: Outcome, now: number): NewEntry => ({ address, of, body: pack({ t: 'reply', ask, outcome, now } satisfies Effect) })

function fromEntry({ n, body: bytes, now }: LogEntry): Envelope {
  const { header: h, body } = unpackEnvelope(bytes)
  const envelope = new Envelope(h.id, h.to, h.from, h.type, body, h.correlation, h.cause, 0, h.priority as Priority, h.trace, h.sequence, h.attempt)
  envelope.entry = n
  envelope.began = now
  return envelope
}
