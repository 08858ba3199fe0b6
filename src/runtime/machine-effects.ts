/** What a statechart may ask of its cell: actions that act when the step commits, and logic to invoke. */
import { TroupeError } from '../ground/errors.js'
import type { Duration } from '../ground/duration.js'
import type { Address } from './address.js'
import type { ReturnAddress } from './envelope.js'
import type { InferOptions } from './effects.js'
import type { BodyOf, ChunkOf, EventKey, Message, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from './protocol.js'
import { placeholder } from './stand-ins.js'
import { note, stepping, type ActorLogic, type AnyEventObject, type EventObject, type Snapshot } from './xstate.js'

/** Whom to reach: a ref, or a protocol and an address, which a chart can name before anybody is there. */
export interface Whom<S extends Specs = Specs> {
  readonly protocol: Protocol<S>
  readonly address: Address
}

/** An effect of one step, as data; the cell carries it out when the step commits. */
export type MachineEffect =
  | { readonly kind: 'reply'; readonly to: ReturnAddress; readonly value: unknown }
  | { readonly kind: 'refuse'; readonly to: ReturnAddress; readonly error: TroupeError }
  | { readonly kind: 'tell'; readonly to: Whom; readonly message: Message }
  | { readonly kind: 'publish'; readonly topic: string; readonly message: Message }
  | { readonly kind: 'timer'; readonly id: string | undefined; readonly delayMs: number; readonly event: AnyEventObject }
  | { readonly kind: 'cancel-timer'; readonly id: string }
  /** Read `params.to` only after the step: XState fills it late. */
  | { readonly kind: 'send'; readonly params: { readonly to: unknown; readonly event: AnyEventObject; readonly delay?: unknown; readonly id?: unknown } }
  | { readonly kind: 'emit'; readonly event: AnyEventObject }
  | { readonly kind: 'log'; readonly value: unknown; readonly label: string | undefined }

/** What a custom action of XState is called with. */
interface Args<C, E> {
  readonly context: C
  readonly event: E
}
type From<C, E, P, V> = (args: Args<C, E>, params: P) => V
/** A value, or how it comes from the context, the event and the action's params. */
type Given<C, E, P, V> = V | From<C, E, P, V>
/** A custom action of XState, seen from the machine that lists it. */
type Action<C, E, P> = (args: Args<C, E>, params: P) => void

/** What the requests among these events may be answered with; whatever it is, where the compiler does not know the event. */
type ReplyIn<E extends EventObject> = string extends E['type'] ? Anything : E extends { readonly from: ReturnAddress<infer Reply> } ? Known<Reply> : never
type Known<Reply> = unknown extends Reply ? Anything : Reply
/** `unknown`, but for a compiler that would then not see that a function is one. */
type Anything = {} | null | undefined

const give = <C, E, P, V>(given: Given<C, E, P, V>, args: Args<C, E>, params: P): V => (typeof given === 'function' ? (given as From<C, E, P, V>)(args, params) : given)

function act(effect: MachineEffect, name: string): void {
  if (!note(effect)) throw new TroupeError('InvalidDefinition', `${name}() acts only inside a troupe`, 'spawn the machine with troupe.spawn(name, actor(protocol, machine))')
}

/** The troupe's time, for a chart's actions and guards: virtual in a test. */
export function now(): number {
  const cell = stepping()
  if (cell === undefined) throw new TroupeError('InvalidDefinition', 'now() tells the time only inside a troupe', 'spawn the machine with troupe.spawn(name, actor(protocol, machine))')
  return cell.parts.clock.now()
}

function addressIn(event: unknown, action: string): ReturnAddress {
  const from = (event as { from?: ReturnAddress }).from
  if (from !== undefined) return from
  throw new TroupeError('InvalidMessage', `${action}() has nobody to answer: the event at hand came from no message`, 'keep event.from in the context when the request arrives, and give it as { to }')
}

/** Whom an answer is for, when it is not the sender of the event at hand: one kept in the context. With `undefined` nobody is told. */
interface To<C, E, P, Reply> {
  readonly to: Given<C, E, P, ReturnAddress<Reply> | undefined>
}

/** Answers the request at hand, or the one kept as `to`. Nothing happens when it wants no answer any more. */
export function reply<C, E extends EventObject, P>(value: Given<C, E, P, ReplyIn<E>>): Action<C, E, P>
export function reply<C, E extends EventObject, P, Reply>(value: Given<C, E, P, Known<NoInfer<Reply>>>, options: To<C, E, P, Reply>): Action<C, E, P>
export function reply<C, E extends EventObject, P>(value: Given<C, E, P, unknown>, options?: To<C, E, P, unknown>): Action<C, E, P> {
  return function reply({ context, event }, params) {
    const args = { context, event }
    const to = options === undefined ? addressIn(event, 'reply') : give(options.to, args, params)
    if (to !== undefined) act({ kind: 'reply', to, value: give(value, args, params) }, 'reply')
  }
}

/** Answers the request at hand, or the one kept as `to`, with an error. */
export function refuse<C, E extends EventObject, P>(error: Given<C, E, P, TroupeError>, options?: To<C, E, P, unknown>): Action<C, E, P> {
  return function refuse({ context, event }, params) {
    const args = { context, event }
    const to = options === undefined ? addressIn(event, 'refuse') : give(options.to, args, params)
    if (to !== undefined) act({ kind: 'refuse', to, error: give(error, args, params) }, 'refuse')
  }
}

/**
 * What the other takes. Where `to` is a function of the context and the message a literal, the compiler looks at the
 * message first and knows nothing of the protocol yet: then only the schema checks it. A function is checked here too.
 */
type EventFor<S extends Specs> = string extends keyof S ? Message : MessageOf<S, EventKey<S>>

/** Tells another actor, once the step has committed. */
export function tell<C, E extends EventObject, P, S extends Specs>(to: Given<C, E, P, Whom<S>>, message: Given<C, E, P, EventFor<S>>): Action<C, E, P> {
  return function tell({ context, event }, params) {
    const args = { context, event }
    act({ kind: 'tell', to: give(to, args, params) as unknown as Whom, message: give(message, args, params) as unknown as Message }, 'tell')
  }
}

/** Publishes to a topic, once the step has committed. */
export function publish<C, E extends EventObject, P, M extends { readonly type: string }>(topic: Given<C, E, P, string>, message: Given<C, E, P, M>): Action<C, E, P> {
  return function publish({ context, event }, params) {
    const args = { context, event }
    act({ kind: 'publish', topic: give(topic, args, params), message: give<C, E, P, M>(message, args, params) as unknown as Message }, 'publish')
  }
}

/** What an invoked effect may do while it runs. */
export interface Work {
  /** Fires when the state that invoked it is left, or its actor, its reader or whom it works for is gone; its reason is a `Cancelled` error that says why. */
  readonly signal: AbortSignal
  /** The same for each try of the same effect. */
  readonly idempotencyKey: string
  /** The troupe's, virtual in a test. */
  readonly clock: { now(): number }
  ask<S extends Specs, K extends RequestKey<S>>(to: Whom<S>, message: MessageOf<S, K>, options?: { readonly timeout?: Duration | 'none' }): Promise<ReplyOf<S, K>>
  stream<S extends Specs, K extends StreamKey<S>>(to: Whom<S>, message: MessageOf<S, K>): AsyncIterableIterator<ChunkOf<S, K>>
  infer<Result = unknown, Part = unknown>(task: string, model: string, input: unknown, options?: InferOptions): PromiseLike<Result> & AsyncIterable<Part>
}

/** An effect that a chart invokes and its cell runs. */
export interface InvokedEffect {
  readonly name: string
  /** Where the chunks go that `run` yields, for an effect that streams. */
  readonly into?: (input: unknown) => ReturnAddress | undefined
  /** Who waits for what it comes to: once nobody does, it need not go on. */
  readonly for?: (input: unknown) => ReturnAddress | undefined
  readonly run: (input: unknown, work: Work) => unknown
}

const EFFECT = Symbol('troupe.effect')
const effectLogic = <Output, Input>(effect: InvokedEffect): ActorLogic<Snapshot<Output>, EventObject, Input> => placeholder({ [EFFECT]: effect })
export const invokedEffect = (logic: unknown): InvokedEffect | undefined => (logic as { [EFFECT]?: InvokedEffect })[EFFECT]

/** A request's fields; nothing to give where it has none. */
type FieldsOf<S extends Specs, K extends keyof S & string> = BodyOf<S[K]>
type InputOf<Body> = keyof Body extends never ? void : Body

/**
 * Logic to invoke that asks another actor: its input is the request's body, its output the reply.
 * `to` may depend on the input.
 */
export function ask<S extends Specs, K extends RequestKey<S>>(to: Whom<S> | ((input: FieldsOf<S, K>) => Whom<S>), type: K, options: { readonly timeout?: Duration | 'none' } = {}): ActorLogic<Snapshot<ReplyOf<S, K>>, EventObject, InputOf<FieldsOf<S, K>>> {
  return effectLogic({
    name: `ask ${type}`,
    run: (input, work) => work.ask(typeof to === 'function' ? to(input as FieldsOf<S, K>) : to, { ...(input as object), type } as unknown as MessageOf<S, K>, options),
  })
}

/** Logic to invoke that runs a kernel: its input is the kernel's input, its output the kernel's result. */
export function infer<Output = unknown, Input = unknown>(task: string, model: string, options: InferOptions = {}): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return effectLogic({ name: `infer ${task}`, run: (input, work) => work.infer(task, model, input, options) })
}

/**
 * Logic to invoke that runs a function once, outside the actor's turn. `for` says whose request it serves: when that one
 * cancels, or gives up waiting, its signal fires.
 */
export function stepOnce<Output, Input = void>(name: string, run: (input: Input, work: Work) => Output | PromiseLike<Output>, options: { readonly for?: (input: Input) => ReturnAddress | undefined } = {}): ActorLogic<Snapshot<Output>, EventObject, Input> {
  const asker = options.for
  return effectLogic({ name, run: (input, work) => run(input as Input, work), ...(asker !== undefined && { for: (input: unknown) => asker(input as Input) }) })
}

/**
 * Logic to invoke that answers a stream: what the generator yields goes to the reader at `input.into`, no faster
 * than it reads, and what the generator returns is the output. When the reader leaves before the end, `onError` has a
 * `Cancelled` error with reason `reader-left`.
 */
export function streamOnce<Chunk, Output, Input extends { readonly into: ReturnAddress }>(name: string, run: (input: Input, work: Work) => AsyncGenerator<Chunk, Output>): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return effectLogic({ name, into: (input) => (input as Input | undefined)?.into, run: (input, work) => run(input as Input, work) })
}
