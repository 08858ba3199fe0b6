/**
 * A statechart as a cell's behaviour.
 * Owns: the snapshot, the timers, children and effects that it opened, the answers it owes.
 * Does not own: what the next snapshot is; the chart decides, this only acts.
 *
 * Invariants:
 * H1. A step that throws or ends in error leaves the previous snapshot in force and none of its effects.
 * H2. What a step sent leaves only when it commits.
 * H3. An event from within (a timer, an effect's or a child's outcome) is handled before mail.
 * H4. A request that was taken is owed an answer until it is settled; when the actor ends, its asker is told.
 */
import { TroupeError, describe } from '../ground/errors.js'
import type { Timer } from '../ground/clock.js'
import type { Behaviour, Cell } from './cell.js'
import { childMachine, isDefinition, type Logic } from './definition.js'
import { returnAddress, type CancelReason, type Envelope, type ReturnAddress } from './envelope.js'
import { EffectRun } from './effect-run.js'
import { isolate } from './isolate.js'
import { invokedEffect, type MachineEffect } from './machine-effects.js'
import { Outbox } from './outbox.js'
import type { Sender } from './post.js'
import { check, type Message } from './protocol.js'
import type { ActorEnding } from './ref.js'
import { Chart, isMachine, placeholder, Self, startForeign, stopForeign, type AnyEventObject, type AnyMachineSnapshot, type AnyStateMachine, type ChildStart, type Step } from './xstate.js'

/** One chart for all actors of a machine. */
const charts = new WeakMap<AnyStateMachine, Chart>()
const STANDS = placeholder<unknown, unknown>({})
function chartOf(machine: AnyStateMachine): Chart {
  let chart = charts.get(machine)
  // A definition stands for itself already; a named machine must not be built by XState when its cell is to run it.
  if (chart === undefined) charts.set(machine, (chart = new Chart(machine, (logic) => (isMachine(logic) ? { ...STANDS, stands: logic } : undefined))))
  return chart
}
const original = (logic: unknown): unknown => (logic as { stands?: unknown } | undefined)?.stands ?? logic

/** Most steps only change the snapshot. */
const isQuiet = ({ effects, started, stopped, snapshot }: Step): boolean => effects.length + started.length + stopped.length === 0 && snapshot.status === 'active'
const noop = (): void => {}

type Child = { readonly kind: 'cell'; readonly cell: Cell } | { readonly kind: 'effect'; readonly run: EffectRun } | { readonly kind: 'foreign'; readonly ref: ChildStart['ref'] }
interface Within {
  readonly event: AnyEventObject
  /** The timer that it came from, so that a cancel reaches it even when it has fired. */
  readonly timer: string | undefined
}

export class Charted implements Behaviour {
  readonly self: Self
  readonly #cell: Cell
  readonly #chart: Chart
  readonly #logic: Logic & { kind: 'machine' }
  #snapshot: AnyMachineSnapshot | undefined
  #within: Within[] | undefined
  #timers: Map<string, Timer> | undefined
  #timerIds = 0
  #children: Map<string, Child> | undefined
  #owed: Map<number, Envelope> | undefined

  constructor(cell: Cell, logic: Logic & { kind: 'machine' }) {
    this.#cell = cell
    this.#logic = logic
    this.#chart = chartOf(logic.machine)
    const { childOf } = cell.options
    this.self = new Self(childOf?.id ?? cell.address, this, childOf?.chart.self)
  }

  get free(): boolean {
    return true
  }
  get hasWork(): boolean {
    return this.#within !== undefined && this.#within.length > 0
  }
  get working(): boolean {
    return [...(this.#children?.values() ?? [])].some(({ kind }) => kind === 'effect')
  }
  get restful(): boolean {
    return !this.hasWork && (this.#timers?.size ?? 0) + (this.#children?.size ?? 0) + (this.#owed?.size ?? 0) === 0
  }

  start(): void {
    const cell = this.#cell
    let step: Step
    try {
      const { address, key } = cell
      step = this.#chart.start(this.self, cell.options.input ?? this.#logic.input?.({ address, key }))
      if (step.snapshot.status === 'error') throw step.snapshot.error
    } catch (error) {
      return cell.fail(undefined, error)
    }
    this.#commit(step, undefined, () => cell.began())
  }

  takes(type: string): 'now' | 'try' | 'later' | 'never' {
    const snapshot = this.#snapshot
    return snapshot === undefined || snapshot.status !== 'active' || type.startsWith('xstate.') ? 'never' : this.#chart.takes(snapshot, type)
  }

  handle(envelope: Envelope): void {
    const { endings } = this.#cell.parts
    let message: Message & { from?: ReturnAddress }
    try {
      message = this.#cell.open(envelope)
      if (Object.hasOwn(message, 'from')) throw new TroupeError('InvalidMessage', `${envelope.type} has a field named from`, "rename it: a chart's event says in `from` where it came from")
    } catch (error) {
      endings.dead(envelope, 'refused', error)
      return
    }
    message.from = returnAddress(envelope)
    this.#run(message, envelope)
  }

  work(): boolean {
    const next = this.#within?.shift()
    if (next === undefined) return false
    this.#run(next.event, undefined)
    return true
  }

  /** An event from within; it cannot be lost or refused, and what sends them is bounded by what the chart opened. */
  internal(event: AnyEventObject, timer?: string): void {
    this.#within ??= []
    this.#within.push({ event, timer })
    this.#cell.wake()
  }

  // ── steps ─────────────────────────────────────────────────────────────────────────────────────

  #run(event: AnyEventObject, envelope: Envelope | undefined): void {
    const before = this.#snapshot as AnyMachineSnapshot
    let step: Step
    try {
      step = this.#chart.step(this.self, before, event)
      if (step.snapshot.status === 'error') throw step.snapshot.error
      if (envelope !== undefined && !step.taken && step.snapshot === before) return this.#notTaken(envelope)
      this.#checkReplies(step, envelope)
    } catch (error) {
      return this.#cell.fail(envelope, error)
    }
    this.#commit(step, envelope, noop)
    if (this.#snapshot !== before) this.#cell.mailbox.retry()
  }

  #notTaken(envelope: Envelope): void {
    if (this.#chart.takesAnywhere(envelope.type)) this.#cell.defer(envelope)
    else this.#cell.parts.endings.dead(envelope, 'unhandled')
  }

  #checkReplies(step: Step, envelope: Envelope | undefined): void {
    const { parts, definition } = this.#cell
    if (!parts.checked) return
    for (const effect of step.effects) {
      if (effect.kind !== 'reply') continue
      const asked = effect.to.ask === envelope?.id ? envelope : this.#owed?.get(effect.to.ask)
      const spec = asked === undefined ? undefined : definition.protocol.specs[asked.type]
      if (asked !== undefined && spec?.kind === 'request') check(spec.reply, effect.value, `the reply to ${asked.type}`)
    }
  }

  #commit(step: Step, envelope: Envelope | undefined, then: () => void): void {
    const { endings, replies } = this.#cell.parts
    this.#snapshot = step.snapshot
    if (envelope !== undefined) {
      endings.handled(envelope)
      if (envelope.correlation !== 0 && replies.get(envelope.correlation) !== undefined) (this.#owed ??= new Map()).set(envelope.correlation, envelope)
    }
    if (isQuiet(step)) return then()
    const outbox = new Outbox()
    const answers: (() => void)[] = []
    // A child that this step stops is stopped before one of the same name starts.
    for (const id of step.stopped) this.#stopChild(id)
    try {
      for (const child of step.started) this.#startChild(child, envelope)
      for (const effect of step.effects) this.#act(effect, outbox, answers, envelope)
    } catch (error) {
      return this.#cell.fail(undefined, error)
    }
    const done = (): void => {
      for (const answer of answers) answer()
      then()
      if (step.snapshot.status === 'done') void this.#cell.stop({ kind: 'finished', output: step.snapshot.output })
    }
    if (outbox.empty) done()
    else this.#cell.release(outbox, done)
  }

  #act(effect: MachineEffect, outbox: Outbox, answers: (() => void)[], cause: Envelope | undefined): void {
    const { parts, address } = this.#cell
    const sender: Sender = { address, cause, asker: undefined }
    switch (effect.kind) {
      case 'reply': {
        const value = isolate(effect.value)
        answers.push(() => parts.replies.reply(effect.to.ask, value))
        return
      }
      case 'refuse':
        answers.push(() => parts.replies.fail(effect.to.ask, effect.error))
        return
      case 'tell':
        for (const envelope of parts.post.toTell(sender, effect.to, effect.message)) outbox.add(envelope)
        return
      case 'publish':
        for (const envelope of parts.post.toPublish(sender, effect.topic, effect.message)) outbox.add(envelope)
        return
      case 'timer':
        return this.#setTimer(effect.id, effect.delayMs, (id) => this.internal(effect.event, id))
      case 'cancel-timer':
        return this.#cancelTimer(effect.id)
      case 'send':
        return this.#send(effect.params, outbox, sender)
      case 'emit':
        return parts.log(address, ['emitted', effect.event])
      case 'log':
        return parts.log(address, effect.label === undefined ? [effect.value] : [effect.label, effect.value])
    }
  }

  /** `sendTo`: this chart itself, its parent, or a child of its own. */
  #send({ to, event, delay, id }: (MachineEffect & { kind: 'send' })['params'], outbox: Outbox, sender: Sender): void {
    if (typeof delay === 'number') {
      return this.#setTimer(id as string | undefined, delay, (timer) => {
        if (to === this.self) return this.internal(event, timer)
        const late = new Outbox()
        this.#send({ to, event }, late, { ...sender, cause: undefined })
        this.#cell.release(late, () => {})
      })
    }
    if (to === this.self) return this.internal(event)
    const parent = this.#cell.options.parent
    const { post } = this.#cell.parts
    if (to instanceof Self) {
      if (parent !== undefined) outbox.add(post.stamp(parent, event, 'any', sender))
      return
    }
    const child = this.#children?.get((to as { id: string }).id)
    if (child?.kind === 'cell') outbox.add(post.stamp(child.cell, event, 'any', sender))
    else if (child?.kind === 'foreign') (child.ref as unknown as { _send(event: AnyEventObject): void })._send(event)
  }

  // ── timers ────────────────────────────────────────────────────────────────────────────────────

  #setTimer(name: string | undefined, delayMs: number, fire: (id: string) => void): void {
    const id = name ?? `timer-${++this.#timerIds}`
    this.#cancelTimer(id)
    const timers = (this.#timers ??= new Map())
    timers.set(
      id,
      this.#cell.parts.clock.timer(delayMs, () => {
        timers.delete(id)
        fire(id)
      }),
    )
  }

  #cancelTimer(id: string): void {
    this.#timers?.get(id)?.cancel()
    this.#timers?.delete(id)
    if (this.hasWork) this.#within = this.#within?.filter(({ timer }) => timer !== id)
  }

  // ── children and effects ──────────────────────────────────────────────────────────────────────

  #startChild({ id, logic: given, input, ref }: ChildStart, cause: Envelope | undefined): void {
    const children = (this.#children ??= new Map<string, Child>())
    const logic = original(given)
    const effect = invokedEffect(logic)
    if (effect !== undefined) {
      const run = new EffectRun(this.#cell, effect, id, cause, (outcome) => {
        if (children.get(id)?.kind !== 'effect' || (children.get(id) as { run: EffectRun }).run !== run) return
        children.delete(id)
        this.#childOutcome(id, outcome)
      })
      children.set(id, { kind: 'effect', run })
      run.start(input)
    } else if (isDefinition(logic) || isMachine(logic)) {
      const definition = isDefinition(logic) ? logic : childMachine(logic)
      const supervise = definition.options.supervise ?? { onFailure: 'stop' }
      // Known before it starts, since a child may end while it does.
      const cell = this.#cell.startChild(id, definition, { ...(input !== undefined && { input }), supervise, childOf: { chart: this, id } })
      if (cell.alive) children.set(id, { kind: 'cell', cell })
    } else {
      children.set(id, { kind: 'foreign', ref })
      startForeign(ref)
    }
  }

  #stopChild(id: string): void {
    const child = this.#children?.get(id)
    if (child === undefined) return
    this.#children?.delete(id)
    switch (child.kind) {
      case 'cell':
        return void child.cell.stop({ kind: 'stopped' })
      case 'effect':
        return child.run.cancel('caller')
      case 'foreign':
        return stopForeign(child.ref)
    }
  }

  /** A child cell has ended: its chart hears of it, unless it was the chart that stopped it. */
  childEnded(id: string, cell: Cell, ending: ActorEnding): void {
    const child = this.#children?.get(id)
    if (child !== undefined && (child.kind !== 'cell' || child.cell !== cell)) return
    this.#children?.delete(id)
    if (ending.kind === 'finished') this.#childOutcome(id, { ok: true, value: ending.output })
    else if (ending.kind === 'failed') this.#childOutcome(id, { ok: false, error: ending.error })
  }

  #childOutcome(id: string, outcome: { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown }): void {
    if (outcome.ok) this.internal({ type: `xstate.done.actor.${id}`, output: outcome.value, actorId: id })
    else this.internal({ type: `xstate.error.actor.${id}`, error: outcome.error, actorId: id })
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────

  /** A chart never waits for what it asked: it takes mail meanwhile. */
  awaits(): Iterable<never> {
    return []
  }

  takesAside(): boolean {
    return false
  }

  cancel(): void {
    // A chart that took a message has handled it; what it invoked is the chart's to stop.
  }

  forget(ask: number): void {
    this.#owed?.delete(ask)
  }

  quit(): undefined {
    return undefined
  }

  dispose(why: 'failed' | 'stopped', error?: unknown): void {
    for (const timer of this.#timers?.values() ?? []) timer.cancel()
    for (const child of this.#children?.values() ?? []) {
      if (child.kind === 'effect') child.run.cancel(why === 'failed' ? 'actor-failed' : 'actor-stopped')
      else if (child.kind === 'foreign') stopForeign(child.ref)
    }
    this.#timers = this.#children = this.#within = undefined
    const owed = this.#owed
    this.#owed = undefined
    const { replies } = this.#cell.parts
    for (const [ask, { type }] of owed ?? []) {
      const told = why === 'failed' ? `failed: ${describe(error)}` : 'stopped'
      replies.fail(ask, new TroupeError('ActorFailed', `${this.#cell.address} took ${type} and then ${told}`, 'see the cause, and ask again', { address: this.#cell.address }, error))
    }
  }
}

export type { CancelReason }
