/**
 * One actor seen by the runtime.
 * Owns: its mailbox, its life cycle, its children, the decision what a failure means.
 * Does not own: what a message does (its behaviour), where messages come from (post), how they end (endings).
 *
 * Invariants:
 * C1. Mail is handled only while the cell is active and its last outbox has left.
 * C2. A cell that has ended is out of the router before anybody is told.
 * C3. A failing envelope is retried at the head of the mailbox or dead; never lost, never twice.
 */
import { settledWithin } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { keep, noRoom } from './admission.js'
import { checkChildName, childAddress, isChild, keyOf, type Address } from './address.js'
import { unpack } from './codec.js'
import { behaviourOf, type Behaviour } from './behaviour.js'
import type { Definition } from './definition.js'
import type { Runnable } from './dispatcher.js'
import { isOpen, type CancelReason, type Envelope } from './envelope.js'
import { Ledger } from './ledger.js'
import { CELL_SLICE, DRAIN_MS, DURABLE_RETRIES } from './limits.js'
import { Mailbox, type Waiter } from './mailbox.js'
import type { Outbox } from './outbox.js'
import type { Parts } from './parts.js'
import type { Message } from './protocol.js'
import type { ActorEnding } from './ref.js'
import type { Receiver, Target } from './receiver.js'
import type { Resident } from './keyed.js'
import type { CellOptions } from './start-cell.js'
import { Watches } from './watches.js'
import { affected, decideSafely, retries, type RestartHistory } from './supervision.js'

type Phase = 'starting' | 'active' | 'suspended' | 'stopping' | 'ended'

export class Cell implements Runnable, Receiver, Target {
  queued = false
  resident: Resident | undefined
  readonly mailbox: Mailbox<Envelope>
  readonly behaviour: Behaviour
  readonly ledger: Ledger | undefined
  readonly keepsAsks: boolean
  #phase: Phase = 'starting'
  #held = 0
  #children: Map<string, Cell> | undefined
  #watches: Watches | undefined
  #history: RestartHistory | undefined
  #pause: { cancel(): void } | undefined
  #retiring = false
  #stopping: Promise<void> | undefined
  /** What it ends of. */
  #failure: unknown

  constructor(
    readonly address: Address,
    readonly definition: Definition,
    readonly parts: Parts,
    readonly options: CellOptions,
  ) {
    this.mailbox = new Mailbox(definition.options.mailbox)
    this.ledger = definition.options.durable === true ? Ledger.of(parts.journal, address, definition, options.isNew) : undefined
    this.keepsAsks = this.ledger !== undefined
    this.behaviour = behaviourOf(this)
  }

  get alive(): boolean {
    return this.#phase !== 'ended'
  }
  /** Whether it handles nothing for the rest of this life. */
  get blocked(): boolean {
    return this.#held === Infinity
  }
  get key(): string {
    return keyOf(this.address) ?? ''
  }
  /** How much it has to do, for a pool that picks the least loaded. */
  get load(): number {
    return this.mailbox.count + (this.behaviour.free ? 0 : 1)
  }
  /** Whether it may leave memory: no mail, nothing open, no children. */
  get restful(): boolean {
    return this.#isAlone && this.mailbox.count === 0 && this.behaviour.restful
  }
  get #isAlone(): boolean {
    return this.#phase === 'active' && this.#held === 0 && this.mailbox.waiting === 0 && (this.#children?.size ?? 0) === 0 && !this.parts.topics.has(this.address)
  }
  /** Whether it may leave memory in the middle of a handler: no neighbour holds it, and all of its mail is in the log. */
  get mayDoze(): boolean {
    return this.#isAlone && !this.#retiring && !isChild(this.address) && this.#watches?.idle !== false && this.ledger?.busy === false
  }
  get children(): readonly Cell[] {
    return this.#children === undefined ? [] : [...this.#children.values()]
  }

  /** A pool picks; a cell is its own choice. */
  pick(): Cell {
    return this
  }

  start(): void {
    this.#phase = 'starting'
    this.behaviour.start()
  }

  /** The behaviour has started. */
  began(): void {
    if (this.#phase !== 'starting') return
    this.#phase = 'active'
    this.wake()
  }

  // ── mail ──────────────────────────────────────────────────────────────────────────────────────

  /** Lets an envelope in; `full` when its sender may wait, or the error it was refused with. */
  accept(envelope: Envelope): 'accepted' | 'full' | TroupeError {
    if (this.#phase === 'stopping' || this.#phase === 'ended') return this.parts.endings.dead(envelope, 'stopped', this.#failure)
    if (this.resident !== undefined) this.resident.keyed.touch(this.resident)
    if (envelope.entry !== 0 && this.ledger?.hasRecovered(envelope) === true) return 'accepted'
    if (this.behaviour.working && this.behaviour.takesAside(envelope)) return keep(this, envelope)
    const offer = this.mailbox.offer(envelope)
    if (offer.kind === 'full') return noRoom(this, envelope)
    if (offer.kind === 'accepted') keep(this, envelope)
    if (!this.queued) this.wake()
    if (offer.kind === 'accepted') return 'accepted'
    let refused: TroupeError | undefined
    for (const dropped of offer.items) {
      // One that was called off has ended already.
      if (!isOpen(dropped)) continue
      const told = this.parts.endings.dead(dropped, 'dropped')
      if (dropped === envelope) refused = told
    }
    return refused ?? 'accepted'
  }

  /** The sender waits for room; `undefined` when too many do. What is in the log is accepted already: its sender is held back elsewhere. */
  awaitRoom(envelope: Envelope, settle: (admitted: boolean) => void): Waiter<Envelope> | undefined {
    return this.mailbox.wait(envelope, (admitted) => {
      if (admitted) keep(this, envelope)
      settle(admitted)
      if (admitted) this.wake()
    }, envelope.entry !== 0)
  }

  /** Mail that a former life accepted comes first, whatever the bounds: it is accepted already. */
  recover(envelopes: readonly Envelope[]): void {
    for (const envelope of envelopes.toReversed()) this.mailbox.putBack(envelope)
  }

  leave(waiter: Waiter<Envelope>): void {
    this.mailbox.leave(waiter)
  }

  /** Nobody wants the outcome: a queued envelope costs nothing any more, a running one is told. */
  cancel(envelope: Envelope, reason: CancelReason): void {
    if (!isOpen(envelope)) return
    if (envelope.ending === 'deferred') this.mailbox.pick((item) => item === envelope)
    const begun = this.behaviour.cancel(envelope, reason)
    if (begun === 'later') return
    if (reason === 'deadline' && begun !== true) this.parts.endings.dead(envelope, 'expired')
    else this.parts.endings.calledOff(envelope, reason)
    if (begun !== true) this.mailbox.unwanted(isOpen)
  }

  forget(ask: number, calledOff: CancelReason | undefined): void {
    this.behaviour.forget(ask, calledOff)
  }

  /** A message as its receiver sees it: unpacked, past the interceptors. Throws what refuses it. */
  open(envelope: Envelope): Message {
    const message = unpack(envelope.body) as { type: string } & Message
    // The sender's own string: one read from bytes is a new one each time, which every comparison would pay for.
    message.type = envelope.type
    return this.parts.interceptors.received(message, envelope)
  }

  // ── turns ─────────────────────────────────────────────────────────────────────────────────────

  get more(): boolean {
    return this.#phase === 'active' && this.#held === 0 && (this.behaviour.hasWork || (this.mailbox.hasMail && this.behaviour.free))
  }

  wake(): void {
    if (!this.queued && this.more) this.parts.dispatcher.ready(this)
    if (this.#retiring) this.#retireWhenDone()
  }

  turn(): void {
    const { dispatcher } = this.parts
    for (let done = 0; done < CELL_SLICE && this.more; done++) {
      if (!this.behaviour.work()) {
        const envelope = this.mailbox.take()
        if (envelope !== undefined) this.#receive(envelope)
      }
      if (dispatcher.tired()) return
    }
    if (this.#retiring) this.#retireWhenDone()
  }

  /** Ends once the mail that it has is handled. */
  retire(): void {
    this.#retiring = true
    this.#retireWhenDone()
  }

  #retireWhenDone(): void {
    if (this.#phase === 'active' && this.#held === 0 && !this.more && this.behaviour.free) void this.stop({ kind: 'stopped' })
  }

  #receive(envelope: Envelope): void {
    if (!isOpen(envelope)) return
    if (envelope.deadline !== 0 && envelope.deadline <= this.parts.clock.now()) {
      this.parts.endings.dead(envelope, 'expired')
      return
    }
    switch (this.behaviour.takes(envelope.type)) {
      case 'now':
      case 'try':
        return this.behaviour.handle(envelope)
      case 'later':
        return this.defer(envelope)
      case 'never':
        this.parts.endings.dead(envelope, 'unhandled')
    }
  }

  /** Keeps an envelope until the state changes; the newest is refused when too many are kept. */
  defer(envelope: Envelope): void {
    if (!this.mailbox.defer(envelope)) this.parts.endings.dead(envelope, 'overloaded')
    else if (envelope.ending !== 'deferred') this.parts.endings.deferred(envelope)
  }

  /** Sends what a step sent, in order, then calls `then`; mail waits meanwhile. */
  release(outbox: Outbox, then: () => unknown): void {
    const left = outbox.release(this, this.parts, () => {
      this.#held--
      then()
      this.wake()
    })
    if (left) then()
    else this.#held++
  }

  /** Puts an envelope back to the head, if there is one, and handles nothing for a while, or for the rest of this life. */
  pauseFor(ms: number, envelope: Envelope | undefined): void {
    if (envelope !== undefined && isOpen(envelope)) this.mailbox.putBack(envelope)
    this.#held += ms === Infinity ? Infinity : 1
    if (this.blocked) return
    const end = (): void => {
      timer.cancel()
      this.#held--
    }
    const timer = this.parts.clock.timer(ms, () => {
      end()
      this.#pause = undefined
      this.wake()
    })
    this.#pause = { cancel: end }
  }

  // ── failure ───────────────────────────────────────────────────────────────────────────────────

  /** Handling the envelope, or something within, has failed: retries or buries it, then supervision decides. */
  fail(envelope: Envelope | undefined, error: unknown): void {
    if (this.#phase === 'stopping' || this.#phase === 'ended') {
      if (envelope !== undefined && isOpen(envelope)) this.parts.endings.dead(envelope, 'failed', error)
      return
    }
    const decision = decideSafely(this.options.supervise ?? this.definition.options.supervise, (this.#history ??= []), error, this.parts.clock.now(), this.parts.clock.random(), this.#phase !== 'starting')
    const again = decision.kind === 'resume' || decision.kind === 'restart'
    if (envelope !== undefined && again && isOpen(envelope) && retries(this.definition.options, this.ledger === undefined ? 0 : DURABLE_RETRIES, envelope.tries, error)) {
      envelope.tries++
      this.mailbox.putBack(envelope)
      this.parts.inspection.retried(envelope)
    } else if (envelope !== undefined && isOpen(envelope)) this.parts.endings.dead(envelope, 'failed', error)
    switch (decision.kind) {
      case 'resume':
        return this.wake()
      case 'restart':
        return this.#restart(decision.delayMs, error)
      case 'stop':
        return void this.stop({ kind: 'failed', error })
      case 'escalate':
        return this.#escalate(error)
    }
  }

  /** Restarts this actor and, by its parent's strategy, siblings with it. */
  #restart(delayMs: number, error: unknown): void {
    const parent = this.options.parent
    const group = parent === undefined ? [this] : affected(parent.definition.options.strategy ?? 'one-for-one', parent.children, this)
    for (const cell of group.toReversed()) cell.#suspend(error)
    for (const cell of group) cell.#resumeAfter(delayMs)
  }

  #suspend(error: unknown): void {
    if (this.#phase === 'stopping' || this.#phase === 'ended') return
    this.#pause?.cancel()
    this.#pause = undefined
    if (this.#phase === 'suspended') return
    this.#phase = 'suspended'
    for (const child of this.children.toReversed()) void child.stop({ kind: 'stopped' })
    this.behaviour.dispose('failed', error)
    this.mailbox.retry()
  }

  #resumeAfter(delayMs: number): void {
    const begin = (): void => void (this.#phase === 'suspended' && this.start())
    // Children of the former life must be gone before their names are taken again.
    const gone = Promise.all(this.children.map((child) => child.stop({ kind: 'stopped' })))
    if (delayMs === 0) void gone.then(begin)
    else this.#pause = this.parts.clock.timer(delayMs, () => void gone.then(begin))
  }

  #escalate(error: unknown): void {
    const parent = this.options.parent
    void this.stop({ kind: 'failed', error })
    // A chart hears of its child's failure as an event, and decides.
    if (this.options.childOf === undefined) parent?.fail(undefined, new TroupeError('ActorFailed', `${this.address} failed and its supervisor gave up on it`, 'see the cause', { address: this.address }, error))
  }

  // ── family ────────────────────────────────────────────────────────────────────────────────────

  /** Starts a child. Throws `InvalidDefinition` for a bad name or one that is taken. */
  startChild(name: string, definition: Definition, options: Omit<CellOptions, 'parent'>): Cell {
    return this.adopt(this.makeChild(name, definition, options))
  }

  /** A child made ready, which nobody knows yet. Throws for a bad name, or a durable one that cannot go on. */
  makeChild(name: string, definition: Definition, options: Omit<CellOptions, 'parent'>): Cell {
    return new Cell(childAddress(this.address, checkChildName(name)), definition, this.parts, { ...options, parent: this })
  }

  adopt(child: Cell): Cell {
    if (this.#phase === 'stopping' || this.#phase === 'ended') throw new TroupeError('Cancelled', `${this.address} is stopping, so it starts no child`, 'see me.signal', { reason: 'actor-stopped' })
    this.parts.router.add(child)
    this.#children ??= new Map()
    this.#children.set(child.address.slice(this.address.length + 1), child)
    child.start()
    return child
  }

  removeChild(child: Cell): void {
    this.#children?.delete(child.address.slice(this.address.length + 1))
    if (this.#children?.size === 0) this.#children = undefined
  }

  /** Who waits for this actor's end, and whose end it waits for. */
  get watches(): Watches {
    return (this.#watches ??= new Watches())
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────

  /** Ends this actor, its children first; resolves when it has ended. */
  stop(ending: ActorEnding, reason: CancelReason = 'actor-stopped'): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping
    this.#phase = 'stopping'
    if (ending.kind === 'failed') this.#failure = ending.error
    this.#pause?.cancel()
    const running = this.behaviour.quit(reason)
    if (running === undefined && this.#children === undefined) {
      this.#stopping = Promise.resolve()
      this.#end(ending)
      return this.#stopping
    }
    return (this.#stopping = this.#stopSlowly(ending, reason, running))
  }

  async #stopSlowly(ending: ActorEnding, reason: CancelReason, running: Promise<void> | undefined): Promise<void> {
    for (const child of this.children.toReversed()) await child.stop({ kind: 'stopped' }, reason)
    // Not for ever: a handler that does not heed its signal is left behind.
    if (running !== undefined) await settledWithin(running, DRAIN_MS, this.parts.clock)
    this.#end(ending)
  }

  /** Leaves memory without an end: its next life goes on from the log. Gives the mail that waits. */
  doze(): readonly Envelope[] {
    this.#phase = 'ended'
    this.parts.router.remove(this)
    return this.mailbox.drain().filter(isOpen)
  }

  #end(ending: ActorEnding): void {
    if (ending.kind === 'failed') this.behaviour.dispose('failed', ending.error)
    else this.behaviour.dispose('stopped')
    this.#phase = 'ended'
    this.parts.router.remove(this)
    this.#watches?.unfollow()
    this.parts.topics.forget(this.address)
    this.options.parent?.removeChild(this)
    // A durable actor's mail stays in the log for its next life; only its askers are told.
    for (const envelope of this.mailbox.drain()) if (isOpen(envelope)) this.parts.endings.dead(envelope, 'stopped', this.#failure)
    this.options.childOf?.chart.childEnded(this.options.childOf.ref, this.address, ending)
    this.#watches?.tell(ending)
  }
}
