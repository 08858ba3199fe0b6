/**
 * The door to XState. Charts decide, cells act: a chart runs as `machine.transition` with one long-lived scope and a
 * stub system of ours, and what it wants done comes out as data. No XState actor, mailbox or timer runs a chart here.
 *
 * Traps of XState 5.33 that this file knows:
 * - `microstep` reassigns `scope.actionExecutor`, so it is reset before each step and the scope is never frozen.
 * - `sendTo` a child that is being spawned fills `params.to` later, so sends are read after the step.
 * - `assign(({ spawn }) => …)` emits no action, so children are noted when they are built, not when they are started.
 * - Building a child runs its logic's first step inside ours, so a chart among them is swapped for a placeholder first.
 * - `spawnChild` without an id files the child under `undefined`, so children are known by their own id and identity.
 * - A logic that nobody provided is passed over in silence, and an action too; the first is an error here.
 */
import type { ActorLogic, AnyActorRef, AnyActorScope, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, ContextFrom, EventFromLogic, EventObject, ExecutableActionObject, InputFrom, NonReducibleUnknown, OutputFrom, Snapshot, StateValue } from 'xstate'
import { TroupeError, describe } from '../ground/errors.js'
import type { Cell } from './cell.js'
import { MICROSTEPS_MAX, VERDICTS_MAX } from './limits.js'
import { matches } from './event-descriptor.js'
import type { KeptSnapshot } from './kept-snapshot.js'
import type { MachineEffect } from './machine-effects.js'
import { placeholder, standIn, type Notes } from './stand-ins.js'

export type { ActorLogic, AnyActorRef, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, ContextFrom, EventFromLogic, EventObject, InputFrom, NonReducibleUnknown, OutputFrom, Snapshot, StateValue }

/** What stands behind a chart's `self` or `parent`. */
export interface ChartPort {
  readonly cell: Cell
  readonly snapshot: AnyMachineSnapshot | undefined
  /** An event from within: one that the chart sent itself, or that came from `source`, a child left to XState. */
  internal(event: AnyEventObject, source?: AnyActorRef): void
  /** An event for one of its children, sent outside a step. */
  forChild(child: AnyActorRef, event: AnyEventObject): void
}

/** What a chart's `self` and `parent` are: a name and a port, no XState actor. */
export class Self {
  readonly system = system
  readonly sessionId: string
  readonly _parent: Self | undefined
  /** Children built, for the ids of those that have no name. */
  built = 0
  constructor(
    readonly id: string,
    readonly port: ChartPort,
    parent?: Self,
  ) {
    this.sessionId = id
    this._parent = parent
  }
  get ref(): this {
    return this
  }
  send(event: AnyEventObject): void {
    system._relay(undefined, this, event)
  }
  subscribe(): { unsubscribe(): void } {
    return { unsubscribe() {} }
  }
  on(): { unsubscribe(): void } {
    return { unsubscribe() {} }
  }
  getSnapshot(): AnyMachineSnapshot | undefined {
    return this.port.snapshot
  }
  toJSON(): object {
    return { xstate$$type: 1, id: this.id }
  }
}

/** A child that a step started: what a cell needs to run it its own way. */
export interface ChildStart {
  readonly id: string
  readonly logic: unknown
  readonly input: unknown
  /** Whether its parent wants each of its snapshots as an event. */
  readonly shows: boolean
  /** The name under which a former life of a durable chart ran it as a durable cell. */
  readonly formerly?: string | undefined
  /** XState's own actor, not started: the child's identity, and the actor itself for logic that is left to XState. */
  readonly ref: AnyActorRef
}

/** What one step decided, as data. */
export interface Step {
  readonly snapshot: AnyMachineSnapshot
  /** Whether some transition was selected for the event, an eventless one that reads it included. */
  readonly taken: boolean
  readonly effects: readonly MachineEffect[]
  readonly started: readonly ChildStart[]
  readonly stopped: readonly AnyActorRef[]
}

/** XState's actor, as far as this file needs it. */
interface Built {
  readonly id: string
  readonly _parent: unknown
  logic: unknown
  readonly options: { readonly input?: unknown }
  readonly _syncSnapshot: boolean | undefined
  _send(event: AnyEventObject): void
}

interface Run {
  self: Self
  effects: MachineEffect[]
  taken: boolean
  built: Built[]
  stopped: Built[]
}

/** Never pushed to: lists of their own are made on demand, since most steps need none. */
const NONE: never[] = []

/** The step under way. */
let current: Run | undefined

/** The cell whose step is under way. */
export const stepping = (): Cell | undefined => current?.self.port.cell

/** Notes an effect of the step under way; false outside a troupe. */
export function note(effect: MachineEffect): boolean {
  if (current === undefined) return false
  if (current.effects === NONE) current.effects = [effect]
  else current.effects.push(effect)
  return true
}

const noop = (): void => {}
const system = {
  _bookId: () => (current === undefined ? 'actor' : `child-${++current.self.built}`),
  _register: (id: string) => id,
  _unregister: noop,
  _set: noop,
  get(name: string): never {
    throw new TroupeError('InvalidDefinition', `system.get(${JSON.stringify(name)}) finds nobody: a troupe knows actors by their address`, 'tell, ask or sendTo by a ref or an address')
  },
  getAll: () => ({}),
  inspect: () => ({ unsubscribe: noop }),
  getSnapshot: () => ({ _scheduledEvents: {} }),
  start: noop,
  _snapshot: { _scheduledEvents: {} },
  _clock: { setTimeout: noop, clearTimeout: noop },
  _logger: noop,
  _sendInspectionEvent(event: { readonly type: string; readonly actorRef: unknown; readonly _transitions?: readonly unknown[] }): void {
    if (current === undefined) return
    // An event that selected nothing is followed by eventless transitions only, and those that fire were waiting for it.
    if (event._transitions !== undefined) current.taken ||= event._transitions.length > 0 && event.actorRef === current.self
    else if (event.type === '@xstate.actor') noteBuilt(current, event.actorRef as Built)
  },
  _relay(source: unknown, target: unknown, event: AnyEventObject): void {
    if (current !== undefined && (source === undefined || source === current.self)) note({ kind: 'send', params: { to: target, event } })
    else if (target instanceof Self) target.port.internal(event, source as AnyActorRef | undefined)
    else {
      const built = target as Built
      if (source === undefined && built._parent instanceof Self) built._parent.port.forChild(target as AnyActorRef, event)
      else built._send(event)
    }
  },
  scheduler: { schedule: noop, cancel: noop, cancelAll: noop },
}

/** XState has named an actor and not yet asked its logic for a first snapshot. */
function noteBuilt(run: Run, built: Built): void {
  if (built._parent !== run.self) return
  if (isMachine(built.logic)) built.logic = { ...STANDS, stands: built.logic }
  if (run.built === NONE) run.built = [built]
  else run.built.push(built)
}

const scope = {
  self: undefined as unknown,
  id: '',
  sessionId: '',
  logger: noop,
  system,
  // What XState defers is starting, stopping and sending, all of which the cell does from the data.
  defer: noop,
  stopChild: noop,
  emit: noop,
  actionExecutor: execute,
}
const theScope = scope as unknown as AnyActorScope

function execute(action: ExecutableActionObject): void {
  const params = action.params as Record<string, unknown>
  switch (action.type) {
    case 'xstate.raise':
      if (typeof params['delay'] === 'number') note({ kind: 'timer', id: params['id'] as string | undefined, delayMs: params['delay'], event: params['event'] as AnyEventObject })
      return
    case 'xstate.sendTo':
      note({ kind: 'send', params: params as unknown as { to: unknown; event: AnyEventObject } })
      return
    case 'xstate.cancel':
      note({ kind: 'cancel-timer', id: params['sendId'] as string })
      return
    case 'xstate.emit':
      note({ kind: 'emit', event: params['event'] as AnyEventObject })
      return
    case 'xstate.spawnChild':
      if (params['actorRef'] === undefined) throw new TroupeError('InvalidDefinition', `the chart starts ${String(params['src'])}, which nobody provided`, 'name it in setup({ actors }), or give it with machine.provide({ actors })')
      return
    case 'xstate.stopChild':
      if (action.params !== undefined) noteStopped(action.params as unknown as Built)
      return
    case 'xstate.log':
      note({ kind: 'log', value: params['value'], label: params['label'] as string | undefined })
      return
    default:
      action.exec?.(action.info as never, action.params)
  }
}

function noteStopped(child: Built): void {
  const run = current as Run
  if (run.stopped === NONE) run.stopped = [child]
  else run.stopped.push(child)
}

const notes: Notes = { built: (child) => noteBuilt(current as Run, child), stopped: noteStopped }

type Verdict = 'now' | 'try' | 'later' | 'never'
type NodeVerdict = 'yes' | 'guarded' | 'no'
interface NodeView {
  readonly transitions: ReadonlyMap<string, readonly { readonly guard?: unknown }[]>
  readonly always?: readonly unknown[]
}

const charts = new WeakMap<AnyStateMachine, Chart>()

/** A machine made ready to run under a cell; one for all cells of its definition. */
export class Chart {
  readonly #machine: AnyStateMachine
  readonly #takes = new Map<object, Map<string, NodeVerdict>>()
  readonly #anywhere = new Map<string, boolean>()

  /** The chart of a machine: one for all its actors. */
  static of(machine: AnyStateMachine): Chart {
    let chart = charts.get(machine)
    if (chart === undefined) charts.set(machine, (chart = new Chart(machine)))
    return chart
  }

  private constructor(machine: AnyStateMachine) {
    this.#machine = machine.provide({})
    standIn(this.#machine, notes)
    const options = this.#machine.options
    // Infinity is XState's default, and a loop in a chart would then hold the process for ever.
    if (options.maxIterations === Infinity) options.maxIterations = MICROSTEPS_MAX
  }

  start(self: Self, input: unknown): Step {
    const outer = begin(self)
    try {
      return outcome(this.#machine.getInitialSnapshot(theScope, input))
    } finally {
      end(outer)
    }
  }

  step(self: Self, snapshot: AnyMachineSnapshot, event: AnyEventObject): Step {
    const outer = begin(self)
    try {
      return outcome(this.#machine.transition(snapshot, event, theScope))
    } finally {
      end(outer)
    }
  }

  /** Goes on from what was kept: nothing of it is entered again. Throws `Incompatible` for a state or a child that the machine no longer has. */
  restore(self: Self, kept: KeptSnapshot): Step {
    const children = Object.fromEntries(Object.entries(kept.children).map(([id, { src, input, shows }]) => [id, { src, syncSnapshot: shows, snapshot: { status: 'active', output: undefined, error: undefined, input } }]))
    const outer = begin(self)
    try {
      const snapshot = this.#machine.restoreSnapshot({ ...kept, historyValue: kept.history, children } as never, theScope) as AnyMachineSnapshot
      const alive = snapshot.children as Record<string, unknown>
      const gone = Object.keys(kept.children).find((id) => alive[id] === undefined)
      if (gone !== undefined) throw new Error(`it no longer has ${kept.children[gone]?.src}, which runs as ${gone}`)
      const step = outcome(snapshot)
      // XState makes them from a snapshot, so their input is no option of theirs.
      return { ...step, started: step.started.map((start) => ({ ...start, input: kept.children[start.id]?.input, formerly: kept.children[start.id]?.name })) }
    } catch (error) {
      throw new TroupeError('Incompatible', `${self.port.cell.address} cannot go on from state ${JSON.stringify(kept.value)}: ${describe(error)}`, 'bring the state or the child back, or give the actor a new address', {}, error)
    } finally {
      end(outer)
    }
  }

  /**
   * Whether the chart takes a message of this type: `now`, `try` (a guard or an `always` decides, so only the
   * transition tells), `later` (another state would) or `never`. From a memo per state node: no body is decoded.
   */
  takes(snapshot: AnyMachineSnapshot, type: string): Verdict {
    let guarded = false
    const nodes = snapshot._nodes as unknown as readonly NodeView[]
    // From the leaves up: they take most of what comes.
    for (let at = nodes.length - 1; at >= 0; at--) {
      const node = nodes[at] as NodeView
      const verdict = this.#nodeTakes(node, type)
      if (verdict === 'yes') return 'now'
      if (verdict === 'guarded' || (node.always?.length ?? 0) > 0) guarded = true
    }
    if (guarded) return 'try'
    return this.takesAnywhere(type) ? 'later' : 'never'
  }

  /** Whether any state of the chart names this type. */
  takesAnywhere(type: string): boolean {
    let takes = this.#anywhere.get(type)
    if (takes === undefined) {
      takes = [...(this.#machine as unknown as { idMap: Map<string, NodeView> }).idMap.values()].some((node) => this.#nodeTakes(node, type) !== 'no')
      remember(this.#anywhere, type, takes)
    }
    return takes
  }

  #nodeTakes(node: NodeView, type: string): NodeVerdict {
    let verdicts = this.#takes.get(node)
    if (verdicts === undefined) this.#takes.set(node, (verdicts = new Map<string, NodeVerdict>()))
    let verdict = verdicts.get(type)
    if (verdict === undefined) {
      const candidates = [...node.transitions].filter(([descriptor]) => matches(type, descriptor)).flatMap(([, transitions]) => transitions)
      verdict = candidates.length === 0 ? 'no' : candidates.some(({ guard }) => guard === undefined) ? 'yes' : 'guarded'
      remember(verdicts, type, verdict)
    }
    return verdict
  }
}

/** Types come from senders, who may invent as many as they like. */
function remember<V>(memo: Map<string, V>, type: string, verdict: V): void {
  if (memo.size >= VERDICTS_MAX) memo.clear()
  memo.set(type, verdict)
}

interface Outer {
  readonly run: Run
  readonly executor: typeof execute
}
const newRun = (self: Self): Run => ({ self, effects: NONE, taken: false, built: NONE, stopped: NONE })
/** Most steps run inside none other, so one note serves them all. */
let spare: Run | undefined

/**
 * Begins a step; gives what `end` puts back. An action that starts an actor of its own, by telling one that was asleep,
 * runs that actor's first step inside this one.
 */
function begin(self: Self): Outer | undefined {
  const outer = current === undefined ? undefined : { run: current, executor: scope.actionExecutor }
  if (outer !== undefined || spare === undefined) current = newRun(self)
  else {
    current = spare
    current.self = self
    current.effects = current.built = current.stopped = NONE
    current.taken = false
  }
  enter(self, execute)
  return outer
}

function outcome(snapshot: AnyMachineSnapshot): Step {
  const { effects, taken, built, stopped } = current as Run
  return { snapshot, taken, effects, started: startsOf(built, stopped), stopped: stopped as unknown as AnyActorRef[] }
}

function end(outer: Outer | undefined): void {
  if (outer === undefined) spare = current
  current = outer?.run
  enter(outer?.run.self, outer?.executor ?? execute)
}

function enter(self: Self | undefined, executor: typeof execute): void {
  scope.self = self
  scope.id = scope.sessionId = self?.id ?? ''
  scope.actionExecutor = executor
}

/** A child that was stopped in the step that built it never starts, nor does one whose id the step gave to another. */
function startsOf(built: readonly Built[], stopped: readonly Built[]): readonly ChildStart[] {
  if (built.length === 0) return NONE
  return built
    .filter((each, at) => !stopped.includes(each) && !built.some(({ id }, later) => later > at && id === each.id))
    .map((each) => {
      const { id, logic, options, _syncSnapshot } = each
      return { id, logic: (logic as { stands?: unknown }).stands ?? logic, input: options.input, shows: _syncSnapshot === true, ref: each as unknown as AnyActorRef }
    })
}

/** By its mark, not its class: a second copy of XState in a program makes machines too. */
export const isMachine = (logic: unknown): logic is AnyStateMachine => typeof logic === 'object' && logic !== null && '__xstatenode' in logic && 'provide' in logic

const STANDS = placeholder<unknown, unknown>({})

/** Starts, stops and feeds the actors of logic that is left to XState: promises, callbacks, observables, transitions. */
export const startForeign = (ref: AnyActorRef): void => (ref as unknown as { start(): void }).start()
export const stopForeign = (ref: AnyActorRef): void => (ref as unknown as { _stop(): void })._stop()
export const sendForeign = (ref: AnyActorRef, event: AnyEventObject): void => (ref as unknown as Built)._send(event)
