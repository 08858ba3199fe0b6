/** What a gateway serves: routes, as plain functions from a call to an answer. Only `server.ts` knows the HTTP library. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../ground/clock.js'
import type { TroupeError } from '../../ground/errors.js'
import type { Address, Troupe } from '../../runtime/index.js'
import type { EventWriter } from './event-stream.js'
import type { Caller } from './keys.js'
import type { Metrics } from './metrics.js'
import type { Shop } from './scopes.js'
import type { Socket } from './socket.js'
import type { Problem } from './statuses.js'

/** One request, let in. */
export interface Call {
  readonly caller: Caller
  readonly method: string
  /** The path as it was sent, without its query. */
  readonly path: string
  /** What stands in the place of `*` in the route's path, decoded. */
  readonly rest: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  /** The body as JSON; `undefined` where there is none. */
  readonly body: unknown
  /** Fires when the caller has gone away, or the gateway cannot wait any longer. */
  readonly signal: AbortSignal
  /** Lets the audit log know what was asked. */
  asks(type: string): void
  /** Throws `Unauthorized` when the caller may not send this type to this address. */
  allow(address: string, type: string): void
}

export type Answer =
  /** The body may be a promise. */
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'text'; readonly type: string; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  /** Server-sent events; what `run` throws becomes the last of them. */
  | { readonly kind: 'events'; readonly headers?: Readonly<Record<string, string>>; readonly run: (events: EventWriter) => Promise<void> }
  /** For a library that wants Node's own request and response. It ends the response. */
  | { readonly kind: 'raw'; readonly run: (request: IncomingMessage, response: ServerResponse) => Promise<void> }

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** A path, with `*` at its end where more may follow. */
  readonly path: string
  /** Served to anybody, and while the gateway drains; for probes. */
  readonly open?: boolean
  readonly handle: (call: Call) => Answer | Promise<Answer>
  /** How an error looks to callers who expect it in another form than ours. */
  readonly problem?: (problem: Problem, status: number) => unknown
  /** The same path as a WebSocket. */
  readonly converse?: (call: Call, socket: Socket) => Promise<void>
}

/** What a face may use of the gateway. */
export interface House {
  readonly troupe: Troupe
  /** The gateway's own address, from which it sends. */
  readonly from: Address
  readonly clock: Clock
  readonly shop: Shop
  readonly metrics: Metrics
  /** Longest wait for an outcome, in milliseconds. */
  readonly timeoutMaxMs: number
  readonly isDraining: () => boolean
  /** Counts one more request of a caller; a refusal when there were too many. */
  readonly meter: (caller: Caller) => TroupeError | undefined
  /** One more thing under way that is no request of its own: what is to be called at its end, or why it may not begin. */
  readonly begin: (caller: Caller) => (() => void) | TroupeError
}

/** A way to reach what a gateway serves: plain HTTP, OpenAI's, a tool server's. */
export interface Face {
  readonly routes: (house: House) => readonly Route[]
}
