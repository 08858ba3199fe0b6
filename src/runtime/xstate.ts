/**
 * The door to XState. Charts decide, cells act: a chart runs as `machine.transition` with one long-lived scope and a
 * stub system of ours, and what it wants done comes out as data. No XState actor, mailbox or timer runs a chart here.
 *
 * Traps of XState 5.33 that this file knows:
 * - `microstep` reassigns `scope.actionExecutor`, so it is reset before each run and the scope is never frozen.
 * - `sendTo` a child that is being spawned fills `params.to` later, so sends are read after the step.
 * - `assign(({ spawn }) => …)` emits no action, so children are found by comparing `snapshot.children`.
 * - `machine.start` and a child's constructor would run child logic, so named child charts are placeholders.
 */
import type { ActorLogic, AnyActorRef, AnyActorScope, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, EventFromLogic, EventObject, ExecutableActionObject, NonReducibleUnknown, Snapshot } from 'xstate'
import { invariant } from '../ground/invariant.js'
import { MICROSTEPS_MAX } from './limits.js'
import type { MachineEffect } from './machine-effects.js'

export type { ActorLogic, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, EventFromLogic, EventObject, NonReducibleUnknown, Snapshot }

/** Where events go that reach a chart from outside a step: its cell. */
export interface ChartPort {
  internal(event: AnyEventObject): void
}

/** What a chart's `self` and `parent` are: a name and a port, no XState actor. */
export class Self {
  readonly system = system
  readonly sessionId: string
  readonly _parent: Self | undefined
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
  getSnapshot(): undefined {
    return undefined
  }
  toJSON(): object {
    return { xstate$$type: 1, id: this.id }
  }
}

/** A child that a step started: what a cell needs to run it its own way. */
export interface ChildStart {
  readonly id: string
  readonly src: unknown
  readonly logic: unknown
  readonly input: unknown
  /** XState's own actor, not started: for logic that the cell leaves to XState. */
  readonly ref: AnyActorRef
}

/** What one step decided, as data. */
export interface Step {
  readonly snapshot: AnyMachineSnapshot
  /** Whether some transition was selected for the event. */
  readonly taken: boolean
  readonly effects: readonly MachineEffect[]
  readonly started: readonly ChildStart[]
  readonly stopped: readonly string[]
}

interface Run {
  effects: MachineEffect[]
  taken: number
}

const NO_CHILDREN: readonly never[] = Object.freeze([])

/** Never pushed to: `add` makes a list of its own. */
const NO_EFFECTS: MachineEffect[] = []

/** The step under way; transitions are synchronous and never nest, so one note serves them all. */
let current: Run | undefined
const run: Run = { effects: [], taken: -1 }

function add(effect: MachineEffect): void {
  if (run.effects.length === 0) run.effects = [effect]
  else run.effects.push(effect)
}

/** Notes an effect of the step under way; false outside a troupe. */
export function note(effect: MachineEffect): boolean {
  if (current === undefined) return false
  add(effect)
  return true
}

const noop = (): void => {}
const system = {
  _bookId: () => 'child',
  _register: (id: string) => id,
  _unregister: noop,
  _set: noop,
  get: () => undefined,
  getAll: () => ({}),
  inspect: () => ({ unsubscribe: noop }),
  getSnapshot: () => ({ _scheduledEvents: {} }),
  start: noop,
  _snapshot: { _scheduledEvents: {} },
  _clock: { setTimeout: noop, clearTimeout: noop },
  _logger: noop,
  _sendInspectionEvent(event: { readonly type: string; readonly _transitions?: readonly unknown[] }): void {
    // The first microstep alone tells whether the event itself was taken.
    if (current !== undefined && current.taken === -1 && event._transitions !== undefined) current.taken = event._transitions.length
  },
  _relay(_source: unknown, target: unknown, event: AnyEventObject): void {
    if (!(target instanceof Self)) (target as { _send(event: AnyEventObject): void })._send(event)
    else if (current === undefined) target.port.internal(event)
    else add({ kind: 'send', params: { to: target, event } })
  },
  scheduler: { schedule: noop, cancel: noop, cancelAll: noop },
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

function execute(action: ExecutableActionObject): void {
  const params = action.params as Record<string, unknown>
  switch (action.type) {
    case 'xstate.raise':
      if (typeof params['delay'] === 'number') add({ kind: 'timer', id: params['id'] as string | undefined, delayMs: params['delay'], event: params['event'] as AnyEventObject })
      return
    case 'xstate.sendTo':
      add({ kind: 'send', params: params as unknown as { to: unknown; event: AnyEventObject } })
      return
    case 'xstate.cancel':
      add({ kind: 'cancel-timer', id: params['sendId'] as string })
      return
    case 'xstate.emit':
      add({ kind: 'emit', event: params['event'] as AnyEventObject })
      return
    case 'xstate.spawnChild':
    case 'xstate.stopChild':
      return // found by comparing the children
    case 'xstate.log':
      add({ kind: 'log', value: params['value'], label: params['label'] as string | undefined })
      return
    default:
      action.exec?.(action.info as never, action.params)
  }
}

type Verdict = 'now' | 'try' | 'later' | 'never'
type NodeVerdict = 'yes' | 'guarded' | 'no'
interface NodeView {
  readonly transitions: ReadonlyMap<string, readonly { readonly guard?: unknown }[]>
  readonly always?: readonly unknown[]
}

/** A machine made ready to run under a cell; one for all cells of its definition. */
export class Chart {
  readonly #machine: AnyStateMachine
  readonly #takes = new Map<object, Map<string, NodeVerdict>>()
  readonly #anywhere = new Map<string, boolean>()

  /** `stand` gives the placeholder for named child logic that the cell runs itself, or `undefined`. */
  constructor(machine: AnyStateMachine, stand: (logic: unknown) => unknown) {
    const actors = Object.entries(machine.implementations.actors as Record<string, unknown>)
    const stands = actors.map(([name, logic]) => [name, stand(logic)] as const).filter(([, logic]) => logic !== undefined)
    this.#machine = machine.provide({ actors: Object.fromEntries(stands) as never })
    const options = this.#machine.options
    // Infinity is XState's default, and a loop in a chart would then hold the process for ever.
    if (options.maxIterations === Infinity) options.maxIterations = MICROSTEPS_MAX
  }

  start(self: Self, input: unknown): Step {
    begin(self)
    try {
      return outcome(NOTHING, this.#machine.getInitialSnapshot(theScope, input))
    } finally {
      end()
    }
  }

  step(self: Self, snapshot: AnyMachineSnapshot, event: AnyEventObject): Step {
    begin(self)
    try {
      return outcome(snapshot.children as Children, this.#machine.transition(snapshot, event, theScope))
    } finally {
      end()
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
      this.#anywhere.set(type, takes)
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
      verdicts.set(type, verdict)
    }
    return verdict
  }
}

type Children = Record<string, AnyActorRef>
const theScope = scope as unknown as AnyActorScope

function begin(self: Self): void {
  invariant(current === undefined, 'a step never runs inside another')
  run.effects = NO_EFFECTS
  run.taken = -1
  current = run
  scope.self = self
  scope.id = scope.sessionId = self.id
  scope.actionExecutor = execute
}

function end(): void {
  current = undefined
  scope.self = undefined
}

function outcome(before: Children, snapshot: AnyMachineSnapshot): Step {
  const after = snapshot.children as Children
  const same = after === before
  return { snapshot, taken: run.taken > 0, effects: run.effects, started: same ? NO_CHILDREN : startedIn(before, after), stopped: same ? NO_CHILDREN : stoppedIn(before, after) }
}

const NOTHING: Record<string, AnyActorRef> = {}

function startedIn(before: Record<string, AnyActorRef>, after: Record<string, AnyActorRef>): ChildStart[] {
  return Object.keys(after)
    .filter((id) => before[id] !== after[id] && after[id] !== undefined)
    .map((id) => {
      const ref = after[id] as AnyActorRef & { logic: unknown; options: { input?: unknown }; src: unknown }
      return { id, src: ref.src, logic: ref.logic, input: ref.options.input, ref }
    })
}

const stoppedIn = (before: Record<string, AnyActorRef>, after: Record<string, AnyActorRef>): string[] => Object.keys(before).filter((id) => before[id] !== after[id])

/** XState's own rule for event descriptors: exact, `*`, or a prefix that ends in `.*`. */
function matches(type: string, descriptor: string): boolean {
  if (descriptor === type || descriptor === '*') return true
  if (!descriptor.endsWith('.*')) return false
  const wanted = descriptor.slice(0, -2).split('.')
  const given = type.split('.')
  return wanted.every((token, at) => token === '*' || token === given[at])
}

/** By its mark, not its class: a second copy of XState in a program makes machines too. */
export const isMachine = (logic: unknown): logic is AnyStateMachine => typeof logic === 'object' && logic !== null && '__xstatenode' in logic && 'provide' in logic

/** Logic that XState never runs: it stands in the snapshot for something that the cell runs. */
export function placeholder<Output, Input>(extra: object): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return {
    ...extra,
    getInitialSnapshot: (_scope, input) => ({ status: 'active', output: undefined, error: undefined, input }) as Snapshot<Output>,
    transition: (snapshot) => snapshot,
    getPersistedSnapshot: (snapshot) => snapshot,
    restoreSnapshot: (snapshot) => snapshot as Snapshot<Output>,
  }
}

/** Starts and stops the actors of logic that is left to XState: promises, callbacks, observables, transitions. */
export const startForeign = (ref: AnyActorRef): void =>  (ref as unknown as { start(): void }).start()
export const stopForeign = (ref: AnyActorRef): void => (ref as unknown as { _stop(): void })._stop()
