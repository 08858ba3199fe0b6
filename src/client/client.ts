/** An actor behind a gateway, typed by its protocol: for browsers and for Node, by the platform's own `fetch`. */
import { realClock, type Clock } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import { TroupeError } from '../ground/errors.js'
import type { ChunkOf, EventKey, MessageOf, Protocol, ReplyOf, RequestKey, Specs, StreamKey } from '../runtime/protocol.js'
import { Conversation, type OpenSocket } from './conversation.js'
import { textOf } from './body.js'
import { GRACE_MS, IDLE_DEFAULT_MS, RECONNECTS_DEFAULT, TIMEOUT_DEFAULT_MS } from './limits.js'
import { toJson, type OverJson } from './over-json.js'
import { fromResponse, parse, unanswered, unreachable } from './problems.js'
import { readStream } from './stream-reader.js'
import { timeLimit } from './time-limit.js'

export interface ClientOptions {
  /** A key or a token of the gateway. */
  readonly key?: string
  /** How long an outcome may take, for a stream each of its chunks. Default 30 s. */
  readonly timeout?: Duration
  /** How often a broken stream is taken up again in a row. Default 5. */
  readonly reconnects?: number
  /** How long a stream's or a conversation's connection may be silent before it is taken for broken. The gateway shows every 15 s that it lives. Default 45 s. */
  readonly idle?: Duration
  /** Default the platform's. */
  readonly fetch?: typeof fetch
  /** What opens a WebSocket, for `converse`. Default the platform's; Node 20 has none: `(url, protocols) => new WebSocket(url, protocols)` from `ws`. */
  readonly webSocket?: OpenSocket
  readonly clock?: Clock
}

export interface CallOptions {
  readonly timeout?: Duration
  /** Calls the work off, down to the model. */
  readonly signal?: AbortSignal
}

/** What a client may send to one actor, and what it gets, both as JSON has words for it. */
export interface Client<S extends Specs> {
  /** Sends an event; resolves when the actor's mailbox has accepted it. */
  tell<K extends EventKey<S>>(message: MessageOf<OverJson<S>, K>, options?: CallOptions): Promise<void>
  ask<K extends RequestKey<S>>(message: MessageOf<OverJson<S>, K>, options?: CallOptions): Promise<ReplyOf<OverJson<S>, K>>
  /** Reads a stream; leaving the loop stops it. A connection that breaks is taken up again where it broke. */
  stream<K extends StreamKey<S>>(message: MessageOf<OverJson<S>, K>, options?: CallOptions): AsyncIterableIterator<ChunkOf<OverJson<S>, K>>
  /** Opens one connection for many messages; the options are for its opening alone. */
  converse(options?: CallOptions): Promise<Conversation<S>>
}

/** A client of the actor at `url`, such as `https://example.org/actors/dialogue/conv-42`. What goes wrong is a `TroupeError`. */
export function client<S extends Specs>(protocol: Protocol<S>, url: string, options: ClientOptions = {}): Client<S> {
  const { clock = realClock, reconnects = RECONNECTS_DEFAULT } = options
  const idleMs = options.idle === undefined ? IDLE_DEFAULT_MS : milliseconds(options.idle)
  // Called as a method of something else it would refuse, in browsers.
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init))
  const headersFor = ({ timeout = options.timeout }: CallOptions): Record<string, string> => ({
    'content-type': 'application/json',
    ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
    ...(timeout !== undefined && { 'troupe-timeout': String(milliseconds(timeout)) }),
  })
  /** The answer as text: its time is over when the last of it has come, not the first. */
  const post = async (message: object, call: CallOptions): Promise<string> => {
    const limit = timeLimit(clock, milliseconds(call.timeout ?? options.timeout ?? TIMEOUT_DEFAULT_MS) + GRACE_MS, call.signal)
    try {
      const response = await send(url, { method: 'POST', headers: headersFor(call), body: toJson(message), signal: limit.signal })
      if (!response.ok) throw await fromResponse(response)
      return await textOf(response)
    } catch (error) {
      throw limit.isOver() ? unanswered(url, error) : unreachable(error, url, call.signal)
    } finally {
      limit.lift()
    }
  }
  return {
    tell: async (message, call = {}) => void (await post(checkKind(protocol, message, 'event'), call)),
    ask: async (message, call = {}) => parse(await post(checkKind(protocol, message, 'request'), call)) as never,
    stream: (message, call = {}) => readStream({ url, send, clock, reconnects, idleMs, message: () => checkKind(protocol, message, 'stream'), headers: headersFor(call), signal: call.signal }) as AsyncIterableIterator<never>,
    converse: (call = {}) => Conversation.open(protocol, url, { ...options, clock, idleMs }, call),
  }
}

/** A gateway would take an event that is asked, and answer it with nothing. Throws `InvalidMessage`. */
function checkKind<M extends { readonly type: string }>(protocol: Protocol, message: M, kind: 'event' | 'request' | 'stream'): M {
  const known = protocol.specs[message.type]?.kind ?? kind
  if (known === kind) return message
  throw new TroupeError('InvalidMessage', `${message.type} is ${known === 'event' ? 'an' : 'a'} ${known}`, 'tell events, ask requests, stream streams')
}
