/**
 * What one handler holds while it handles one envelope.
 * Invariant: what it sent leaves when it commits, or before the first effect that it awaits, in order.
 */
import { TroupeError } from '../ground/errors.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import type { Address } from './address.js'
import { findCycle } from './ask-cycle.js'
import { attempt } from './attempt.js'
import type { Cell } from './cell.js'
import type { Definition } from './definition.js'
import type { Inference, InferOptions } from './effects.js'
import { isOpen, type CancelReason, type Envelope, type PriorityName } from './envelope.js'
import { runInference } from './inference.js'
import type { Me } from './me.js'
import { Outbox } from './outbox.js'
import type { Sender } from './post.js'
import type { Message, Protocol, Specs } from './protocol.js'
import type { Receiver } from './receiver.js'
import type { ActorEnding, AskOptions, Ref } from './ref.js'
import { cancelled, type Asker, type OpenAsk } from './replies.js'
import type { SpawnOptions } from './troupe.js'
import { runWithin, stepWork, type StepWork } from './step-work.js'
import { Waits } from './waits.js'

interface Awaited {
  readonly type: string
  readonly resolve: (message: Message) => void
}

/** What a handler's behaviour lends to it. */
export interface HandlerHost {
  state: unknown
  /** Asks and waits under way. */
  pending: number
  /** Whether a handler keeps all others waiting while it awaits. */
  readonly exclusive: boolean
}

export class HandlerMe implements Sender, Asker {
  readonly handling: Envelope | undefined
  stopAfter = false
  readonly #cell: Cell
  readonly #handlers: HandlerHost
  #active = true
  #outbox: Outbox | undefined
  #asks: Set<OpenAsk> | undefined
  #abort: AbortController | undefined
  #cancelled: CancelReason | undefined
  #waits: Waits | undefined
  #awaited: Awaited | undefined
  /** What was sent before an await and has not left yet. */
  #leaving: Promise<void> | undefined
  /** Effects begun so far. */
  #effects = 0

  constructor(cell: Cell, handlers: HandlerHost, envelope: Envelope | undefined) {
    this.#cell = cell
    this.#handlers = handlers
    this.handling = envelope
  }

  get cancelReason(): CancelReason | undefined {
    return this.#cancelled
  }

  get id(): Address {
    return this.#cell.address
  }
  get address(): Address {
    return this.#cell.address
  }
  get from(): Address {
    return this.handling?.from ?? ''
  }
  get envelope(): number {
    return this.handling?.id ?? 0
  }
  get cause(): Envelope | undefined {
    return this.handling
  }
  get asker(): Asker {
    return this
  }
  get asks(): Iterable<OpenAsk> {
    return this.#asks ?? NOTHING
  }
  /** What it sent and did not leave yet. */
  get unsent(): Outbox | undefined {
    return this.#outbox
  }
  get hasSent(): boolean {
    return this.#outbox !== undefined
  }
  get waits(): Pick<Waits, 'size' | 'until'> | undefined {
    return this.#waits
  }
  get state(): unknown {
    return this.#handlers.state
  }
  set state(state: unknown) {
    this.#handlers.state = state
  }
  get clock(): { now(): number } {
    return this.#cell.parts.clock
  }
  get self(): Ref {
    return this.#cell.parts.ref(this.#cell.definition.protocol, this.#cell.address)
  }
  get signal(): AbortSignal {
    // Made on demand: most handlers never look, and a controller for each message would cost more than the message.
    this.#abort ??= new AbortController()
    if (this.#cancelled !== undefined && !this.#abort.signal.aborted) this.#abort.abort(this.#cancelledError(this.#cancelled))
    return this.#abort.signal
  }

  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S> {
    return this.#cell.parts.ref(protocol, address)
  }

  tell(to: Ref, message: Message, options?: { readonly priority?: PriorityName }): void {
    this.send(this.#cell.parts.post.toTell(this, to, message, options?.priority))
  }

  publish(topic: string, message: Message): void {
    this.send(this.#cell.parts.post.toPublish(this, topic, message))
  }

  protected send(envelopes: readonly Envelope[]): void {
    const outbox = this.#active ? (this.#outbox ??= new Outbox()) : new Outbox()
    let full: TroupeError | undefined
    for (const envelope of envelopes) {
      try {
        outbox.add(envelope)
      } catch (error) {
        full = error as TroupeError
        this.#cell.parts.endings.dead(envelope, 'overloaded')
      }
    }
    if (full !== undefined) throw full
    // After its end a handler has no step to commit with: what a left-over callback sends leaves at once.
    if (!this.#active) outbox.release(this.#cell, this.#cell.parts, () => {})
  }

  ask(to: Ref, message: Message, options?: AskOptions): Promise<unknown> {
    return this.effect('ask', to.address, message, (at) => this.askNow(to, message, options, at))
  }

  stream(to: Ref, message: Message, options?: AskOptions): AsyncIterableIterator<unknown> {
    this.#assertWanted()
    const { post } = this.#cell.parts
    const left = this.#segment()
    if (left === undefined) return post.stream(to, message, options, this)
    return (async function* (me: HandlerMe) {
      await left
      yield* post.stream(to, message, options, me)
    })(this)
  }

  infer(task: string, model: string, input: unknown, options: InferOptions = {}): Inference {
    const { parts, definition } = this.#cell
    const signal = options.signal === undefined ? this.signal : AbortSignal.any([this.signal, options.signal])
    const deadline = Math.min(this.handling?.deadline || Infinity, options.deadline ?? Infinity)
    return runInference(this.afterSegment(() => parts.kernels(definition)), task, model, input, { ...options, clock: parts.clock, signal, deadline })
  }

  step<T>(name: string, run: (work: StepWork) => T | Promise<T>, { timeout }: { readonly timeout?: Duration } = {}): Promise<T> {
    return this.effect('step', name, undefined, (at) => {
      const work = stepWork(this, `${this.address}#${this.envelope}/${at}/${name}`)
      return timeout === undefined ? Promise.resolve(run(work)) : runWithin(timeout, this.#cell, name, work, run)
    })
  }

  sleep(duration: Duration): Promise<void> {
    const ms = milliseconds(duration)
    return this.effect('sleep', '', ms, async (at) => this.#sleepUntil(await this.dueAt(ms, at)))
  }

  #sleepUntil(due: number): Promise<void> {
    const { clock } = this.#cell.parts
    return this.#wait(due, (resolve) => {
      const timer = clock.timer(Math.max(0, due - clock.now()), () => resolve(undefined))
      return () => timer.cancel()
    })
  }

  waitFor(type: string, { timeout }: { readonly timeout?: Duration } = {}): Promise<Message> {
    return this.effect('waitFor', type, undefined, async (at) => this.#waitFor(type, timeout === undefined ? Infinity : await this.dueAt(milliseconds(timeout), at)))
  }

  #waitFor(type: string, until: number): Promise<Message> {
    const { mailbox, parts, definition } = this.#cell
    if (definition.protocol.specs[type]?.kind !== 'event') throw new TroupeError('InvalidDefinition', `${type} is no event of ${this.address}`, "wait for an event of the actor's own protocol")
    for (;;) {
      const waiting = mailbox.pick((envelope) => envelope.type === type && isOpen(envelope))
      if (waiting === undefined) break
      const message = this.#openAside(waiting)
      if (message !== undefined) return Promise.resolve(message)
    }
    if (this.#awaited !== undefined) throw new TroupeError('InvalidDefinition', `a handler of ${this.address} waits for ${this.#awaited.type} already`, 'wait for one event at a time')
    return this.#wait<Message>(until, (resolve, reject) => {
      this.#awaited = { type, resolve }
      const timer = until === Infinity ? undefined : parts.clock.timer(Math.max(0, until - parts.clock.now()), () => reject(new TroupeError('DeadlineExceeded', `no ${type} came to ${this.address} in time`, 'give waitFor a longer timeout, or catch this error')))
      return () => {
        this.#awaited = undefined
        timer?.cancel()
      }
    })
  }

  /** Whether an arriving envelope is the event that this handler waits for; takes it then. */
  takesAside(envelope: Envelope): boolean {
    const awaited = this.#awaited
    if (awaited?.type !== envelope.type) return false
    const message = this.#openAside(envelope)
    if (message !== undefined) awaited.resolve(message)
    return true
  }

  /** The message of an envelope that its handler takes past the mailbox; nothing when an interceptor refuses it. */
  #openAside(envelope: Envelope): Message | undefined {
    try {
      const message = this.#cell.open(envelope)
      this.tookAside(envelope)
      return message
    } catch (error) {
      this.#cell.parts.endings.dead(envelope, 'refused', error)
      return undefined
    }
  }

  spawn<S extends Specs>(name: string, definition: Definition<S>, options: SpawnOptions = {}): Ref<S> {
    const child = this.#cell.startChild(name, definition, options)
    return this.#cell.parts.ref(definition.protocol, child.address)
  }

  watch(ref: Ref, message: (ending: ActorEnding) => Message): void {
    const { parts } = this.#cell
    const cell = this.#cell
    const told = (ending: ActorEnding): void => parts.post.notify(cell, message(ending))
    const other = parts.router.watches(ref.address)
    if (other === undefined) return told({ kind: 'no-such-actor' })
    cell.watches.follow(other, (ending) => {
      try {
        told(ending)
      } catch (error) {
        // A message that cannot be made of an ending is the fault of who watches, not of who has ended.
        cell.fail(undefined, error)
      }
    })
  }

  subscribe(pattern: string): void {
    this.#cell.parts.topics.subscribe(pattern, this.#cell.address)
  }
  random(): number {
    return this.#cell.parts.clock.random()
  }
  changed = (_name: string): boolean => true
  log(...words: readonly unknown[]): void {
    this.#cell.parts.log(this.#cell.address, words)
  }
  stop(): void {
    if (this.#active) this.stopAfter = true
    else void this.#cell.stop({ kind: 'stopped' })
  }

  // ── its own asks ──────────────────────────────────────────────────────────────────────────────

  mayAsk(cell: Receiver, type: string): void {
    if (!this.#active || !this.#handlers.exclusive) return
    const cycle = findCycle(this.#cell, cell)
    if (cycle === undefined) return
    throw new TroupeError('AskCycle', `${type} would never be answered: ${cycle.join(' asks ')}`, 'tell instead of ask in one direction, or let one of them answer before it asks', { cycle })
  }
  opened(ask: OpenAsk): void {
    this.#asks ??= new Set()
    this.#asks.add(ask)
    this.#handlers.pending++
  }
  closed(ask: OpenAsk): void {
    if (this.#asks?.delete(ask) === true) this.#handlers.pending--
  }

  // ── its end ───────────────────────────────────────────────────────────────────────────────────

  /** The handler has ended well: gives what it sent and did not leave yet. */
  finish(): Outbox | undefined {
    const outbox = this.#outbox
    this.#outbox = undefined
    this.#active = this.stopAfter = false
    return outbox
  }

  /** The handler has failed or was left behind: what it sent since its last segment is dropped, its asks are called off. */
  abandon(reason: CancelReason): void {
    this.finish()?.drop(this.#cell.parts.endings)
    this.cancel(reason)
  }

  /**
   * It is left behind without a word, to run again from what is on record: what it waits for is never settled, what it
   * asked for goes on.
   */
  letGo(): void {
    this.finish()?.drop(this.#cell.parts.endings)
    this.#cancelled ??= 'actor-stopped'
    for (const ask of this.#asks ?? NOTHING) this.#cell.parts.replies.letGo(ask.envelope.id)
    this.#waits?.letGo()
  }

  /** Nobody wants the outcome: its signal fires, and what it waits for and asked for is called off. */
  cancel(reason: CancelReason): void {
    if (this.#cancelled !== undefined) return
    this.#cancelled = reason
    const error = this.#cancelledError(reason)
    this.#abort?.abort(error)
    for (const ask of this.#asks ?? NOTHING) this.#cell.parts.replies.cancel(ask.envelope.id, reason)
    this.#waits?.fail(error)
  }

  // ── segments ──────────────────────────────────────────────────────────────────────────────────

  /** Lets go what was sent so far; a promise when receivers must make room first. */
  #segment(): Promise<void> | undefined {
    const outbox = this.#outbox
    if (outbox === undefined) return this.#leaving
    this.#outbox = undefined
    const release = (): Promise<void> => this.leave(outbox)
    const leaving = this.#leaving === undefined ? release() : this.#leaving.then(release)
    this.#leaving = leaving
    const gone = (): void => {
      if (this.#leaving === leaving) this.#leaving = undefined
    }
    leaving.then(gone, gone)
    return leaving
  }

  /** Begins an effect, once what was sent before has left. `at` counts the handler's effects. */
  protected effect<T>(_kind: string, _detail: string, _input: unknown, run: (at: number) => Promise<T>): Promise<T> {
    const at = this.#effects++
    return this.afterSegment(() => run(at))
  }

  protected askNow(to: Ref, message: Message, options: AskOptions | undefined, _at: number): Promise<unknown> {
    return this.#cell.parts.post.ask(to, message, options, this)
  }

  /** When a wait of so long ends that the effect at this place begins. */
  protected dueAt(ms: number, _at: number): Promise<number> {
    return Promise.resolve(this.#cell.parts.clock.now() + ms)
  }

  /** One more wait has begun. */
  protected waiting(): void {}

  /** The handler took an envelope past the mailbox. */
  protected tookAside(envelope: Envelope): void {
    this.#cell.parts.endings.handled(envelope)
  }

  /** Lets an outbox go, once whoever keeps what it holds has kept it. */
  protected leave(outbox: Outbox): Promise<void> {
    return new Promise((resolve) => this.#cell.release(outbox, () => resolve()))
  }

  protected afterSegment<T>(effect: () => Promise<T>): Promise<T> {
    const left = this.#segment()
    if (left === undefined) return this.#wanted(effect)
    return left.then(() => this.#wanted(effect))
  }

  #wanted<T>(effect: () => Promise<T>): Promise<T> {
    return this.#cancelled === undefined ? attempt(effect) : Promise.reject(this.#cancelledError(this.#cancelled))
  }

  #assertWanted(): void {
    if (this.#cancelled !== undefined) throw this.#cancelledError(this.#cancelled)
  }

  /** A wait that ends with this handler's cancel at the latest. */
  #wait<T>(until: number, begin: (resolve: (value: T) => void, reject: (error: TroupeError) => void) => () => void): Promise<T> {
    this.#assertWanted()
    this.#waits ??= new Waits(this.#handlers)
    const waited = this.#waits.begin(until, begin)
    this.waiting()
    return waited
  }

  #cancelledError(reason: CancelReason): TroupeError {
    return cancelled(this.handling?.type ?? 'started', this.#cell.address, reason)
  }
}

const NOTHING: Iterable<never> = []

/** The face that handlers see and what stands behind it are one object; this line keeps them in step. */
export type HandlerFace = Pick<HandlerMe, keyof Me>
