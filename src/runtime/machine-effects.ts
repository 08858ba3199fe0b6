/** What a statechart may ask of its cell: actions that act when the step commits, and logic to invoke. */
import { TroupeError } from '../ground/errors.js'
import type { Duration } from '../ground/duration.js'
import type { ReturnAddress } from './envelope.js'
import type { InferOptions } from './effects.js'
import type { ChunkOf, EventKey, Message, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from './protocol.js'
import type { Ref } from './ref.js'
import { note, placeholder, type ActorLogic, type AnyEventObject, type EventObject, type Snapshot } from './xstate.js'

/** An effect of one step, as data; the cell carries it out when the step commits. */
export type MachineEffect =
  | { readonly kind: 'reply'; readonly to: ReturnAddress; readonly value: unknown }
  | { readonly kind: 'refuse'; readonly to: ReturnAddress; readonly error: TroupeError }
  | { readonly kind: 'tell'; readonly to: Ref; readonly message: Message }
  | { readonly kind: 'publish'; readonly topic: string; readonly message: Message }
  | { readonly kind: 'timer'; readonly id: string | undefined; readonly delayMs: number; readonly event: AnyEventObject }
  | { readonly kind: 'cancel-timer'; readonly id: string }
  /** Read `params.to` only after the step: XState fills it late. */
  | { readonly kind: 'send'; readonly params: { readonly to: unknown; readonly event: AnyEventObject; readonly delay?: unknown; readonly id?: unknown } }
  | { readonly kind: 'emit'; readonly event: AnyEventObject }
  | { readonly kind: 'log'; readonly value: unknown; readonly label: string | undefined }

interface Args<C, E> {
  readonly context: C
  readonly event: E
}
type Given<C, E, V> = V | ((args: Args<C, E>) => V)
/** A custom action of XState, seen from the machine that lists it. */
type Action<C, E> = (args: { context: C; event: E; self: never; system: never }, params: never) => void

const give = <C, E, V>(given: Given<C, E, V>, args: Args<C, E>): V => (typeof given === 'function' ? (given as (args: Args<C, E>) => V)(args) : given)

function act(effect: MachineEffect, name: string): void {
  if (!note(effect)) throw new TroupeError('InvalidDefinition', `${name}() acts only inside a troupe`, 'spawn the machine with troupe.spawn(name, actor(protocol, machine))')
}

function addressIn(event: unknown, action: string): ReturnAddress {
  const from = (event as { from?: ReturnAddress }).from
  if (from !== undefined) return from
  throw new TroupeError('InvalidMessage', `${action}() has nobody to answer: the event at hand came from no message`, 'keep event.from in the context when the request arrives, and give it as { to }')
}

/** Answers the request at hand, or the one kept as `to`. */
export function reply<C, E extends EventObject, V>(value: Given<C, E, V>, options: { readonly to?: Given<C, E, ReturnAddress> } = {}): Action<C, E> {
  return function reply({ context, event }) {
    const args = { context, event }
    act({ kind: 'reply', to: options.to === undefined ? addressIn(event, 'reply') : give(options.to, args), value: give(value, args) }, 'reply')
  }
}

/** Answers the request at hand, or the one kept as `to`, with an error. */
export function refuse<C, E extends EventObject>(error: Given<C, E, TroupeError>, options: { readonly to?: Given<C, E, ReturnAddress> } = {}): Action<C, E> {
  return function refuse({ context, event }) {
    const args = { context, event }
    act({ kind: 'refuse', to: options.to === undefined ? addressIn(event, 'refuse') : give(options.to, args), error: give(error, args) }, 'refuse')
  }
}

/** Tells another actor, once the step has committed. */
export function tell<C, E extends EventObject, S extends Specs>(to: Given<C, E, Ref<S>>, message: Given<C, E, MessageOf<S, EventKey<S>>>): Action<C, E> {
  return function tell({ context, event }) {
    const args = { context, event }
    act({ kind: 'tell', to: give(to, args) as unknown as Ref, message: give(message, args) as unknown as Message }, 'tell')
  }
}

/** Publishes to a topic, once the step has committed. */
export function publish<C, E extends EventObject>(topic: Given<C, E, string>, message: Given<C, E, Message>): Action<C, E> {
  return function publish({ context, event }) {
    const args = { context, event }
    act({ kind: 'publish', topic: give(topic, args), message: give(message, args) }, 'publish')
  }
}

/** What an invoked effect may do while it runs. */
export interface Work {
  readonly signal: AbortSignal
  /** The same for each try of the same effect. */
  readonly idempotencyKey: string
  ask<S extends Specs, K extends RequestKey<S>>(to: Ref<S>, message: MessageOf<S, K>, options?: { readonly timeout?: Duration | 'none' }): Promise<ReplyOf<S, K>>
  stream<S extends Specs, K extends StreamKey<S>>(to: Ref<S>, message: MessageOf<S, K>): AsyncIterable<ChunkOf<S, K>>
  infer<Result = unknown, Part = unknown>(task: string, model: string, input: unknown, options?: InferOptions): PromiseLike<Result> & AsyncIterable<Part>
}

/** An effect that a chart invokes and its cell runs. */
export interface InvokedEffect {
  readonly name: string
  /** Where the chunks go that `run` yields, for an effect that streams. */
  readonly into?: (input: unknown) => ReturnAddress
  readonly run: (input: unknown, work: Work) => PromiseLike<unknown> | AsyncGenerator<unknown, unknown>
}

const EFFECT = Symbol('troupe.effect')
const effectLogic = <Output, Input>(effect: InvokedEffect): ActorLogic<Snapshot<Output>, EventObject, Input> => placeholder({ [EFFECT]: effect })
export const invokedEffect = (logic: unknown): InvokedEffect | undefined => (logic as { [EFFECT]?: InvokedEffect })[EFFECT]

type Fields<M> = Omit<M, 'type'>

/**
 * Logic to invoke that asks another actor: its input is the request's body, its output the reply.
 * `to` may depend on the input.
 */
export function ask<S extends Specs, K extends RequestKey<S>>(to: Ref<S> | ((input: Fields<MessageOf<S, K>>) => Ref<S>), type: K, options: { readonly timeout?: Duration | 'none' } = {}): ActorLogic<Snapshot<ReplyOf<S, K>>, EventObject, Fields<MessageOf<S, K>>> {
  return effectLogic({
    name: `ask ${type}`,
    run: (input, work) => {
      const body = input as Fields<MessageOf<S, K>>
      return work.ask(typeof to === 'function' ? to(body) : to, { ...body, type } as unknown as MessageOf<S, K>, options)
    },
  })
}

/** Logic to invoke that runs a kernel: its input is the kernel's input, its output the kernel's result. */
export function infer<Output = unknown, Input = unknown>(task: string, model: string, options: InferOptions = {}): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return effectLogic({ name: `infer ${task}`, run: (input, work) => work.infer(task, model, input, { ...options, signal: work.signal }) })
}

/** Logic to invoke that runs a function once, outside the event loop's turn of the actor. */
export function stepOnce<Output, Input = void>(name: string, run: (input: Input, work: Work) => PromiseLike<Output>): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return effectLogic({ name, run: (input, work) => run(input as Input, work) })
}

/**
 * Logic to invoke that answers a stream: what the generator yields goes to the reader at `input.into`, no faster
 * than it reads, and what the generator returns is the output.
 */
export function streamOnce<Output, Chunk, Input extends { readonly into: ReturnAddress }>(name: string, run: (input: Input, work: Work) => AsyncGenerator<Chunk, Output>): ActorLogic<Snapshot<Output>, EventObject, Input> {
  return effectLogic({ name, into: (input) => (input as Input).into, run: (input, work) => run(input as Input, work) })
}

export type { Protocol }
