/**
 * The HTTP server. The door to fastify and its WebSockets.
 * Owns: connections, who is let in, what is under way, how it ends. Does not own: what is served; faces do.
 *
 * Invariants:
 * G1. Nobody's body is read before they are let in.
 * G2. Every request that was understood has one entry in the audit log.
 * G3. Once `close` has resolved, no socket is open and no timer stands.
 */
import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket as NetSocket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from '@fastify/websocket'
import type { Timer } from '../../ground/clock.js'
import { settledWithin } from '../../ground/clock.js'
import { TroupeError, asTroupeError, describe } from '../../ground/errors.js'
import type { Admission } from './admission.js'
import type { Audit } from './audit.js'
import { EventStream, EVENT_STREAM_HEADERS } from './event-stream.js'
import type { Answer, House, Route } from './face.js'
import { HttpCall, pathOf } from './http-call.js'
import { parseJson, toJson } from './json.js'
import { ANONYMOUS, type Caller } from './keys.js'
import { CONNECTIONS_CHECK_MS, FAREWELL_MS, HEADER_BYTES_MAX, HEADERS_MS, HEARTBEAT_MS } from './limits.js'
import { problemOf, refusal, retryAfter, statusOf } from './statuses.js'
import { LiveSocket, SUBPROTOCOL } from './live-socket.js'

export interface ServerOptions {
  readonly house: Omit<House, 'isDraining'>
  readonly admission: Admission
  readonly audit: Audit
  readonly routes: (house: House) => readonly Route[]
  readonly host: string
  readonly port: number
  readonly bodyBytes: number
  readonly connections: number
  readonly inFlight: number
  readonly requestMs: number
  readonly log: (...words: readonly unknown[]) => void
}

interface Arrived {
  at: number
  caller: Caller
}
interface Served {
  readonly route: Route
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly call: HttpCall
  readonly give: (body: unknown, answer: Answer & { readonly kind: 'json' }) => void
}
/** On the request itself: a map beside it was a measurable part of each. */
type Marked = FastifyRequest & { arrived?: Arrived | undefined }
const JSON_TYPE = 'application/json; charset=utf-8'
const NOT_HERE = (): TroupeError => refusal(404, 'NoSuchActor', 'nothing is served at this path', 'see /openapi.json for what is')
const LEAVING = (): TroupeError => new TroupeError('Cancelled', 'the gateway is stopping', 'try another one, or this one once it is back', { reason: 'shutting-down', retryAfterMs: 1_000 })

export class Server {
  readonly #options: ServerOptions
  readonly #house: House
  readonly #app: FastifyInstance
  readonly #calls = new Set<HttpCall>()
  readonly #streams = new Set<EventStream>()
  readonly #sockets = new Set<LiveSocket>()
  /** Those that have not closed yet: a conversation that is over may have a peer that does not say goodbye. */
  readonly #lines = new Set<WebSocket>()
  #phase: 'open' | 'draining' | 'closed' = 'open'
  #onRest: (() => void) | undefined
  #beat: Timer | undefined

  /** Opens a server; rejects with what kept it from listening. */
  static async open(options: ServerOptions): Promise<Server> {
    const { fastify, websocket } = await load()
    const app = fastify({
      bodyLimit: options.bodyBytes,
      requestTimeout: options.requestMs,
      forceCloseConnections: true,
      exposeHeadRoutes: false,
      routerOptions: { maxParamLength: HEADER_BYTES_MAX },
      http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: Math.min(HEADERS_MS, options.requestMs), connectionsCheckingInterval: CONNECTIONS_CHECK_MS },
      clientErrorHandler: (error, socket) => server.#garbled(error, socket),
      frameworkErrors: (error, request, reply) => void server.#refuse(request, reply, fromLibrary(error)),
    })
    const server: Server = new Server(options, app)
    await server.#mount((within) => within.register(websocket, { options: { maxPayload: options.bodyBytes, handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false) } }))
    app.server.maxConnections = options.connections
    try {
      await app.listen({ host: options.host, port: options.port })
    } catch (error) {
      await app.close()
      throw new TroupeError('InvalidDefinition', `the gateway cannot listen on ${options.host}:${options.port}: ${describe(error)}`, 'choose another port, or 0 for a free one', { port: options.port }, error)
    }
    server.#beats()
    return server
  }

  private constructor(options: ServerOptions, app: FastifyInstance) {
    this.#options = options
    this.#app = app
    this.#house = { ...options.house, isDraining: () => this.#phase !== 'open' }
  }

  get port(): number {
    return (this.#app.server.address() as AddressInfo).port
  }

  async #mount(addWebSockets: (within: FastifyInstance) => PromiseLike<unknown>): Promise<void> {
    const app = this.#app
    app.decorateRequest('arrived', undefined)
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, parseJson(body as string))
      } catch (error) {
        done(error as Error)
      }
    })
    app.addHook('onRequest', (request, reply, done) => this.#admit(request, reply, done))
    app.setErrorHandler((error, request, reply) => this.#refuse(request, reply, error instanceof TroupeError ? error : fromLibrary(error as Error), routeOf(request)))
    app.setNotFoundHandler((request, reply) => this.#refuse(request, reply, NOT_HERE()))
    const mount = (within: FastifyInstance, route: Route): void => {
      const handler = (request: FastifyRequest, reply: FastifyReply): void => this.#serve(route, request, reply)
      const { method, path: url, converse } = route
      within.route({ method, url, handler, config: { route }, ...(converse !== undefined && { wsHandler: (socket: WebSocket, request: FastifyRequest) => this.#converse(route, socket, request) }) })
    }
    const routes = this.#options.routes(this.#house)
    for (const route of routes) if (route.converse === undefined) mount(app, route)
    // In a place of their own, since what makes WebSockets of some requests looks at the beginning and the end of each.
    await app.register(async (within) => {
      await addWebSockets(within)
      for (const route of routes) if (route.converse !== undefined) mount(within, route)
    })
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────

  #admit(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    const { raw } = request
    const { admission, house } = this.#options
    const arrived: Arrived = { at: house.clock.elapsed(), caller: ANONYMOUS }
    ;(request as Marked).arrived = arrived
    const cors = raw.headers.origin === undefined ? undefined : admission.cors(raw.headers)
    if (cors !== undefined) reply.raw.setHeaders(new Map(Object.entries(cors)))
    // Nobody reads from a connection that was to become another one; once answered it would stand for ever.
    if (raw.headers.upgrade !== undefined) reply.raw.once('finish', () => raw.socket.destroy())
    if (routeOf(request)?.open === true) return done()
    if (raw.method === 'OPTIONS') {
      const preflight = admission.preflight(raw.headers)
      if (preflight !== undefined) return void reply.code(204).headers(preflight).send()
    }
    const admitted = admission.admit(raw.headers)
    const enter = (caller: Caller | TroupeError): void => {
      const refused = caller instanceof TroupeError ? caller : this.#refusalFor((arrived.caller = caller))
      if (refused === undefined) done()
      else void this.#refuse(request, reply, refused)
    }
    if (admitted instanceof Promise) void admitted.then(enter)
    else enter(admitted)
  }

  /** Why somebody who is known may not come in now. */
  #refusalFor(caller: Caller): TroupeError | undefined {
    const { house, inFlight } = this.#options
    const metered = house.meter(caller)
    if (metered !== undefined) return metered
    if (this.#phase !== 'open') return LEAVING()
    return this.#calls.size < inFlight ? undefined : new TroupeError('Overloaded', `${inFlight} requests are under way`, 'try again after details.retryAfterMs', { retryAfterMs: 1_000 })
  }

  #enter(call: HttpCall): void {
    this.#calls.add(call)
    this.#house.metrics.inFlight = this.#calls.size
  }

  #leave(call: HttpCall): void {
    this.#calls.delete(call)
    this.#house.metrics.inFlight = this.#calls.size
    if (this.#calls.size === 0) this.#onRest?.()
  }

  #serve(route: Route, request: FastifyRequest, reply: FastifyReply): void {
    const call = callOf(request)
    this.#enter(call)
    const fail = (error: unknown): void => {
      void this.#refuse(request, reply, asTroupeError(error), route, call.type)
      this.#leave(call)
    }
    const give = (body: unknown, { status, headers }: Answer & { readonly kind: 'json' }): void => {
      this.#send(request, reply.raw, status, toJson(body), headers, call.type)
      this.#leave(call)
    }
    try {
      const answer = route.handle(call)
      // The common answer takes one step; an async function would take three.
      if (answer instanceof Promise || answer.kind !== 'json') this.#serveLater(answer, { route, request, reply, call, give }).catch(fail)
      else if (answer.body instanceof Promise) answer.body.then((body: unknown) => give(body, answer)).catch(fail)
      else give(answer.body, answer)
    } catch (error) {
      fail(error)
    }
  }

  async #serveLater(handled: Answer | Promise<Answer>, { route, request, reply, call, give }: Served): Promise<void> {
    const answer = await handled
    switch (answer.kind) {
      case 'json':
        return give(await answer.body, answer)
      case 'text':
        this.#note(request, 200)
        if (answer.headers !== undefined) reply.headers(answer.headers)
        void reply.header('content-type', answer.type).send(answer.text)
        break
      case 'events':
        await this.#stream(route, answer, call, request, reply)
        break
      case 'raw':
        reply.hijack()
        await answer.run(request.raw, reply.raw)
        this.#note(request, reply.raw.statusCode, undefined, call.type)
    }
    this.#leave(call)
  }

  /** The common answer goes straight to Node: what the library would look at again is known. */
  #send(request: FastifyRequest, response: ServerResponse, status: number, text: string, headers: Readonly<Record<string, string>> | undefined, type: string | undefined): void {
    this.#note(request, status, undefined, type)
    const length = Buffer.byteLength(text)
    response.writeHead(status, headers === undefined ? { 'content-type': JSON_TYPE, 'content-length': length } : { ...headers, 'content-type': JSON_TYPE, 'content-length': length })
    response.end(text)
  }

  async #stream(route: Route, answer: Answer & { readonly kind: 'events' }, call: HttpCall, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const headers = { ...EVENT_STREAM_HEADERS, ...answer.headers }
    reply.hijack()
    const response: ServerResponse = reply.raw
    response.writeHead(200, headers)
    response.flushHeaders()
    const events = new EventStream(response)
    this.#streams.add(events)
    this.#house.metrics.streams = this.#streams.size
    let code: string | undefined
    try {
      await answer.run(events)
    } catch (thrown) {
      const error = this.#phase === 'open' ? asTroupeError(thrown) : LEAVING()
      code = error.code
      this.#report(error, thrown)
      void events.send(asTold(route, error), { event: 'error' })
    }
    this.#streams.delete(events)
    this.#house.metrics.streams = this.#streams.size
    this.#note(request, 200, code, call.type)
    response.end()
  }

  async #converse(route: Route, raw: WebSocket, request: FastifyRequest): Promise<void> {
    const socket = new LiveSocket(raw)
    this.#lines.add(raw)
    raw.once('close', () => this.#lines.delete(raw))
    const call = callOf(request)
    this.#sockets.add(socket)
    this.#house.metrics.conversations = this.#sockets.size
    this.#enter(call)
    let code: string | undefined
    try {
      await route.converse?.(call, socket)
    } catch (thrown) {
      const error = asTroupeError(thrown)
      code = error.code
      this.#report(error, thrown)
      socket.close(1008, JSON.stringify(problemOf(error)))
    }
    this.#leave(call)
    this.#sockets.delete(socket)
    this.#house.metrics.conversations = this.#sockets.size
    this.#note(request, 101, code)
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────

  #refuse(request: FastifyRequest, reply: FastifyReply, error: TroupeError, route?: Route, type?: string): FastifyReply {
    const status = statusOf(error)
    this.#note(request, status, error.code, type)
    if (status === 500) this.#report(error, error)
    const wait = retryAfter(error)
    if (wait !== undefined) void reply.header('retry-after', wait)
    if (status === 401) void reply.header('www-authenticate', 'Bearer')
    // What was not read of the body is not waited for.
    if (!request.raw.complete) void reply.header('connection', 'close')
    return reply.code(status).header('content-type', JSON_TYPE).send(toJson(asTold(route, error)))
  }

  /** What is no HTTP at all, or takes too long to become some. */
  #garbled(error: Error & { readonly code?: string }, socket: NetSocket): void {
    const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400
    const { audit, house } = this.#options
    if (error.code !== 'ECONNRESET') {
      house.metrics.request(status, 'InvalidMessage', 0)
      audit.add({ at: house.clock.now(), who: 'unknown', remote: socket.remoteAddress ?? '', method: '', path: '', type: undefined, status, code: 'InvalidMessage', ms: 0 })
    }
    if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
    const body = JSON.stringify({ code: 'InvalidMessage', message: REASON[status], hint: 'see the documentation of your HTTP library' })
    socket.end(`HTTP/1.1 ${status} ${REASON[status]}\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`, () => socket.destroy())
  }

  #note(request: FastifyRequest, status: number, code?: string, type?: string): void {
    const { raw, arrived } = request as Marked
    // The library tells some errors twice; the second time nobody is on record.
    if (arrived === undefined) return
    ;(request as Marked).arrived = undefined
    const { audit, house } = this.#options
    const ms = house.clock.elapsed() - arrived.at
    house.metrics.request(status, code, ms)
    const who = status === 401 ? 'unknown' : arrived.caller.name
    audit.add({ at: house.clock.now(), who, remote: raw.socket.remoteAddress ?? '', method: raw.method ?? '', path: pathOf(raw), type, status, code, ms })
  }

  /** What a caller does not get to see. */
  #report(error: TroupeError, thrown: unknown): void {
    if (statusOf(error) === 500) this.#options.log(`${error.code}: ${error.message}`, error.cause ?? thrown)
  }

  #beats(): void {
    this.#beat = this.#house.clock.timer(
      HEARTBEAT_MS,
      () => {
        for (const events of this.#streams) events.beat()
        for (const socket of this.#sockets) socket.beat()
        this.#beats()
      },
      true,
    )
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────

  /** Lets in nobody new, waits for what is under way until it is done, `withinMs` have passed or `hurry` fires; then ends the rest. */
  async close(withinMs: number, hurry: AbortSignal): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'draining'
    const { clock } = this.#house
    for (const socket of this.#sockets) socket.leave(1001, 'the gateway is stopping')
    await settledWithin(this.#rest(hurry), withinMs, clock)
    for (const call of this.#calls) call.callOff(LEAVING())
    await settledWithin(this.#rest(), FAREWELL_MS, clock)
    for (const socket of this.#sockets) socket.close(1001, 'the gateway is stopping')
    await settledWithin(Promise.all(Array.from(this.#lines, (line) => new Promise((resolve) => line.once('close', resolve)))), FAREWELL_MS, clock)
    for (const line of this.#lines) line.terminate()
    this.#phase = 'closed'
    this.#beat?.cancel()
    this.#house.metrics.stop()
    await this.#app.close()
  }

  #rest(hurry?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#calls.size === 0 || hurry?.aborted === true) return resolve()
      this.#onRest = resolve
      hurry?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/** An error in the form that the route's callers expect. */
function asTold(route: Route | undefined, error: TroupeError): unknown {
  const problem = problemOf(error)
  return route?.problem?.(problem, statusOf(error)) ?? problem
}

const REASON: Readonly<Record<number, string>> = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }

/** For whoever was let in. */
const callOf = (request: FastifyRequest): HttpCall => new HttpCall(request, ((request as Marked).arrived as Arrived).caller)

const routeOf = (request: FastifyRequest): Route | undefined => (request.routeOptions?.config as { readonly route?: Route } | undefined)?.route

/** An error of the HTTP library, in our words. */
function fromLibrary(error: Error & { readonly statusCode?: number; readonly code?: string }): TroupeError {
  const { statusCode } = error
  if (statusCode === 413) return refusal(413, 'InvalidMessage', 'the body is too large', 'send less at once, in several messages')
  if (statusCode === 415) return refusal(415, 'InvalidMessage', 'the body is of a type that nobody here reads', "send JSON with the content type 'application/json'")
  if (statusCode !== undefined && statusCode < 500) return refusal(400, 'InvalidMessage', 'the request cannot be read', 'see the documentation of your HTTP library')
  return asTroupeError(error)
}

async function load(): Promise<{ fastify: typeof import('fastify').default; websocket: typeof import('@fastify/websocket').default }> {
  try {
    const [{ default: fastify }, { default: websocket }] = await Promise.all([import('fastify'), import('@fastify/websocket')])
    return { fastify, websocket }
  } catch (error) {
    throw new TroupeError('MissingDependency', `the gateway needs fastify and @fastify/websocket, which could not be loaded: ${describe(error)}`, 'npm install fastify @fastify/websocket', { dependency: 'fastify' }, error)
  }
}
