/**
 * A statechart whose steps survive.
 * Owns: when its timers are due, which of its effects are under way, as they are kept.
 *
 * Invariants:
 * D1. What a step changed, sent, answered and started is seen by nobody before the step is in the store.
 * D2. A timer keeps its moment: after a restart it fires then, or at once when that has passed, unless its definition skips it.
 * D3. An effect that was under way goes on with what it had; one that had its outcome is not run again.
 * D4. A durable child's life begins and ends with the step of this chart that says so; what it does between is in records of
 *     its own. A child that is let go keeps nothing more, and its next namesake finds nothing of it.
 */
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import { isEnd } from './chart-children.js'
import type { Plan, Within } from './chart-plan.js'
import { Charted } from './charted.js'
import type { Logic } from './definition.js'
import { ON_TIME_MS } from './due.js'
import { DurableRun } from './durable-run.js'
import { Envelope, isOpen, type CancelReason } from './envelope.js'
import { takeSame } from './former-mail.js'
import { EFFECT, effectMail, keepSnapshot, NOTHING, type Due, type KeptChart } from './kept-snapshot.js'
import { mailEntry, replyEntry, type Ledger } from './ledger.js'
import { STORE_RETRY_MS } from './limits.js'
import { unanswered } from './replies.js'
import { isStoreFailure } from './store/store.js'
import type { AnyActorRef, AnyEventObject, Chart, Step } from './xstate.js'

export class DurableCharted extends Charted {
  readonly #ledger: Ledger
  #due = new Map<string, Due>()
  /** The mail that stands for each effect under way, by its child's id. */
  readonly #effects = new Map<string, Envelope>()
  /** The mail whose step is being written, or the last one that was. */
  #keeping: Envelope | undefined
  /** Its durable children, by id. */
  readonly #family = new Map<string, Cell>()
  /** What is being started is what the store has already. */
  #restoring = false

  constructor(cell: Cell, logic: Logic & { kind: 'machine' }, ledger: Ledger) {
    super(cell, logic)
    this.#ledger = ledger
  }

  override runOf(child: string): DurableRun | undefined {
    const envelope = this.#effects.get(child)
    return envelope === undefined ? undefined : new DurableRun(this.cell, this.#ledger, envelope)
  }

  override handle(envelope: Envelope): void {
    const { kept } = envelope
    if (kept === undefined) return super.handle(envelope)
    this.holdFor(kept, () => {
      envelope.kept = undefined
      // Its asker may have left meanwhile.
      if (isOpen(envelope)) super.handle(envelope)
    })
  }

  protected override first(chart: Chart, input: () => unknown): Step {
    const { mail: left } = this.#ledger.recover(undefined)
    for (const envelope of left) if (envelope.type.startsWith(EFFECT)) this.#effects.set(envelope.type.slice(EFFECT.length), envelope)
    this.cell.recover(left.filter(({ type }) => !type.startsWith(EFFECT)))
    if (this.#ledger.isNew) return super.first(chart, input)
    const { snapshot, due, owed } = this.#ledger.state as KeptChart
    const step = chart.restore(this.self, snapshot)
    this.#restoring = true
    this.#due = new Map(due)
    this.owed = new Map(owed.map(([ask, from, of, type]) => [ask, new Envelope(ask, this.cell.address, from, type, NOTHING, ask, 0, 0, 1, ask, of, 0)]))
    for (const [name, { at, event, child }] of due) this.#setAgain(name, at, event, child === undefined ? undefined : (step.snapshot.children as Record<string, AnyActorRef>)[child])
    return step
  }

  #setAgain(name: string, at: number, event: AnyEventObject, to: AnyActorRef | undefined): void {
    const delayMs = at - this.cell.parts.clock.now()
    const due = to === undefined ? { event } : { event, to }
    if (delayMs > 0) this.changeTimer({ kind: 'set', name, delayMs, due })
    else if (delayMs < -ON_TIME_MS && this.cell.definition.options.late?.({ event: event.type, lateMs: -delayMs }) === 'skip') this.#due.delete(name)
    else this.overdue(name, due)
  }

  protected override keep(step: Step, plan: Plan | undefined, envelope: Envelope | undefined, within: Within | undefined): Promise<void> | undefined {
    if (!this.#restoring) return this.#keep(step, plan, (this.#keeping = envelope), within)
    this.#restoring = false
    this.#family.clear()
    for (const [id, child] of durableOf(plan)) this.#family.set(id, child)
    return undefined
  }

  async #keep(step: Step, plan: Plan | undefined, envelope: Envelope | undefined, within: Within | undefined): Promise<void> {
    const { parts, address } = this.cell
    const foreign = plan?.starts.find(({ way }) => way.kind === 'foreign')
    if (foreign !== undefined) throw new TroupeError('InvalidDefinition', `${foreign.start.id}, a child of the durable ${address}, is logic that XState runs itself`, 'invoke ask, infer or stepOnce instead of a promise, and an actor instead of a callback')
    const due = this.#dueAfter(plan, within)
    const ended = [...step.stopped.map(({ id }) => id), ...(within?.source !== undefined && isEnd(within.event) ? [within.source.id] : [])]
    const begun = durableOf(plan)
    const letGo = [...ended, ...begun.keys()].flatMap((id) => this.#family.get(id) ?? [])
    const born = new Set(Array.from(begun.values(), (child) => child.address))
    const gone = new Set([...letGo.map((child) => child.address), ...born])
    const mail = (plan?.outbox.envelopes ?? []).filter(({ to }) => born.has(to) || (!gone.has(to) && parts.unclaimed.keeps(to)))
    const effects = (plan?.starts ?? []).filter(({ way }) => way.kind === 'effect').map(({ start }) => effectMail(address, start.id))
    const owed = this.#owedAfter(plan, envelope)
    const answers = [...this.#answersOf(plan, envelope), ...(step.snapshot.status === 'done' ? this.#unanswered(plan, envelope) : [])]
    const state: KeptChart = { snapshot: keepSnapshot(step.snapshot, this.#namesAfter(ended, begun)), due: [...due], owed: [...owed.values()].map(({ id, from, sequence, type }) => [id, from, sequence, type]) }
    const now = parts.clock.now()
    const entries = [...[...mail, ...effects].map((each) => mailEntry(parts.nodes, each)), ...answers.map(({ to, outcome }) => replyEntry(parts.nodes, to.from, to.sequence, to.id, outcome, now))]
    const alarm = due.size === 0 ? undefined : Math.min(...[...due.values()].map(({ at }) => at))
    const kept = this.#ledger.commit(state, this.#dealt(ended, envelope), entries, { alarm, gone: [...gone], handled: { type: envelope?.type ?? within?.event.type ?? 'xstate.init', from: envelope?.from ?? address, body: envelope?.body, chart: true } })
    for (const child of letGo) leave(child, kept)
    const numbers = await kept
    for (const id of ended) {
      this.#effects.delete(id)
      this.#family.delete(id)
    }
    for (const [id, child] of begun) this.#family.set(id, child)
    this.#due = due
    parts.unclaimed.arrived(mail, numbers)
    for (const [i, effect] of effects.entries()) {
      this.#ledger.arrived(effect, numbers[mail.length + i] as number, now)
      this.#effects.set(effect.type.slice(EFFECT.length), effect)
    }
    for (const [i, { to, outcome }] of answers.entries()) parts.router.awake(to.from)?.ledger?.replied(to.sequence, to.id, outcome, now, numbers[mail.length + effects.length + i] as number)
  }

  /** What its durable children are called once this step is kept. */
  #namesAfter(ended: readonly string[], begun: ReadonlyMap<string, Cell>): ReadonlyMap<string, string> {
    const family = new Map([...[...this.#family].filter(([id]) => !ended.includes(id)), ...begun])
    return new Map(Array.from(family, ([id, child]) => [id, child.address.slice(this.cell.address.length + 1)]))
  }

  #dueAfter(plan: Plan | undefined, within: Within | undefined): Map<string, Due> {
    const due = new Map(this.#due)
    if (within?.timer !== undefined) due.delete(within.timer)
    for (const change of plan?.timers ?? []) {
      if (change.kind === 'cancel') due.delete(change.name)
      else {
        const { event, to } = change.due
        due.set(change.name, { at: this.cell.parts.clock.now() + change.delayMs, event, ...(to !== undefined && { child: (to as { id: string }).id }) })
      }
    }
    return due
  }

  #owedAfter(plan: Plan | undefined, envelope: Envelope | undefined): Map<number, Envelope> {
    const owed = new Map(this.owed)
    if (envelope !== undefined && envelope.correlation !== 0) owed.set(envelope.correlation, envelope)
    for (const { ask } of plan?.answers ?? []) owed.delete(ask)
    return owed
  }

  /** Answers to durable askers: they are in the log with the step, so that a crash loses none. */
  #answersOf(plan: Plan | undefined, envelope: Envelope | undefined): { readonly to: Envelope; readonly outcome: { ok: true; value: unknown } | { ok: false; error: unknown } }[] {
    return (plan?.answers ?? []).flatMap((answer) => {
      const to = answer.ask === envelope?.correlation ? envelope : this.owes(answer.ask)
      if (to === undefined || to.sequence === 0) return []
      return [{ to, outcome: answer.ok ? { ok: true as const, value: answer.value } : { ok: false as const, error: answer.error } }]
    })
  }

  /** Durable askers elsewhere whom an ending chart owes an answer: those who are open here are told when it ends. */
  #unanswered(plan: Plan | undefined, envelope: Envelope | undefined): { readonly to: Envelope; readonly outcome: { ok: false; error: unknown } }[] {
    const { replies } = this.cell.parts
    const left = [...this.#owedAfter(plan, envelope).values()].filter(({ sequence, correlation }) => sequence !== 0 && replies.get(correlation) === undefined)
    return left.map((to) => ({ to, outcome: { ok: false, error: unanswered(to, 'stopped') } }))
  }

  /** The mail that a step has dealt with: what it took, and what stood for the effects that came to their end. */
  #dealt(ended: readonly string[], envelope: Envelope | undefined): number[] {
    const effects = ended.flatMap((id) => this.#effects.get(id)?.entry ?? [])
    return envelope === undefined ? effects : [envelope.entry, ...effects]
  }

  override cancel(envelope: Envelope, reason: CancelReason): void {
    takeSame(this.cell, envelope)
    if (envelope.id !== this.#keeping?.id || !isOpen(this.#keeping)) return
    // The step that took it stands: the chart hears after it that its asker has left.
    this.#keeping.ending = 'cancelled'
    this.askerLeft(this.#keeping, reason)
  }

  protected override notKept(error: unknown, envelope: Envelope | undefined, within: Within | undefined): void {
    if (!isStoreFailure(error)) return super.notKept(error, envelope, within)
    // Nobody's fault but the disk's: what was handled keeps its place until there is room.
    if (within !== undefined) this.again(within)
    this.cell.pauseFor(STORE_RETRY_MS, envelope)
  }
}

/** The durable children that a step starts, by id. */
function durableOf(plan: Plan | undefined): ReadonlyMap<string, Cell> {
  const starts = plan?.starts ?? []
  return starts.length === 0 ? NONE : new Map(starts.flatMap(({ start, way }) => (way.kind === 'cell' && way.cell.ledger !== undefined ? [[start.id, way.cell] as const] : [])))
}

const NONE: ReadonlyMap<string, Cell> = new Map()

/** A child and all below it keep nothing more, once their parent's step is kept. */
function leave(child: Cell, kept: Promise<unknown>): void {
  child.ledger?.leave(kept)
  for (const each of child.children) leave(each, kept)
}
