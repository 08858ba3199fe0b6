/**
 * Children that the cell runs, without XState's actors: to build one is a third of what a step costs, and nothing of it
 * would ever run.
 *
 * A state that invokes nothing but such children hides its invokes from XState, and starts and stops them by actions of
 * its own at the same places: after its entry actions, and after its exit actions.
 */
import type { ActorLogic, AnyEventObject, AnyMachineSnapshot, AnyStateMachine, EventObject, Self, Snapshot } from './xstate.js'

/** Where a chart's step notes what it started and stopped. */
export interface Notes {
  built(child: StandIn): void
  stopped(child: StandIn): void
}

const STANDING: Pick<ActorLogic<Snapshot<unknown>, EventObject, unknown>, 'getInitialSnapshot' | 'transition' | 'getPersistedSnapshot' | 'restoreSnapshot'> = {
  getInitialSnapshot: (_scope, input) => standing(input),
  transition: (snapshot) => snapshot,
  getPersistedSnapshot: (snapshot) => snapshot,
  restoreSnapshot: (snapshot) => snapshot,
}
const standing = (input: unknown): Snapshot<unknown> => ({ status: 'active', output: undefined, error: undefined, input }) as Snapshot<unknown>

/** Logic that XState never runs: it stands in the snapshot for something that the cell runs. */
export const placeholder = <Output, Input>(extra: object): ActorLogic<Snapshot<Output>, EventObject, Input> => ({ ...extra, ...STANDING }) as ActorLogic<Snapshot<Output>, EventObject, Input>

const isPlaceholder = (logic: unknown): boolean => (logic as { transition?: unknown } | undefined)?.transition === STANDING.transition

/** What a chart sees of such a child: the face of an actor, and nothing behind it. */
class StandIn {
  readonly sessionId: string
  readonly options: { readonly input: unknown }
  readonly system: Self['system']
  constructor(
    readonly id: string,
    readonly src: string,
    readonly logic: unknown,
    readonly _parent: Self,
    input: unknown,
    readonly _syncSnapshot: boolean,
  ) {
    this.system = _parent.system
    this.sessionId = this.system._bookId()
    this.options = { input }
  }
  get ref(): this {
    return this
  }
  send(event: AnyEventObject): void {
    this.system._relay(undefined, this, event)
  }
  _send(): void {}
  start(): this {
    return this
  }
  subscribe(): { unsubscribe(): void } {
    return { unsubscribe() {} }
  }
  on(): { unsubscribe(): void } {
    return { unsubscribe() {} }
  }
  getSnapshot(): Snapshot<unknown> {
    return standing(this.options.input)
  }
  getPersistedSnapshot(): Snapshot<unknown> {
    return this.getSnapshot()
  }
  toJSON(): object {
    return { xstate$$type: 1, id: this.id }
  }
}

/** XState's definition of one invoke of a state. */
interface Invoke {
  readonly id: string
  readonly src: string
  readonly input?: unknown
  readonly onSnapshot?: unknown
}
/** XState's state, as far as this file needs it. */
interface StateNode {
  readonly invoke: readonly Invoke[]
  readonly config: { readonly invoke?: unknown }
  readonly entry: unknown[]
  readonly exit: unknown[]
}
interface ActionArgs {
  readonly event: AnyEventObject
  readonly self: Self
}
type InputOf = (args: ActionArgs & { readonly context: unknown }) => unknown
type Children = Readonly<Record<string, StandIn>>
/** What XState calls a built-in action: it may change the snapshot while the step is being worked out. */
type Resolve = (scope: unknown, snapshot: AnyMachineSnapshot, args: ActionArgs) => readonly [AnyMachineSnapshot, undefined, undefined]

const builtIn = (type: string, resolve: Resolve): unknown => Object.assign(() => {}, { type, resolve })

/** Takes what the cell runs out of XState's hands, in a machine that nobody else has. */
export function standIn(machine: AnyStateMachine, notes: Notes): void {
  for (const node of (machine as unknown as { idMap: Map<string, StateNode> }).idMap.values()) {
    const { invoke } = node
    const logics = invoke.map(({ src }, at) => logicOf(machine, node, src, at))
    if (invoke.length === 0 || !logics.every(isPlaceholder)) continue
    node.entry.push(...invoke.map((each, at) => builtIn('xstate.spawnChild', starting(each, logics[at], notes))))
    node.exit.push(...invoke.map(({ id }) => builtIn('xstate.stopChild', stopping(id, notes))))
    Object.defineProperty(node, 'invoke', { value: hidden(invoke.map(({ id }) => id)) })
  }
}

/** Logic that has no name is only in the state's own definition. */
function logicOf(machine: AnyStateMachine, { config }: StateNode, src: string, at: number): unknown {
  if (!src.startsWith('xstate.invoke.')) return machine.implementations.actors[src]
  return ([config.invoke].flat()[at] as { readonly src?: unknown } | undefined)?.src
}

const starting =
  ({ id, src, input, onSnapshot }: Invoke, logic: unknown, notes: Notes): Resolve =>
  (_scope, snapshot, { event, self }) => {
    const given = typeof input === 'function' ? (input as InputOf)({ context: snapshot.context, event, self }) : input
    const child = new StandIn(id, src, logic, self, given, Boolean(onSnapshot))
    notes.built(child)
    const children = { ...(snapshot.children as unknown as Children), [id]: child }
    return [{ ...snapshot, children }, undefined, undefined]
  }

const stopping =
  (id: string, notes: Notes): Resolve =>
  (_scope, snapshot) => {
    const { [id]: child, ...children } = snapshot.children as unknown as Children
    // A chart that is done keeps its children in its snapshot, and stops them all.
    if (child === undefined || snapshot.status === 'done') return [snapshot, undefined, undefined]
    notes.stopped(child)
    return [{ ...snapshot, children }, undefined, undefined]
  }

/** XState goes through a state's invokes to start and to stop them, and looks here for whom an entry action may send to before it is there. */
function hidden(ids: readonly string[]): unknown {
  const list = { map: () => list, includes: (id: string) => ids.includes(id), [Symbol.iterator]: () => [].values() }
  return list
}
