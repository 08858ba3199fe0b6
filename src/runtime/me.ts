import type { Duration } from '../ground/duration.js'
import type { Address } from './address.js'
import type { Definition } from './definition.js'
import type { InferOptions } from './effects.js'
import type { PriorityName } from './envelope.js'
import type { ChunkOf, EventKey, Message, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from './protocol.js'
import type { ActorEnding, AskOptions, Ref } from './ref.js'
import type { SpawnOptions } from './troupe.js'

/** What a handler holds of its actor and of the troupe. */
export interface Me<S extends Specs = Specs, State = unknown> {
  /** The actor's address. */
  readonly id: Address
  /** The sender's address; `''` for a caller outside the troupe. */
  readonly from: Address
  /** The envelope being handled, for `troupe.why`; 0 in `started`. */
  readonly envelope: number
  state: State
  /** Fires when nobody wants the outcome any more; its reason is a `Cancelled` error that says why. */
  readonly signal: AbortSignal
  readonly clock: { now(): number }
  /** A ref to this actor. */
  readonly self: Ref<S>

  ref<T extends Specs>(protocol: Protocol<T>, address: Address): Ref<T>
  /** Sends when this handler commits; never waits. Throws `Overloaded` when the outbox is full. */
  tell<T extends Specs, K extends EventKey<T>>(to: Ref<T>, message: MessageOf<T, K>, options?: { readonly priority?: PriorityName }): void
  ask<T extends Specs, K extends RequestKey<T>>(to: Ref<T>, message: MessageOf<T, K>, options?: AskOptions): Promise<ReplyOf<T, K>>
  stream<T extends Specs, K extends StreamKey<T>>(to: Ref<T>, message: MessageOf<T, K>, options?: AskOptions): AsyncIterableIterator<ChunkOf<T, K>>
  infer<Result = unknown, Part = unknown>(task: string, model: string, input: unknown, options?: InferOptions): PromiseLike<Result> & AsyncIterable<Part>
  /** Runs a named piece of work; `idempotencyKey` is the same for each try of it. `DeadlineExceeded` after `timeout`, when its signal fires too. */
  step<T>(name: string, run: (work: { readonly signal: AbortSignal; readonly idempotencyKey: string }) => T | Promise<T>, options?: { readonly timeout?: Duration }): Promise<T>
  sleep(duration: Duration): Promise<void>
  /** Waits for one event of this actor's own protocol; other mail waits meanwhile. `DeadlineExceeded` after `timeout`. */
  waitFor<K extends EventKey<S>>(type: K, options?: { readonly timeout?: Duration }): Promise<MessageOf<S, K>>

  /** Starts a child, which ends with this actor. */
  spawn<T extends Specs>(name: string, definition: Definition<T>, options?: SpawnOptions): Ref<T>
  /** Sends this actor a message of its own when another ends, and how it ended. */
  watch<T extends Specs, K extends EventKey<S>>(ref: Ref<T>, message: (ending: ActorEnding) => MessageOf<S, K>): void
  publish(topic: string, message: Message): void
  /** Lets this actor receive what is published to topics that match the pattern, until it stops. */
  subscribe(pattern: string): void
  random(): number
  /**
   * Whether this run takes the new way at a change of the code: false for one that a former process began and brought past
   * this place with the code before the change, and the same each time that it runs again.
   */
  changed(name: string): boolean
  log(...words: readonly unknown[]): void
  /** Stops this actor after this handler. */
  stop(): void
}
