import type { Duration } from '../ground/duration.js'
import type { Address } from './address.js'
import type { PriorityName } from './envelope.js'
import { observable, type Observable } from './observable.js'
import type { ChunkOf, EventKey, Message, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from './protocol.js'

export interface TellOptions {
  readonly priority?: PriorityName
  /** Ends the wait for room in a full mailbox. */
  readonly signal?: AbortSignal
}

export interface AskOptions {
  /** How long the outcome may take. Default 30 s; `'none'` waits for ever. For a stream: the wait for each chunk. */
  readonly timeout?: Duration | 'none'
  readonly priority?: PriorityName
  /** Cancels the ask and all the work that it caused. */
  readonly signal?: AbortSignal
}

export interface StreamOptions extends AskOptions {
  /** How long the producer waits for a reader that takes nothing. Default 5 min; `'none'` waits for ever. */
  readonly idle?: Duration | 'none'
  /**
   * Keeps the stream for a reader who leaves and comes back with `troupe.resume`: its last 1,000 chunks (1 MB), for 60 s.
   * Leaving the loop does not stop its producer then; the signal does.
   */
  readonly resumable?: boolean
}

/** A stream that another reader may take over where this one left. */
export interface ResumableStream<Chunk> extends AsyncIterableIterator<Chunk> {
  /** What `troupe.resume` wants to know. */
  readonly id: number
  /** The number of the last chunk that was read here; the first one is 1. */
  readonly sequence: number
}

/** How an actor ended. */
export type ActorEnding =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'finished'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** A volatile keyed actor that was idle: its state is gone. */
  | { readonly kind: 'forgotten' }
  | { readonly kind: 'no-such-actor' }

/** What a ref needs of the troupe. */
export interface RefPort {
  tell(ref: Ref, message: Message, options: TellOptions | undefined): Promise<void>
  ask(ref: Ref, message: Message, options: AskOptions | undefined): Promise<unknown>
  stream(ref: Ref, message: Message, options: StreamOptions | undefined): AsyncIterableIterator<unknown>
  stop(address: Address): Promise<void>
  watch(address: Address, signal: AbortSignal | undefined): Promise<ActorEnding>
}

/** What callers hold: a typed way to one address. It stays good when its actor restarts, passivates or moves. */
export class Ref<S extends Specs = Specs> {
  readonly address: Address
  readonly protocol: Protocol<S>
  readonly #port: RefPort
  /** Whose the messages are that nobody inside sends; without, they come from outside. @internal */
  readonly from: Address | undefined
  /** The router's note of where this address last led. @internal */
  target: { readonly alive: boolean } | undefined

  constructor(address: Address, protocol: Protocol<S>, port: RefPort, from?: Address) {
    this.address = address
    this.protocol = protocol
    this.#port = port
    this.from = from
  }

  /** Sends an event. The promise tells that the actor's mailbox accepted it; nobody needs to await it. */
  tell<K extends EventKey<S>>(message: MessageOf<S, K>, options?: TellOptions): Promise<void> {
    return this.#port.tell(this, message, options)
  }

  /** Sends a request and gives its reply. Rejects with the outcome otherwise: `DeadlineExceeded`, `ActorFailed`, `Unhandled`, … */
  ask<K extends RequestKey<S>>(message: MessageOf<S, K>, options?: AskOptions): Promise<ReplyOf<S, K>> {
    return this.#port.ask(this, message, options) as Promise<ReplyOf<S, K>>
  }

  /** The same way, for messages whose sender is to be seen. @internal */
  sentBy(from: Address): Ref<S> {
    return new Ref(this.address, this.protocol, this.#port, from)
  }

  /** Opens a stream of chunks. The producer is at most 32 chunks ahead; leaving the loop stops it. */
  stream<K extends StreamKey<S>>(message: MessageOf<S, K>, options: StreamOptions & { readonly resumable: true }): ResumableStream<ChunkOf<S, K>>
  stream<K extends StreamKey<S>>(message: MessageOf<S, K>, options?: StreamOptions): AsyncIterableIterator<ChunkOf<S, K>>
  stream<K extends StreamKey<S>>(message: MessageOf<S, K>, options?: StreamOptions): AsyncIterableIterator<ChunkOf<S, K>> {
    return this.#port.stream(this, message, options) as AsyncIterableIterator<ChunkOf<S, K>>
  }

  /** The same stream as an RxJS Observable: opened for each subscriber, stopped when it unsubscribes. */
  observe<K extends StreamKey<S>>(message: MessageOf<S, K>, options?: Omit<StreamOptions, 'resumable'>): Observable<ChunkOf<S, K>> {
    return observable(() => this.stream(message, options))
  }

  /** Stops the actor after the message it is handling; resolves once it has ended. */
  stop(): Promise<void> {
    return this.#port.stop(this.address)
  }

  /** Resolves when the actor ends, with how. */
  watch(options: { readonly signal?: AbortSignal } = {}): Promise<ActorEnding> {
    return this.#port.watch(this.address, options.signal)
  }

  toString(): string {
    return this.address
  }
}
