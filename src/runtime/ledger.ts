/**
 * What one durable actor has accepted, begun and committed.
 * Owns: its last committed state, the mail it has not dealt with, the effects of the handler under way.
 * Does not own: how any of it is written (journal), nor when (its cell).
 */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack, packEnvelope, unpack, unpackEnvelope } from './codec.js'
import { historyOf, type Definition } from './definition.js'
import { Envelope, type Priority } from './envelope.js'
import { keepStep, type Handled, type HistoryStep } from './history-step.js'
import type { Journal } from './journal.js'
import type { LogEntry, NewEntry } from './log-entry.js'
import type { Failed, Outcome, Recorded } from './replay.js'
import type { Nodes } from './transport/nodes.js'
import { Upcast } from './upcast.js'

/** What the log keeps of a handler's effects, packed. */
export type Effect =
  | { readonly t: 'result'; readonly at: number; readonly name: string; readonly input: string; readonly outcome: Outcome; readonly now: number; readonly took?: number }
  /** An ask to a durable actor has left; its reply comes as an entry of its own. */
  | { readonly t: 'asked'; readonly at: number; readonly name: string; readonly input: string; readonly ask: number; readonly until?: number }
  | { readonly t: 'reply'; readonly ask: number; readonly outcome: Outcome; readonly now: number }
  /** This many messages of the handler have left. */
  | { readonly t: 'sent'; readonly count: number }
  /** When a sleep, or the patience of an ask, ends. */
  | { readonly t: 'due'; readonly at: number; readonly due: number }
  /** The handler came past a change of its code, and took the new way. */
  | { readonly t: 'changed'; readonly name: string }
  /** The handler has failed and runs again. */
  | ({ readonly t: 'again' } & Failed)

/** A result as it is kept, with the mail that its effect took past the mailbox. */
export type KeptResult = Recorded & { readonly took?: number }

/** A reply in the log, and where it stands there. */
export type KeptReply = Pick<Recorded, 'outcome' | 'now'> & { readonly n: number }

/** What the former life of a handler left for it. */
export interface Former {
  readonly records: readonly KeptResult[]
  /** Results of a try that failed, which hold if they are called for again. */
  readonly spare: readonly KeptResult[]
  readonly sent: number
  readonly asked: ReadonlyMap<number, number>
  readonly due: ReadonlyMap<number, number>
  readonly changed: ReadonlySet<string>
}

interface Open {
  records: KeptResult[]
  spare: KeptResult[]
  readonly asked: Map<number, { readonly at: number; readonly name: string; readonly input: string }>
  /** Asks whose replies are in the log already. */
  readonly replies: Map<number, KeptReply>
  readonly due: Map<number, number>
  readonly changed: Set<string>
  sent: number
  /** What is to be forgotten before the handler runs again. */
  failed: Failed | undefined
  /** How often it has failed and run again. */
  agains: number
}

export class Ledger {
  readonly #journal: Journal
  readonly #address: Address
  readonly #open = new Map<number, Open>()
  #state: Uint8Array | undefined
  /** Mail that was in the log when this life began: its sender may be about to bring it all the same. */
  readonly #recovered = new Set<number>()
  #hasBegun = false
  /** Appends under way. */
  #writes = 0
  /** The commit under way, if there is one. */
  #last: Promise<void> | undefined
  #high: number
  #alarm: number | undefined
  readonly #upcast: Upcast
  /** The last entry before its life, for a chart's child. */
  readonly #born: number | undefined
  /** Whether its parent's step lets it go, once that is known: then nothing of it is kept any more. */
  #left: Promise<boolean> | undefined
  /** How many steps its history keeps, 0 for none, and how many it has had. */
  readonly #keeps: number
  #steps: number

  /** Reads an actor's record, unless a new life begins at its address. Throws `StoreCorrupt`, `Incompatible`, or `InvalidDefinition` without a journal. */
  static of(journal: Journal | undefined, address: Address, definition: Definition, isNew = false): Ledger {
    if (journal !== undefined) return new Ledger(journal, address, definition, isNew)
    throw new TroupeError('InvalidDefinition', `${address} is durable, and the troupe has no store`, "give one: createTroupe({ store: lmdb('./data') }), from 'troupe/lmdb'")
  }

  private constructor(journal: Journal, address: Address, definition: Definition, isNew: boolean) {
    this.#journal = journal
    this.#address = address
    const record = isNew ? undefined : journal.record(address)
    this.#born = isNew ? journal.latest : record?.born
    this.#upcast = new Upcast(address, definition)
    journal.runs(address, this.#upcast.version)
    this.#state = this.#upcast.state(record?.state, record?.by ?? 0)
    this.#high = record?.high ?? 0
    this.#alarm = record?.alarm
    this.#keeps = historyOf(definition)
    this.#steps = record?.history?.steps ?? 0
  }

  /** The last committed state, in memory of its own; `undefined` for an actor that never committed. */
  get state(): unknown {
    return this.#state === undefined ? undefined : unpack(this.#state)
  }
  get isNew(): boolean {
    return this.#state === undefined
  }

  /**
   * The mail that former lives accepted and did not deal with, oldest first. `underWay` is that of the handler that was
   * at work: the one that is known to wait, or else the one that did the latest thing. Given once: an actor that
   * restarts has what it had.
   */
  recover(waiting: number | undefined): { readonly mail: Envelope[]; readonly underWay: Envelope | undefined } {
    const mail = new Map<number, Envelope>()
    const took = new Set<number>()
    let latest = 0
    const left = this.#hasBegun ? [] : this.#journal.take(this.#address)
    this.#hasBegun = true
    for (const entry of left) {
      if (entry.of === 0) {
        mail.set(entry.n, this.#upcast.mail(fromEntry(entry), entry.by))
        continue
      }
      const effect = unpack(entry.body) as Effect
      this.#note(entry.of, effect, entry.n, took)
      if (effect.t !== 'reply') latest = entry.of
    }
    for (const n of took) mail.delete(n)
    for (const [n, envelope] of mail) {
      envelope.tries = this.#open.get(n)?.agains ?? 0
      this.#recovered.add(n)
    }
    return { mail: [...mail.values()], underWay: mail.get(waiting ?? latest) }
  }

  /** Whether mail that comes from its sender has been found in the log already, and may be dealt with since. */
  hasRecovered({ entry }: Envelope): boolean {
    return this.#recovered.has(entry) || !this.#journal.isOpen(this.#address, entry)
  }

  /** Whether something of this actor is on its way to the store. */
  get busy(): boolean {
    return this.#writes > 0 || this.#last !== undefined
  }

  #counted(write: Promise<void>): Promise<void> {
    const ended = (): void => void this.#writes--
    this.#writes++
    write.then(ended, ended)
    return write
  }

  #note(mail: number, effect: Effect, n: number, took?: Set<number>): void {
    const open = this.#of(mail)
    switch (effect.t) {
      case 'result':
        if (effect.took !== undefined) took?.add(effect.took)
        // The handler saw this, and no reply that reached the log a little earlier.
        if (open.replies.size > 0) open.records = open.records.filter(({ at }) => at !== effect.at)
        open.records.push(effect)
        return
      case 'reply': {
        const asked = open.asked.get(effect.ask)
        open.replies.set(effect.ask, { outcome: effect.outcome, now: effect.now, n })
        // One that came after the handler had given up on it is late.
        if (asked !== undefined && !open.records.some(({ at }) => at === asked.at)) open.records.push({ ...asked, outcome: effect.outcome, now: effect.now })
        return
      }
      case 'asked':
        open.asked.set(effect.ask, effect)
        if (effect.until !== undefined) open.due.set(effect.at, effect.until)
        return
      case 'due':
        open.due.set(effect.at, effect.due)
        return
      case 'changed':
        open.changed.add(effect.name)
        return
      case 'sent':
        open.sent = effect.count
        return
      case 'again':
        again(open, effect)
    }
  }

  #of(mail: number): Open {
    let open = this.#open.get(mail)
    if (open === undefined) this.#open.set(mail, (open = { records: [], spare: [], asked: new Map(), replies: new Map(), due: new Map(), changed: new Set(), sent: 0, failed: undefined, agains: 0 }))
    return open
  }

  /** Its parent lets it go with a step that is being kept: from now on nothing of its own is, unless that step fails. */
  leave(kept: Promise<unknown>): void {
    const left: Promise<boolean> = kept.then(
      () => true,
      () => {
        if (this.#left === left) this.#left = undefined
        return false
      },
    )
    this.#left = left
  }
  get leaving(): boolean {
    return this.#left !== undefined
  }

  /** Mail for this actor: in the log before its sender is told. */
  accept(envelope: Envelope, now: number): Promise<void> {
    if (this.#left !== undefined) return this.#counted(this.#left.then((left) => (left ? undefined : this.accept(envelope, now))))
    const { numbers, kept } = this.#journal.append([mailEntry(undefined, envelope)])
    this.arrived(envelope, numbers[0] as number, now)
    return this.#counted(kept)
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
    return { records: [...(open?.records ?? [])], spare: [...(open?.spare ?? [])], sent: open?.sent ?? 0, asked, due: new Map(open?.due), changed: new Set(open?.changed) }
  }

  /** Keeps something that the handler of a mail did, with what it sent before it. */
  async keep(of: number, effect: Effect, mail: readonly NewEntry[] = []): Promise<readonly number[]> {
    const mine = { address: this.#address, of, body: pack(effect) }
    const { numbers, kept } = this.#journal.append(mail.length > 0 ? [...mail, mine] : [mine])
    await this.#counted(kept)
    this.#note(of, effect, numbers.at(-1) as number)
    return numbers
  }

  /** The handler of a mail has failed. Nothing of it is forgotten unless it runs again. */
  failed(of: number, failed: Failed): void {
    this.#of(of).failed = failed
  }

  /** The handler of a mail is about to run; when it has failed before, that is in the log once this resolves. */
  again(of: number): Promise<unknown> | undefined {
    const failed = this.#open.get(of)?.failed
    return failed && this.keep(of, { t: 'again', ...failed })
  }

  /** A reply is in the log already, so its asker need not keep it again. */
  replied(of: number, ask: number, outcome: Outcome, now: number, n: number): void {
    if (this.#open.has(of)) this.#note(of, { t: 'reply', ask, outcome, now }, n)
  }
  replyTo(of: number, ask: number): KeptReply | undefined {
    return this.#open.get(of)?.replies.get(ask)
  }

  /** Commits the end of a step: the state, the mail it dealt with, what it sent and answered, when the actor wants to be woken, and the children whose lives it ends. */
  async commit(state: unknown, dealt: readonly number[], entries: readonly NewEntry[], { alarm, handled, gone = [] }: { readonly alarm?: number | undefined; readonly handled: Handled; readonly gone?: readonly Address[] }): Promise<readonly number[]> {
    const packed = pack(state)
    return this.#afterOthers(() => this.#commit(packed, dealt, entries, { alarm, handled, gone }))
  }

  /** The envelope has ended without a step: refused, expired, cancelled or set aside. Its asker, if it is durable, hears of it. Gives the numbers of what that needs. */
  async deal(envelope: Envelope, answer: readonly NewEntry[]): Promise<readonly number[]> {
    const { records, spare } = this.#of(envelope.entry)
    const took = [...records, ...spare].flatMap(({ took }) => took ?? [])
    return this.#afterOthers(() => this.#commit(this.#state, [envelope.entry, ...took], answer, { alarm: this.#alarm, gone: [] }))
  }

  /** What it sends on its way out. */
  async #lastWords(entries: readonly NewEntry[]): Promise<readonly number[]> {
    if (entries.length === 0) return []
    const { numbers, kept } = this.#journal.append(entries)
    await kept
    return numbers
  }

  #effectsOf(dealt: readonly number[]): HistoryStep['effects'] {
    return dealt.flatMap((n) => (this.#open.get(n)?.records ?? []).map(({ name, outcome }) => ({ name, outcome })))
  }

  /** One commit at a time: a later one writes the whole record, so it must know what the earlier one wrote. */
  #afterOthers<T>(commit: () => Promise<T>): Promise<T> {
    const mine = this.#last === undefined ? commit() : this.#last.then(commit)
    const last = mine.then(noop, noop)
    this.#last = last
    void last.then(() => {
      if (this.#last === last) this.#last = undefined
    })
    return mine
  }

  async #commit(state: Uint8Array | undefined, dealt: readonly number[], entries: readonly NewEntry[], { alarm, handled, gone }: { readonly alarm: number | undefined; readonly handled?: Handled; readonly gone: readonly Address[] }): Promise<readonly number[]> {
    if (this.#left !== undefined && (await this.#left)) return this.#lastWords(entries)
    const version = this.#upcast.version === 0 ? {} : { by: this.#upcast.version }
    const high = Math.max(this.#high, this.#journal.overUpTo(this.#address), ...dealt)
    const open = this.#journal.openBefore(this.#address, high, dealt)
    const steps = this.#steps + (this.#keeps > 0 && handled !== undefined ? 1 : 0)
    const kept = steps === this.#steps ? [] : keepStep(this.#address, steps, this.#keeps, { ...version, time: this.#journal.now, handled: handled as Handled, effects: this.#effectsOf(dealt), state: state as Uint8Array })
    const history = steps === 0 ? undefined : { steps, keep: this.#keeps }
    const record = { state, high, open, alarm, ...version, ...(this.#born !== undefined && { born: this.#born }), ...(history && { history }) }
    const written = await this.#journal.commit(this.#address, record, dealt, entries, kept, gone)
    this.#steps = steps
    this.#state = state
    this.#high = high
    this.#alarm = alarm
    for (const n of dealt) {
      this.#open.delete(n)
      this.#recovered.delete(n)
    }
    return written
  }
}

const noop = (): void => {}

/** What failed is to run again, and what came after it counts only if it is called for again: an effect may stand elsewhere then. */
function again(open: Open, { over, from, sent }: Failed): void {
  open.agains++
  // What failed by its own time has a time of its own when it runs again.
  for (const { at, outcome } of open.records) if (!outcome.ok && !over.includes(at)) open.due.delete(at)
  open.spare = [...open.spare, ...open.records.filter(({ at, outcome }) => at >= from && outcome.ok)]
  open.records = open.records.filter(({ at, outcome }) => at < from && (outcome.ok || over.includes(at)))
  open.sent = Math.min(open.sent, sent)
  open.failed = undefined
  // An ask without a reply was called off when the handler failed.
  for (const [ask, { at }] of open.asked) if (!open.records.some((record) => record.at === at)) open.asked.delete(ask)
  for (const at of open.due.keys()) if (at >= from) open.due.delete(at)
}

/** Mail as the log keeps it: for its actor, or for the node that its actor is on. */
export const mailEntry = (nodes: Pick<Nodes, 'mailEntry'> | undefined, envelope: Envelope): NewEntry => nodes?.mailEntry(envelope) ?? { address: envelope.to, of: 0, body: packEnvelope(envelope, envelope.body) }
export const replyEntry = (nodes: Pick<Nodes, 'replyEntry'> | undefined, address: Address, of: number, ask: number, outcome: Outcome, now: number): NewEntry => nodes?.replyEntry(address, of, ask, outcome) ?? ({ address, of, body: pack({ t: 'reply', ask, outcome, now } satisfies Effect) })

function fromEntry({ n, body: bytes, now }: LogEntry): Envelope {
  const { header: h, body } = unpackEnvelope(bytes)
  const envelope = new Envelope(h.id, h.to, h.from, h.type, body, h.correlation, h.cause, 0, h.priority as Priority, h.trace, h.sequence, h.attempt)
  envelope.entry = n
  envelope.began = now
  return envelope
}
