/**
 * What a chart's step wants done, made ready before it commits: all that can fail, fails here, with nothing done.
 */
import type { TroupeError } from '../ground/errors.js'
import { childAddress } from './address.js'
import type { Cell } from './cell.js'
import type { Child, ChartChildren } from './chart-children.js'
import { lasting, type Cause } from './envelope.js'
import { isolate } from './isolate.js'
import type { MachineEffect } from './machine-effects.js'
import { Outbox } from './outbox.js'
import type { Sender } from './post.js'
import { check } from './protocol.js'
import { Self, sendForeign, type AnyActorRef, type AnyEventObject, type Step } from './xstate.js'

/** An event that a chart will handle before its mail. */
export interface Within {
  readonly event: AnyEventObject
  /** Whom a delayed send was for, when that is not this chart. */
  readonly to?: unknown
  /** The timer that it came from, so that a cancel reaches it even when it has fired. */
  readonly timer?: string | undefined
  /** The child that it came from. */
  readonly source?: AnyActorRef | undefined
  /** What led to it. */
  readonly cause?: Cause | undefined
}

export type TimerChange = { readonly kind: 'set'; readonly name: string; readonly delayMs: number; readonly due: Within } | { readonly kind: 'cancel'; readonly name: string }

/** An answer that leaves with the step. */
export type Answer = { readonly ask: number; readonly ok: true; readonly value: unknown } | { readonly ask: number; readonly ok: false; readonly error: TroupeError }

/** A step made ready: nothing in it can fail any more. */
export interface Plan {
  readonly outbox: Outbox
  readonly acts: (() => void)[]
  readonly timers: TimerChange[]
  readonly answers: Answer[]
  readonly starts: readonly Child[]
  /** Children that the step spoke to: they hear it before it stops them. */
  readonly spokenTo: ReadonlySet<unknown>
  readonly cause: Cause | undefined
}

/** What planning needs of the chart. */
export interface Planning {
  readonly cell: Cell
  readonly self: Self
  /** What it has started; made when `starting`. */
  family(starting: boolean): ChartChildren | undefined
  internal(event: AnyEventObject, source?: AnyActorRef, cause?: Cause): void
  /** A name for a timer that has none. */
  timerName(): string
}

export const newPlan = (starts: readonly Child[], spokenTo: ReadonlySet<unknown>, cause: Cause | undefined): Plan => ({ outbox: new Outbox(), acts: [], timers: [], answers: [], starts, spokenTo, cause })

/** Makes a step ready. Throws with nothing done. */
export function planStep(chart: Planning, step: Step, cause: Cause | undefined): Plan {
  const spokenTo = new Set<unknown>()
  for (const effect of step.effects) if (effect.kind === 'send' && typeof effect.params.delay !== 'number') spokenTo.add(effect.params.to)
  const leaving = step.stopped.filter((ref) => !spokenTo.has(ref))
  const family = chart.family(step.started.length > 0)
  const plan = newPlan(step.started.map((start) => (family as ChartChildren).plan(start, leaving, lasting(cause))), spokenTo, cause)
  try {
    for (const effect of step.effects) planEffect(chart, plan, effect)
  } catch (error) {
    plan.outbox.drop(chart.cell.parts.endings)
    throw error
  }
  return plan
}

function planEffect(chart: Planning, plan: Plan, effect: MachineEffect): void {
  const { parts } = chart.cell
  switch (effect.kind) {
    case 'reply':
      checkReply(chart.cell, effect.to.ask, effect.value)
      plan.answers.push({ ask: effect.to.ask, ok: true, value: isolate(effect.value) })
      return
    case 'refuse':
      plan.answers.push({ ask: effect.to.ask, ok: false, error: effect.error })
      return
    case 'tell':
      for (const envelope of parts.post.toTell(senderOf(chart, plan), parts.ref(effect.to.protocol, effect.to.address), effect.message)) plan.outbox.add(envelope)
      return
    case 'publish':
      for (const envelope of parts.post.toPublish(senderOf(chart, plan), effect.topic, effect.message)) plan.outbox.add(envelope)
      return
    case 'timer':
      plan.timers.push({ kind: 'set', name: effect.id ?? chart.timerName(), delayMs: effect.delayMs, due: { event: effect.event, cause: lasting(plan.cause) } })
      return
    case 'cancel-timer':
      // XState cancels what it never named, too.
      if (effect.id !== undefined) plan.timers.push({ kind: 'cancel', name: effect.id })
      return
    case 'send':
      return planSend(chart, plan, effect.params)
    case 'emit':
      plan.acts.push(() => log(chart.cell, ['emitted', effect.event]))
      return
    case 'log':
      plan.acts.push(() => log(chart.cell, effect.label === undefined ? [effect.value] : [effect.label, effect.value]))
  }
}

function log({ parts, address }: Cell, words: readonly unknown[]): void {
  try {
    parts.log(address, words)
  } catch {
    // A step that has committed cannot fail for the sake of its log.
  }
}

const senderOf = ({ cell }: Planning, { cause }: Plan): Sender => ({ address: cell.address, cause, asker: undefined })

/** Against the protocol of whom was asked: that may be another, who passed the request on. */
function checkReply({ parts: { checked, replies, router } }: Cell, ask: number, value: unknown): void {
  const asked = checked ? replies.get(ask)?.envelope : undefined
  if (asked === undefined) return
  const spec = router.awake(asked.to)?.definition.protocol.specs[asked.type]
  if (spec?.kind === 'request') check(spec.reply, value, `the reply to ${asked.type}`)
}

/** `sendTo`: this chart itself, its parent, a child, or whoever else's `self` it was given. */
export function planSend(chart: Planning, plan: Plan, { to, event, delay, id }: (MachineEffect & { kind: 'send' })['params']): void {
  if (typeof delay === 'number') plan.timers.push({ kind: 'set', name: (id as string | undefined) ?? chart.timerName(), delayMs: delay, due: { event, cause: lasting(plan.cause), ...(to !== chart.self && { to }) } })
  else if (to === chart.self) plan.acts.push(() => chart.internal(event, undefined, lasting(plan.cause)))
  else if (to instanceof Self) plan.outbox.add(chart.cell.parts.post.stamp(to.port.cell, event, 'any', senderOf(chart, plan)))
  else planSendToChild(chart, plan, to as AnyActorRef, event)
}

function planSendToChild(chart: Planning, plan: Plan, ref: AnyActorRef, event: AnyEventObject): void {
  const { post } = chart.cell.parts
  const owner = (ref as unknown as { _parent?: unknown })._parent
  const family = owner instanceof Self && 'family' in owner.port ? (owner.port as unknown as Planning) : chart
  const child = plan.starts.find(({ start }) => start.ref === ref) ?? family.family(false)?.find(ref)
  if (child?.way.kind === 'cell') plan.outbox.add(post.stamp(child.way, event, 'any', senderOf(chart, plan)))
  else if (child?.way.kind === 'foreign') plan.acts.push(() => sendForeign(ref, event))
  else {
    // Nobody is there, or an effect, which takes no events. What cannot be sent is an error all the same.
    isolate(event)
    plan.acts.push(() => post.bury(childAddress(family.cell.address, ref.id), event, senderOf(chart, plan), 'no-such-actor'))
  }
}
