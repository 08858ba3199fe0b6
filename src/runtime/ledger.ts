/**
 * What one durable actor has accepted, begun and committed.
 * Owns: its last committed state, the mail it has not dealt with, the effects of the handler under way.
 * Does not own: how any of it is written (journal), nor when (its cell).
 */
import type { Address } from './address.js'
import { pack, packEnvelope, unpack, unpackEnvelope } from './codec.js'
import { Envelope, type Priority } from './envelope.js'
import type { Journal, LogEntry, NewEntry } from './journal.js'
import type { Outcome, Recorded } from './replay.js'

/** What the log keeps of a handler's effects, packed. */
export type Effect =
  | { readonly t: 'result'; readonly mail: number; readonly at: number; readonly name: string; readonly input: string; readonly outcome: Outcome; readonly now: number; readonly took?: number }
  /** An ask to a durable actor has left; its reply comes as an entry of its own. */
  | { readonly t: 'asked'; readonly mail: number; readonly at: number; readonly name: string; readonly input: string; readonly ask: number }
  | { readonly t: 'reply'; readonly ask: number; readonly outcome: Outcome; readonly now: number }
  /** This many messages of the handler have left. */
  | { readonly t: 'sent'; readonly mail: number; readonly count: number }
  /** When a sleep ends. */
  | { readonly t: 'due'; readonly mail: number; readonly at: number; readonly due: number }

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
  readonly due: Map<number, number>
  sent: number
  /** Its entries in the log: dealt with when its mail is. */
  readonly numbers: number[]
}

export class Ledger {
  readonly #journal: Journal
  readonly #address: Address
  readonly #open = new Map<number, Open>()
  /** Replies that are in the log already, by ask. */
  readonly #replies = new Map<number, { readonly n: number; readonly outcome: Outcome; readonly now: number }>()
  /** Entries that are not dealt with. */
  readonly #left = new Set<number>()
  #state: Uint8Array | undefined
  #low: number
  #done: Set<number>

  /** Reads the actor's record. Throws `StoreCorrupt` or `Incompatible`. */
  constructor(journal: Journal, address: Address) {
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
      this.#left.add(entry.n)
      if (entry.kind === 'mail') mail.set(entry.n, fromEntry(entry))
      else this.#note(entry.n, unpack(entry.body) as Effect, took)
    }
    for (const n of took) mail.delete(n)
    return [...mail.values()]
  }

  #note(n: number, effect: Effect, took: Set<number>): void {
    switch (effect.t) {
      case 'reply':
        this.#replies.set(effect.ask, { n, outcome: effect.outcome, now: effect.now })
        for (const open of this.#open.values()) {
          const asked = open.asked.get(effect.ask)
          if (asked === undefined) continue
          open.records.push({ ...asked, outcome: effect.outcome, now: effect.now })
          open.numbers.push(n)
        }
        return
      case 'result':
        if (effect.took !== undefined) took.add(effect.took)
        this.#of(effect.mail, n).records.push(effect)
        return
      case 'asked':
        this.#of(effect.mail, n).asked.set(effect.ask, effect)
        return
      case 'due':
        this.#of(effect.mail, n).due.set(effect.at, effect.due)
        return
      case 'sent':
        this.#of(effect.mail, n).sent = effect.count
    }
  }

  #of(mail: number, n: number): Open {
    let open = this.#open.get(mail)
    if (open === undefined) this.#open.set(mail, (open = { records: [], asked: new Map(), due: new Map(), sent: 0, numbers: [] }))
    open.numbers.push(n)
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
    this.#left.add(n)
  }

  former(envelope: Envelope): Former {
    const open = this.#open.get(envelope.entry)
    const asked = new Map([...(open?.asked ?? [])].map(([ask, { at }]) => [at, ask]))
    return { records: open?.records ?? [], sent: open?.sent ?? 0, asked, due: open?.due ?? new Map<number, number>() }
  }

  /** Keeps something that a handler did, with what it sent before it. */
  async keep(effect: Effect, mail: readonly NewEntry[] = []): Promise<readonly number[]> {
    const { numbers, kept } = this.#journal.append([...mail, { address: this.#address, kind: 'effect', body: pack(effect) }])
    await kept
    const own = numbers[mail.length] as number
    this.#left.add(own)
    this.#note(own, effect, new Set())
    return numbers
  }

  /** A reply is in the log already, so its asker need not keep it again. */
  replied(ask: number, n: number, outcome: Outcome, now: number): void {
    this.#left.add(n)
    this.#note(n, { t: 'reply', ask, outcome, now }, new Set())
  }
  hasReply(ask: number): boolean {
    return this.#replies.has(ask)
  }

  /** Commits the end of a step: the state, the mail it dealt with, what it sent and the reply. */
  async commit(state: unknown, dealt: Envelope, took: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    const written = await this.#commit(pack(state), [dealt.entry, ...took, ...this.#numbersOf(dealt)], entries)
    this.#open.delete(dealt.entry)
    return written
  }

  async #commit(state: Uint8Array | undefined, dealt: readonly number[], entries: readonly NewEntry[]): Promise<readonly number[]> {
    for (const n of dealt) this.#left.delete(n)
    // Entries are dealt with in nearly the order of the log: one number covers all but the few that overtook others.
    const low = this.#left.size === 0 ? Math.max(this.#low, ...dealt) : Math.max(this.#low, Math.min(...this.#left) - 1)
    const done = [...this.#done, ...dealt].filter((n) => n > low)
    try {
      const written = await this.#journal.commit(this.#address, { state, low, done }, dealt, entries)
      this.#state = state
      this.#low = low
      this.#done = new Set(done)
      return written
    } catch (error) {
      for (const n of dealt) this.#left.add(n)
      throw error
    }
  }

  /** The envelope has ended without a step: refused, expired, cancelled or set aside. */
  async deal(envelope: Envelope): Promise<void> {
    await this.#commit(this.#state, [envelope.entry, ...this.#numbersOf(envelope)], [])
    this.#open.delete(envelope.entry)
  }

  #numbersOf(dealt: Envelope): number[] {
    const open = this.#open.get(dealt.entry)
    if (open === undefined) return []
    const replies = [...open.asked.keys()].flatMap((ask) => {
      const reply = this.#replies.get(ask)
      this.#replies.delete(ask)
      return reply === undefined ? [] : [reply.n]
    })
    return [...new Set([...open.numbers, ...replies])]
  }
}

export const mailEntry = (envelope: Envelope): NewEntry => ({ address: envelope.to, kind: 'mail', body: packEnvelope(envelope, envelope.body) })
export const replyEntry = (address: Address, ask: number, outcome: Outcome, now: number): NewEntry => ({ address, kind: 'effect', body: pack({ t: 'reply', ask, outcome, now } satisfies Effect) })

function fromEntry({ n, body: bytes, now }: LogEntry): Envelope {
  const { header: h, body } = unpackEnvelope(bytes)
  const envelope = new Envelope(h.id, h.to, h.from, h.type, body, h.correlation, h.cause, 0, h.priority as Priority, h.trace, h.sequence, h.attempt)
  envelope.entry = n
  envelope.began = now
  return envelope
}
