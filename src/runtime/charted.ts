/**
 * A statechart as a cell's behaviour.
 * Owns: the snapshot, the timers, the events from within, the answers it owes.
 * Does not own: what the next snapshot is; the chart decides, this only acts. Nor its children: chart-children.ts.
 *
 * Invariants:
 * H1. A step that throws, ends in error or cannot be carried out leaves the previous snapshot in force and none of its effects.
 * H2. What a step sent leaves only when it commits, before its answers, and those before the effects that it invoked.
 * H3. An event from within (a timer, an effect's or a child's outcome) is handled before mail, but a child's end after what
 *     the child had told before.
 * H4. A request that was taken is owed an answer until it is settled; when the actor ends, its asker is told.
 * H5. A step's fallible part comes first (chart-plan.ts); what follows cannot fail.
 */
import { TroupeError, describe } from '../ground/errors.js'
import type { Address } from './address.js'
import type { Behaviour } from './behaviour.js'
import type { Cell } from './cell.js'
import { ChartChildren, dropChild, isEnd, isUnable, parentOf, type ChildEnd } from './chart-children.js'
import { newPlan, planSend, planStep, type Answer, type Plan, type Planning, type TimerChange, type Within } from './chart-plan.js'
import { ChartTimers } from './chart-timers.js'
import type { Logic } from './definition.js'
import type { DurableRun } from './durable-run.js'
import type { Outcome } from './effect-run.js'
import { returnAddress, type CancelReason, type Cause, type Envelope } from './envelope.js'
import { WITHIN_MAX } from './limits.js'
import type { Message } from './protocol.js'
import type { ActorEnding } from './ref.js'
import { interrupted, unanswered } from './replies.js'
import { Chart, Self, type AnyActorRef, type AnyEventObject, type AnyMachineSnapshot, type ChartPort, type Step } from './xstate.js'

/** Most steps only change the snapshot. */
const isQuiet = ({ effects, started, stopped, snapshot }: Step): boolean => effects.length + started.length + stopped.length === 0 && snapshot.status === 'active'
const noop = (): void => {}

/** For a chart that names it: an asker that it still owes an answer waits no more. */
const ASKER_LEFT = 'xstate.asker.left'

export class Charted implements Behaviour, ChartPort, Planning {
  readonly self: Self
  readonly cell: Cell
  readonly #chart: Chart
  readonly #logic: Logic & { kind: 'machine' }
  #snapshot: AnyMachineSnapshot | undefined
  #within: Within[] | undefined
  #timers: ChartTimers | undefined
  #children: ChartChildren | undefined
  /** Requests that were taken and not answered yet, by ask. */
  protected owed: Map<number, Envelope> | undefined
  /** Children that have ended, and their last words are in the mailbox still. */
  #ends: ChildEnd[] | undefined
  /** Counts restarts. */
  #life = 0
  #unnamed = 0
  /** Whether a step waits until it is kept: then nothing else is handled. */
  #holding = false

  constructor(cell: Cell, logic: Logic & { kind: 'machine' }) {
    this.cell = cell
    this.#logic = logic
    this.#chart = Chart.of(logic.machine)
    this.self = new Self(cell.options.childOf?.ref.id ?? cell.address, this, parentOf(cell))
  }

  family(starting: boolean): ChartChildren | undefined {
    if (starting) this.#children ??= new ChartChildren(this, this.cell)
    return this.#children
  }

  get snapshot(): AnyMachineSnapshot | undefined {
    return this.#snapshot
  }
  get free(): boolean {
    return !this.#holding
  }
  get hasWork(): boolean {
    return !this.#holding && ((this.#within !== undefined && this.#within.length > 0) || (this.#ends !== undefined && !this.cell.mailbox.hasMail))
  }
  get working(): boolean {
    return this.#holding || this.#children?.effects === true
  }
  get restful(): boolean {
    return !this.hasWork && (this.#timers?.size ?? 0) + (this.#children?.size ?? 0) + (this.owed?.size ?? 0) === 0
  }

  start(): void {
    const { cell } = this
    let step: Step
    let plan: Plan | undefined
    try {
      const { address, key } = cell
      step = this.first(this.#chart, () => cell.options.input ?? this.#logic.input?.({ address, key }))
      if (step.snapshot.status === 'error') throw step.snapshot.error
      plan = planStep(this, step, cell.options.childOf?.cause)
    } catch (error) {
      return cell.fail(undefined, error)
    }
    const kept = this.keep(step, plan, undefined, undefined)
    const begin = (): void => this.#commit(step, plan, () => cell.began())
    if (kept === undefined) begin()
    else this.#whenKept(kept, begin, (error) => cell.fail(undefined, error))
  }

  /** What an effect of this chart runs with, when the actor is durable. */
  runOf(_child: string): DurableRun | undefined {
    return undefined
  }

  /** The step to start with. */
  protected first(chart: Chart, input: () => unknown): Step {
    return chart.start(this.self, input())
  }

  takes(type: string): 'now' | 'try' | 'later' | 'never' {
    const snapshot = this.#snapshot
    // What only XState may send, and the one name that it refuses with a throw.
    if (snapshot === undefined || snapshot.status !== 'active' || type.startsWith('xstate.') || type === '*') return 'never'
    return this.#chart.takes(snapshot, type)
  }

  handle(envelope: Envelope): void {
    let message: Message & { from?: unknown }
    try {
      message = this.cell.open(envelope)
      if (!Object.hasOwn(message, 'from')) {
        if (!Object.isExtensible(message)) message = { ...message }
        message.from = returnAddress(envelope)
      } else if (!this.#mayForward(envelope.from)) {
        throw new TroupeError('InvalidMessage', `${envelope.type} has a field named from`, "rename it: a chart's event says in `from` where it came from")
      }
    } catch (error) {
      this.cell.parts.endings.dead(envelope, 'refused', error)
      return
    }
    this.#run(message, envelope, envelope)
  }

  /** A chart's parent and children may pass an event on, so that its receiver answers the one who asked. */
  #mayForward(from: Address): boolean {
    const { options, children } = this.cell
    return options.parent?.address === from || children.some(({ address }) => address === from)
  }

  work(): boolean {
    if (this.#ends !== undefined) this.#hearEnds()
    const next = this.#within?.shift()
    if (next === undefined) return false
    if (next.source !== undefined && isEnd(next.event)) this.#forget(next.source)
    if (next.to === undefined) this.#run(next.event, undefined, next.cause, next)
    else this.#passOn(next.to, next.event, next.cause)
    return true
  }

  #forget(child: AnyActorRef): void {
    const old = this.#children?.forget(child)
    if (old !== undefined && this.#snapshot !== undefined) dropChild(this.#snapshot, old)
  }

  /** An event from within: nobody can refuse it. */
  internal(event: AnyEventObject, source?: AnyActorRef, cause?: Cause): void {
    const child = source && this.#children?.find(source)
    if (source !== undefined && child === undefined) return
    if (source !== undefined && (this.#within?.length ?? 0) >= WITHIN_MAX) {
      this.#children?.stop(source)
      const error = new TroupeError('Overloaded', `${source.id}, a child of ${this.cell.address}, sent more than ${WITHIN_MAX} events that wait`, 'send less from callbacks and observables, or let an actor with a mailbox do it')
      event = { type: `xstate.error.actor.${source.id}`, error, actorId: source.id }
    }
    this.#later({ event, source, cause: cause ?? child?.cause })
  }

  forChild(child: AnyActorRef, event: AnyEventObject): void {
    this.#later({ event, to: child })
  }

  #later(within: Within): void {
    this.#within ??= []
    this.#within.push(within)
    this.cell.wake()
  }

  /** A child that is being stopped: what it told of its end and was not handled yet is late. */
  unhear(child: AnyActorRef): void {
    this.#within = this.#within?.filter(({ source, event }) => source !== child || !(isEnd(event) || event.type.startsWith('xstate.snapshot.')))
  }

  // ── steps ─────────────────────────────────────────────────────────────────────────────────────

  #run(event: AnyEventObject, envelope: Envelope | undefined, cause: Cause | undefined, within?: Within): void {
    const before = this.#snapshot as AnyMachineSnapshot
    let step: Step
    let plan: Plan | undefined
    try {
      step = this.#chart.step(this.self, before, event)
      if (step.snapshot.status === 'error') throw step.snapshot.error
      if (envelope !== undefined && !step.taken) return this.#notTaken(envelope)
      if (!isQuiet(step)) plan = planStep(this, step, cause)
    } catch (error) {
      return this.cell.fail(envelope, error)
    }
    const kept = this.keep(step, plan, envelope, within)
    if (kept === undefined) return this.#carryOut(step, plan, envelope)
    this.#whenKept(kept, () => this.#carryOut(step, plan, envelope), (error) => {
      plan?.outbox.drop(this.cell.parts.endings)
      this.notKept(error, envelope, within)
    })
  }

  #carryOut(step: Step, plan: Plan | undefined, envelope: Envelope | undefined): void {
    const before = this.#snapshot
    if (envelope !== undefined) this.#took(envelope)
    this.#commit(step, plan, noop)
    if (this.#snapshot !== before) this.cell.mailbox.retry()
  }

  /** Keeps a step before it is carried out; nothing for an actor that is not durable. */
  protected keep(_step: Step, _plan: Plan | undefined, _envelope: Envelope | undefined, _within: Within | undefined): Promise<void> | undefined {
    return undefined
  }

  /** A step that could not be kept never was. */
  protected notKept(error: unknown, envelope: Envelope | undefined, _within: Within | undefined): void {
    this.cell.fail(envelope, error)
  }

  #whenKept(kept: Promise<void>, carryOut: () => void, failed: (error: unknown) => void): void {
    const life = this.#life
    const settle = (then: () => void): void => {
      if (life !== this.#life) return
      this.#holding = false
      then()
      this.cell.wake()
      this.cell.parts.dispatcher.poke()
    }
    this.#holding = true
    kept.then(
      () => settle(carryOut),
      (error: unknown) => settle(() => failed(error)),
    )
  }

  /** Handles nothing until the promise resolves. */
  protected holdFor(kept: Promise<void>, then: () => void): void {
    this.#whenKept(kept, then, noop)
  }

  /** A timer whose moment has passed already. */
  protected overdue(name: string, due: Within): void {
    this.#later({ ...due, timer: name })
  }

  /** An event from within that is to be handled again, before all others. */
  protected again(within: Within): void {
    this.#within ??= []
    this.#within.unshift(within)
  }

  #answer(answer: Answer): void {
    const { replies } = this.cell.parts
    void (answer.ok ? replies.reply(answer.ask, answer.value) : replies.fail(answer.ask, answer.error))
    this.forget(answer.ask, undefined)
  }

  /** A delayed send whose time has come, or one from outside a step. */
  #passOn(to: unknown, event: AnyEventObject, cause: Cause | undefined): void {
    const plan = newPlan([], new Set(), cause)
    try {
      planSend(this, plan, { to, event })
    } catch (error) {
      return this.cell.fail(undefined, error)
    }
    this.#commit(undefined, plan, noop)
  }

  #notTaken(envelope: Envelope): void {
    if (this.#chart.takesAnywhere(envelope.type)) this.cell.defer(envelope)
    else this.cell.parts.endings.dead(envelope, 'unhandled')
  }

  #took(envelope: Envelope): void {
    const { endings, replies } = this.cell.parts
    endings.handled(envelope)
    // A durable asker of a durable chart waits wherever it is: on another node, or out of memory.
    const isWaitedFor = replies.get(envelope.correlation) !== undefined || (envelope.sequence !== 0 && envelope.ending !== 'cancelled' && this.cell.ledger !== undefined)
    if (envelope.correlation !== 0 && isWaitedFor) (this.owed ??= new Map()).set(envelope.correlation, envelope)
  }

  /** Carries out a step; `step` is undefined for a send alone, `plan` for a step that only changes the snapshot. */
  #commit(step: Step | undefined, plan: Plan | undefined, then: () => void): void {
    const { childOf } = this.cell.options
    if (step !== undefined) {
      if (childOf !== undefined && step.snapshot !== this.#snapshot && step.snapshot.status === 'active') childOf.chart.#children?.shown(childOf.ref, step.snapshot)
      this.#snapshot = step.snapshot
    }
    if (plan === undefined) return then()
    for (const act of plan.acts) act()
    for (const change of plan.timers) this.changeTimer(change)
    const life = this.#life
    // The old go before the new take their names, but hear first what the step told them.
    const leaving = step?.stopped.map((ref) => this.#children?.stop(ref, { afterMail: plan.spokenTo.has(ref) }))
    for (const child of plan.starts) this.#children?.add(child)
    const done = (): void => {
      // A restart while the outbox waited for room: this step's life is over.
      if (life !== this.#life) return
      for (const cell of leaving ?? []) cell?.retire()
      for (const answer of plan.answers) this.#answer(answer)
      for (const child of plan.starts) this.#children?.begin(child)
      then()
      if (step?.snapshot.status === 'done') void this.cell.stop({ kind: 'finished', output: step.snapshot.output })
    }
    if (plan.outbox.empty) done()
    else this.cell.release(plan.outbox, done)
  }

  // ── timers ────────────────────────────────────────────────────────────────────────────────────

  timerName(): string {
    return `timer-${++this.#unnamed}`
  }

  /** A cancel reaches a timer that has fired and was not handled yet, too. */
  protected changeTimer(change: TimerChange): void {
    this.#timers?.cancel(change.name)
    this.#within = this.#within?.filter(({ timer }) => timer !== change.name)
    if (change.kind === 'cancel') return
    this.#timers ??= new ChartTimers(this.cell.parts.clock)
    this.#timers.set(change.name, change.delayMs, () => this.#later({ ...change.due, timer: change.name }))
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────

  /** A child cell has ended. One that was stopped by another has come to its end too, and has no output. */
  childEnded(ref: AnyActorRef, from: Address, ending: ActorEnding): void {
    const outcome: Outcome = ending.kind === 'failed' ? { ok: false, error: ending.error } : { ok: true, value: ending.kind === 'finished' ? ending.output : undefined }
    const child = this.#children?.find(ref)
    if (child === undefined) return
    // What a former life left of it is not to be dropped: the family waits for the code or the store that can go on.
    if (ending.kind === 'failed' && isUnable(child)) return void this.cell.stop(ending)
    ;(this.#ends ??= []).push({ ref, from, outcome })
    this.#hearEnds()
    this.cell.wake()
  }

  #hearEnds(): void {
    const heard = (this.#ends ?? []).filter(({ from }) => !this.cell.mailbox.someWaits((envelope) => envelope.from === from))
    if (heard.length === 0) return
    const left = this.#ends?.filter((end) => !heard.includes(end))
    this.#ends = left?.length === 0 ? undefined : left
    for (const { ref, outcome } of heard) this.#children?.ended(ref, outcome)
  }

  /** A request that it owes an answer, or somebody above it who passed it on. */
  owes(ask: number): Envelope | undefined {
    return this.owed?.get(ask) ?? this.cell.options.childOf?.chart.owes(ask)
  }

  /** A chart never waits for what it asked: it takes mail meanwhile. */
  awaits(): Iterable<never> {
    return []
  }

  takesAside(): boolean {
    return false
  }

  /** A chart that took a message has handled it; what it invoked is the chart's to stop. */
  cancel(_envelope: Envelope, _reason: CancelReason): void {}

  forget(ask: number, calledOff: CancelReason | undefined): void {
    const envelope = this.owed?.get(ask)
    if (envelope === undefined) return
    this.owed?.delete(ask)
    this.#children?.settled(ask)
    if (calledOff !== undefined) this.askerLeft(envelope, calledOff)
  }

  /** A chart that hands nothing to an effect would never learn of it. A durable asker that stopped comes back. */
  protected askerLeft(envelope: Envelope, reason: CancelReason): void {
    const left = reason !== 'shutting-down' && (envelope.sequence === 0 || reason !== 'actor-stopped')
    if (left && this.#logic.machine.events.includes(ASKER_LEFT)) this.internal({ type: ASKER_LEFT, from: returnAddress(envelope), reason })
  }

  quit(): undefined {
    return undefined
  }

  dispose(why: 'failed' | 'stopped', error?: unknown): void {
    this.#life++
    this.#holding = false
    this.#timers?.cancelAll()
    this.#children?.dispose(why)
    const owed = this.owed
    this.#timers = this.#children = this.#within = this.owed = this.#ends = undefined
    const { replies } = this.cell.parts
    for (const [ask, envelope] of owed ?? []) {
      const told = why === 'failed' ? `failed: ${describe(error)}` : 'stopped'
      if (replies.get(ask)?.channel !== undefined) replies.fail(ask, interrupted(envelope, `its actor ${told}`, error))
      else replies.fail(ask, unanswered(envelope, told, error))
    }
  }
}
