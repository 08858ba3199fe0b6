/**
 * Owns: what a chart started and has not stopped: child cells, effects, and the actors of logic that is left to XState.
 * Does not own: when they start, stop or are spoken to; the chart decides and its cell commits.
 *
 * Invariant: who is no longer listed here is not heard any more. A child that was stopped, or belongs to a former life
 * of the chart, has no outcome.
 */
import { childAddress, checkChildName, type Address } from './address.js'
import type { Cell } from './cell.js'
import type { Charted } from './charted.js'
import { childMachine, isDefinition, type Definition } from './definition.js'
import { EffectRun, type Outcome } from './effect-run.js'
import type { Cause } from './envelope.js'
import { ENDED_CHILDREN_MAX } from './limits.js'
import { invokedEffect, type InvokedEffect } from './machine-effects.js'
import { isMachine, Self, startForeign, stopForeign, type AnyActorRef, type AnyEventObject, type AnyMachineSnapshot, type ChildStart } from './xstate.js'

/** How a child is run. */
type Way =
  | { readonly kind: 'cell'; readonly address: Address; readonly definition: Definition; readonly cell: Cell }
  | { readonly kind: 'effect'; readonly effect: InvokedEffect; run: EffectRun | undefined }
  | { readonly kind: 'foreign' }

export interface Child {
  readonly start: ChildStart
  readonly way: Way
  /** What led to it. Its deadline does not hold here: a chart may take its time. */
  readonly cause: Cause | undefined
}

/** A child that has ended, and may have told more before than was heard. */
export interface ChildEnd {
  readonly ref: AnyActorRef
  readonly from: Address
  readonly outcome: Outcome
}

/** With children or a handler under way a stop takes its time. */
const stopsAtOnce = ({ children, behaviour, definition }: Cell): boolean => children.length === 0 && (definition.logic.kind === 'machine' || !behaviour.working)

export class ChartChildren {
  readonly #chart: Charted
  readonly #cell: Cell
  readonly #children = new Map<string, Child>()
  /** Those that ended and stand in the snapshot still, the one that ended first in front. */
  readonly #ended = new Set<AnyActorRef>()

  constructor(chart: Charted, cell: Cell) {
    this.#chart = chart
    this.#cell = cell
  }

  get size(): number {
    return this.#children.size
  }
  get effects(): boolean {
    for (const { way } of this.#children.values()) if (way.kind === 'effect') return true
    return false
  }

  /** The child, while it lives; another of the same id is not it. */
  find(ref: AnyActorRef): Child | undefined {
    const child = this.#children.get(ref.id)
    return child?.start.ref === ref ? child : undefined
  }

  /**
   * Decides how a child will run, once those `leaving` have left. Throws `InvalidDefinition` for an id that cannot be part of
   * an address, and `StoreCorrupt` or `Incompatible` for a durable child that cannot go on.
   */
  plan(start: ChildStart, leaving: readonly AnyActorRef[], cause: Cause | undefined): Child {
    const { id, logic, formerly } = start
    const effect = invokedEffect(logic)
    if (effect !== undefined) return { start, cause, way: { kind: 'effect', effect, run: undefined } }
    if (!isDefinition(logic) && !isMachine(logic)) return { start, cause, way: { kind: 'foreign' } }
    const parent = this.#cell
    const isDurable = parent.ledger !== undefined
    const definition = isDefinition(logic) ? logic : childMachine(logic, isDurable)
    const address = formerly === undefined ? this.#freeAddress(checkChildName(id), leaving) : childAddress(parent.address, formerly)
    const cell = parent.makeChild(address.slice(childAddress(parent.address, '').length), definition, {
      ...(start.input !== undefined && { input: start.input }),
      supervise: definition.options.supervise ?? { onFailure: 'stop' },
      isNew: isDurable && formerly === undefined,
      childOf: { chart: this.#chart, ref: start.ref, cause },
    })
    return { start, cause, way: { kind: 'cell', address, definition, cell } }
  }

  /** One of the same id may still be on its way out when the new one comes. */
  #freeAddress(id: string, leaving: readonly AnyActorRef[]): Address {
    const { router } = this.#cell.parts
    const gone = leaving.map((ref) => this.find(ref)?.way).flatMap((way) => (way?.kind === 'cell' && stopsAtOnce(way.cell) ? [way.address] : []))
    const address = childAddress(this.#cell.address, id)
    for (let next = 2, free = address; ; next++) {
      if (router.awake(free) === undefined || gone.includes(free)) return free
      free = `${address}~${next}`
    }
  }

  /** Lists the child, and starts its cell if it is one, so that what the step sends it finds a mailbox. */
  add(child: Child): void {
    const { start, way } = child
    const namesake = this.#children.get(start.id)
    if (namesake !== undefined) this.stop(namesake.start.ref)
    this.#children.set(start.id, child)
    if (way.kind === 'cell') this.#cell.adopt(way.cell)
  }

  /** Starts what is no cell, once the step has left; nothing when the child was stopped before that. */
  begin(child: Child): void {
    const { start, way, cause } = child
    if (this.find(start.ref) !== child) return
    if (way.kind === 'foreign') startForeign(start.ref)
    else if (way.kind === 'effect') {
      way.run = new EffectRun(this.#cell, way.effect, start.id, cause, (outcome) => this.ended(start.ref, outcome), () => this.#chart.runOf(start.id))
      way.run.start(start.input)
    }
  }

  /** Stops a child. With `afterMail` a cell has mail to come, and is given back to be retired once that has arrived. */
  stop(ref: AnyActorRef, { afterMail = false } = {}): Cell | undefined {
    // It is out of the snapshot now, and XState's actors are large: those of a hundred states ago would still be in memory.
    this.#ended.delete(ref)
    this.#chart.unhear(ref)
    const child = this.find(ref)
    if (child === undefined) return undefined
    this.#children.delete(ref.id)
    const { way } = child
    switch (way.kind) {
      case 'cell':
        if (afterMail) return way.cell
        void way.cell.stop({ kind: 'stopped' })
        return undefined
      case 'effect':
        way.run?.cancel('caller')
        return undefined
      case 'foreign':
        stopForeign(ref)
        return undefined
    }
  }

  /** A child has come to its end by itself; its chart hears of it. */
  ended(ref: AnyActorRef, outcome: Outcome): void {
    if (this.find(ref) === undefined) return
    const { id } = ref
    const event: AnyEventObject = outcome.ok ? { type: `xstate.done.actor.${id}`, output: outcome.value, actorId: id } : { type: `xstate.error.actor.${id}`, error: outcome.error, actorId: id }
    this.#chart.internal(event, ref)
  }

  /** It has ended and needs no stopping any more. Gives one that ended long ago, when too many stay in the snapshot. */
  forget(ref: AnyActorRef): AnyActorRef | undefined {
    if (this.find(ref) === undefined) return undefined
    this.#children.delete(ref.id)
    this.#ended.add(ref)
    if (this.#ended.size <= ENDED_CHILDREN_MAX) return undefined
    const [first] = this.#ended
    this.#ended.delete(first as AnyActorRef)
    return first
  }

  /** A child chart has a new snapshot. */
  shown(ref: AnyActorRef, snapshot: AnyMachineSnapshot): void {
    if (this.find(ref)?.start.shows === true) this.#chart.internal({ type: `xstate.snapshot.${ref.id}`, snapshot }, ref)
  }

  /** An ask is settled: an effect that streams to its reader, or works for its asker, need not go on. */
  settled(ask: number): void {
    for (const { way } of this.#children.values()) if (way.kind === 'effect') way.run?.settled(ask)
  }

  /** The chart's life is over; child cells are its cell's to stop. */
  dispose(why: 'failed' | 'stopped'): void {
    const children = [...this.#children.values()]
    this.#children.clear()
    for (const { start, way } of children) {
      if (way.kind === 'effect') way.run?.cancel(why === 'failed' ? 'actor-failed' : 'actor-stopped')
      else if (way.kind === 'foreign') stopForeign(start.ref)
    }
  }
}

/** XState keeps a spawned child that has ended in the snapshot for ever. */
export function dropChild(snapshot: AnyMachineSnapshot, ref: AnyActorRef): void {
  const children = snapshot.children as Record<string, AnyActorRef>
  for (const name of Object.keys(children)) if (children[name] === ref) delete children[name]
}

/** Whether a child was to go on from a former life, and could not even start. */
export const isUnable = ({ start: { formerly }, way }: Child): boolean => formerly !== undefined && way.kind === 'cell' && 'snapshot' in way.cell.behaviour && way.cell.behaviour.snapshot === undefined

/** A child's own end, as its chart hears of it. */
export const isEnd = ({ type }: AnyEventObject): boolean => type.startsWith('xstate.done.actor.') || type.startsWith('xstate.error.actor.')

/** Whom `sendParent` reaches. A parent that is no chart has a mailbox and nothing else. */
export function parentOf({ options: { childOf, parent } }: Cell): Self | undefined {
  if (childOf !== undefined) return childOf.chart.self
  if (parent === undefined) return undefined
  const internal = (event: AnyEventObject): void => parent.parts.post.notify(parent, event)
  return new Self(parent.address, { cell: parent, snapshot: undefined, internal, forChild: (_, event) => internal(event) })
}
