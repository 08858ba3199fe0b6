/**
 * One durable handler at work: each effect is recorded before the handler sees its result, and what it sends is
 * recorded with its place, so that the handler can run again after a crash and repeat nothing.
 */
import { asTroupeError, type TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import type { Cell } from './cell.js'
import { pack } from './codec.js'
import { Envelope } from './envelope.js'
import type { Inference } from './effects.js'
import { fingerprint } from './fingerprint.js'
import type { NewEntry } from './log-entry.js'
import { ASK_TIMEOUT_MS } from './limits.js'
import { InOrder } from './in-order.js'
import { mailEntry, type Former, type Ledger } from './ledger.js'
import type { Sender } from './post.js'
import { Replay, type Failed, type Outcome, type Recorded } from './replay.js'
import { isShutdown } from './replies.js'
import { isStoreFailure } from './store/store.js'

/** The place of the whole of an effect among its parts. */
const WHOLE = -1

const hashOf = (input: unknown): string => fingerprint(pack(input)).toString(36)
const NO_INPUT = hashOf(undefined)
const hash = (input: unknown): string => (input === undefined ? NO_INPUT : hashOf(input))

const noop = (): void => {}

const settled = (work: () => Promise<unknown>): Promise<Outcome> =>
  work().then(
    (value): Outcome => ({ ok: true, value }),
    (error: unknown): Outcome => ({ ok: false, error }),
  )

const never = (): Promise<never> => new Promise(() => {})

type Taken = Pick<Envelope, 'entry'> & Partial<Pick<Envelope, 'kept'>>

export class DurableRun {
  readonly #cell: Cell
  readonly #ledger: Ledger
  readonly #envelope: Envelope
  readonly #former: Former
  readonly #replay: Replay
  readonly #inOrder: InOrder
  /** The asks to durable actors, by place: their replies come into the log by themselves. */
  readonly #asked: Map<number, number>
  readonly #recorded = new Set<Taken>()
  readonly #changed = new Map<string, boolean>()
  #sent = 0
  #draws = 0
  /** Its handler was left behind: nothing that it still does counts, and nothing that it waits for comes. */
  #gone = false
  /** Why this run comes to nothing: the store took something of it and not the rest. It runs again once there is room. */
  #broken: TroupeError | undefined
  #left = false
  /** Mail that this handler took past the mailbox, by the effect that took it. */
  readonly #tookAt: Map<number, Taken>

  constructor(cell: Cell, ledger: Ledger, envelope: Envelope) {
    this.#cell = cell
    this.#ledger = ledger
    this.#envelope = envelope
    this.#former = ledger.former(envelope)
    this.#asked = new Map(this.#former.asked)
    this.#tookAt = new Map(this.#former.records.flatMap(({ at, took }) => (took === undefined ? [] : [[at, { entry: took }]])))
    const { clock, dispatcher } = cell.parts
    this.#inOrder = new InOrder(dispatcher)
    this.#replay = new Replay(this.#former.records.filter(({ at }) => at !== WHOLE), envelope.began, {
      record: (result) => this.#record(result),
      settled: () => new Promise((resolve) => clock.nextTurn(resolve)),
      now: () => clock.now(),
      sent: () => this.#sent,
      timer: (ms, fire) => clock.timer(ms, fire, true),
    }, this.#former.spare)
  }

  /** The time that the handler sees. */
  now(): number {
    return this.#replay.now
  }

  /** The same numbers each time the handler runs. */
  random(): number {
    return fingerprint(`${this.#envelope.entry}/${this.#draws++}`) / 2 ** 32
  }

  /** Whether this run is to take the new way at a change of the code: it came here before with it, or has nothing on record from here on. */
  isChanged(name: string): boolean {
    const known = this.#changed.get(name)
    if (known !== undefined) return known
    const changed = this.#former.changed.has(name) || !this.#replay.hasMore
    this.#changed.set(name, changed)
    // In the log before whatever this run records from here on; a run that records nothing more needs no note.
    if (changed && !this.#former.changed.has(name)) this.#ledger.keep(this.#envelope.entry, { t: 'changed', name }).catch((error: unknown) => (this.#broken = error as TroupeError))
    return changed
  }

  /** Whether a message that the handler sends now has left in a former life. */
  hasLeft(): boolean {
    return ++this.#sent <= this.#former.sent
  }

  /** Runs an effect, or gives back what came of it before. */
  effect<T>(name: string, input: unknown, run: (at: number) => PromiseLike<T>): Promise<T> {
    if (this.#gone) return never()
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    return this.#replay.run(name, hash(input), run) as Promise<T>
  }

  /** Effects that have begun and not ended, streams being read among them; Infinity while it still gets back what it had. */
  get underWay(): number {
    return this.#replay.replaying ? Infinity : this.#replay.underWay
  }

  /** The ask that a former life sent at this place, whose reply is still to come. */
  askedAt(at: number): number | undefined {
    return this.#former.asked.get(at)
  }

  /** Runs the whole of an effect once: after a crash its outcome is given back, if it had one. */
  async once(name: string, work: () => Promise<unknown>): Promise<unknown> {
    const had = this.#former.records.find(({ at }) => at === WHOLE)
    const outcome = had?.outcome ?? (await settled(work))
    // What a full disk or the end of the process cut off has no outcome yet.
    if (!outcome.ok && (isStoreFailure(outcome.error) || isShutdown(outcome.error))) throw outcome.error
    if (had === undefined) await this.#ledger.keep(this.#envelope.entry, { t: 'result', at: WHOLE, name, input: '', outcome, now: this.#cell.parts.clock.now() })
    if (outcome.ok) return outcome.value
    throw outcome.error
  }

  /** A model call: one record, whether it is awaited, read part by part, or read and then awaited. One that was awaited gives no parts after that. */
  infer(name: string, input: unknown, begin: () => Inference): Inference {
    let result: Promise<unknown> | undefined
    const read = (): AsyncGenerator<unknown, unknown> => this.#replay.parts(`infer ${name}`, hash(input), begin)
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
      then: (fulfilled, rejected) => (result ??= this.effect(`infer ${name}`, input, async () => await begin())).then(fulfilled, rejected),
      async *[Symbol.asyncIterator]() {
        if (result !== undefined) return void (await result)
        let told: (whole: unknown) => void = noop
        let failed: (error: unknown) => void = noop
        result = new Promise((resolve, reject) => {
          told = resolve
          failed = reject
        })
        result.catch(noop)
        try {
          told(yield* read())
        } catch (error) {
          failed(error)
          throw error
        } finally {
          // Whoever leaves early hears no more of it.
          told(undefined)
        }
      },
    }
  }

  /** The sender of an ask at this place: one that went to a durable actor before a crash is only waited for. */
  asking(sender: Sender, at: number, { to, message, until }: { readonly to: Address; readonly message: unknown; readonly until: number }): Sender {
    const asked = this.askedAt(at)
    const answered = asked === undefined ? undefined : this.#ledger.replyTo(this.#envelope.entry, asked)?.outcome
    return { ...sender, entry: this.#envelope.entry, asked, answered, until, keepAsk: (cell, envelope) => (cell.keepsAsks ? this.keepAsk(at, `ask ${to}`, message, envelope, until) : undefined) }
  }

  /** Until when an ask at this place waits: the same moment after a crash, kept with it when it goes to a durable actor. */
  askUntil(at: number, ms: number): number | Promise<number> {
    const known = this.#former.due.get(at)
    if (known !== undefined) return known
    return ms <= ASK_TIMEOUT_MS || ms === Infinity ? this.#cell.parts.clock.now() + ms : this.dueAt(at, ms)
  }

  /** When a sleep that began at this place ends: the same moment after a crash. */
  async dueAt(at: number, ms: number): Promise<number> {
    const known = this.#former.due.get(at)
    if (known !== undefined) return known
    const due = this.#cell.parts.clock.now() + ms
    await this.#ledger.keep(this.#envelope.entry, { t: 'due', at, due })
    return due
  }

  /** The wait at this place took an envelope past the mailbox. */
  took(at: number, envelope: Envelope): void {
    this.#tookAt.set(at, envelope)
  }
  get taken(): readonly number[] {
    const { spare } = this.#former
    return [...[...this.#tookAt.values()].map(({ entry }) => entry), ...spare.flatMap(({ took }) => took ?? [])]
  }
  /** What it took and is not on record: somebody has to come back to it. */
  get takenInVain(): readonly Envelope[] {
    return [...this.#tookAt.values()].flatMap((taken) => (taken instanceof Envelope && !this.#recorded.has(taken) && taken.entry !== 0 ? [taken] : []))
  }

  /** Keeps what the handler sent so far, before it leaves. */
  async keepSent(envelopes: readonly Envelope[]): Promise<void> {
    const durable = envelopes.filter(({ to }) => this.#cell.parts.unclaimed.keeps(to))
    const numbers = await this.#ledger.keep(this.#envelope.entry, { t: 'sent', count: this.#sent }, durable.map((each) => mailEntry(this.#cell.parts.nodes, each)))
    this.#cell.parts.unclaimed.arrived(durable, numbers)
  }

  /** Keeps an ask to a durable actor along with the fact that it was sent. */
  async keepAsk(at: number, name: string, message: unknown, ask: Envelope, until: number): Promise<void> {
    const input = hash(message)
    this.#asked.set(at, ask.id)
    const numbers = await this.#ledger.keep(this.#envelope.entry, { t: 'asked', at, name, input, ask: ask.id, ...(until < Infinity && { until }) }, [mailEntry(this.#cell.parts.nodes, ask)])
    this.#cell.parts.unclaimed.arrived([ask], numbers)
  }

  /** How far a handler that runs again has come. */
  get progress(): Pick<Replay, 'replaying' | 'hasMore' | 'missing' | 'divergence'> {
    return this.#replay
  }

  /** Its actor's life ends: what fails from now on fails for that, and is no result. */
  leave(): void {
    this.#left = true
  }

  async #record(result: Recorded): Promise<Pick<Recorded, 'outcome' | 'now'>> {
    if (this.#gone) return never()
    // An effect of a chart learns that its ask was cut off before anybody tells it that its life ends.
    if (!result.outcome.ok && (this.#left || isShutdown(result.outcome.error))) {
      // A handler that gets over it has not come to its end all the same.
      this.#broken ??= asTroupeError(result.outcome.error)
      throw result.outcome.error
    }
    // A full disk is no result: kept as one, it would fail the handler each time that it runs again.
    if (!result.outcome.ok && isStoreFailure(result.outcome.error)) throw (this.#broken = result.outcome.error)
    const { entry } = this.#envelope
    const asked = this.#asked.get(result.at)
    const reply = asked === undefined ? undefined : this.#ledger.replyTo(entry, asked)
    if (reply !== undefined) return this.#inTurn(reply, reply.n)
    const taken = this.#tookAt.get(result.at)
    let n: number
    try {
      if (taken !== undefined) await taken.kept
      ;[n = 0] = await this.#ledger.keep(entry, { t: 'result', ...result, ...(taken !== undefined && { took: taken.entry }) })
    } catch (error) {
      if (isStoreFailure(error)) this.#broken = error
      throw error
    }
    if (taken !== undefined) this.#recorded.add(taken)
    return this.#inTurn(result, n)
  }

  #inTurn<T>(result: T, n: number): T | Promise<T> {
    const turn = this.#inOrder.turnOf(n, this.#replay.underWay === 1)
    return turn === undefined ? result : turn.then(() => (this.#gone ? never() : result))
  }

  /** The handler has ended: throws `Incompatible` when it left recorded effects uncalled, and what the store refused on its way. */
  ended(): void {
    if (this.#broken !== undefined) throw this.#broken
    this.#replay.ended()
  }

  /** The handler is left behind; when it runs again, another run stands for it. */
  letGo(): void {
    this.#gone = true
  }

  /** The handler has failed: what is to be forgotten of it when it runs again. */
  failedWith(error: unknown): Failed {
    return this.#replay.failedWith(error)
  }

  /** The mail of the last part of its outbox, for the step's own commit. */
  lastSent(envelopes: readonly Envelope[]): { readonly durable: readonly Envelope[]; readonly entries: readonly NewEntry[] } {
    const durable = envelopes.filter(({ to }) => this.#cell.parts.unclaimed.keeps(to))
    return { durable, entries: durable.map((each) => mailEntry(this.#cell.parts.nodes, each)) }
  }
}
