/**
 * The HTTP server. The door to fastify and its WebSockets.
 * Owns: who is let in, what is under way, how it ends. Does not own: what is served; faces do.
 *
 * Invariants:
 * G1. Nobody's body is read before they are let in.
 * G2. Every request that was understood has one entry in the audit log.
 * G3. Once `close` has resolved, no socket is open and no timer stands.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server as NodeServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WebSocket } from '@fastify/websocket'
import { settledWithin } from '../../ground/clock.js'
import { TroupeError, asTroupeError, describe } from '../../ground/errors.js'
import type { Admission } from './admission.js'
import { JSON_TYPE, asTold, headersOf, refuseNoise, send } from './answering.js'
import type { Audit } from './audit.js'
import { Entrance, type Ways } from './entrance.js'
import { EVENT_STREAM_HEADERS } from './event-stream.js'
import type { Exchange } from './exchange.js'
import type { Answer, House, Route } from './face.js'
import { parseJson, toJson } from './json.js'
import { CONNECTIONS_CHECK_MS, FAREWELL_MS, HEADER_BYTES_MAX, HEADERS_MS, IDLE_MS } from './limits.js'
import { Lane, readText } from './lane.js'
import { SUBPROTOCOL } from './live-socket.js'
import { OpenLines } from './open-lines.js'
import { openPaths } from './open-paths.js'
import { Record } from './record.js'
import { refusal, statusOf } from './statuses.js'
import { UnderWay } from './under-way.js'

export interface ServerOptions {
  readonly house: Omit<House, 'isDraining' | 'meter' | 'begin'>
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

type JsonAnswer = Answer & { readonly kind: 'json' }
type EventsAnswer = Answer & { readonly kind: 'events' }
const EXCHANGE = Symbol('exchange')
/** On the request itself: a map beside it was a measurable part of each. */
type Marked = IncomingMessage & { [EXCHANGE]?: Exchange }
const NOT_HERE = (): TroupeError => refusal(404, 'NoSuchActor', 'nothing is served at this path', 'see /openapi.json for what is')
const UNREADABLE = (): TroupeError => refusal(400, 'InvalidMessage', 'the request cannot be read', 'see the documentation of your HTTP library')
const LEAVING = (): TroupeError => new TroupeError('Cancelled', 'the gateway is stopping', 'try another one, or this one once it is back', { reason: 'shutting-down', retryAfterMs: 1_000 })

export class Server {
  readonly #options: ServerOptions
  readonly #house: House
  readonly #app: FastifyInstance
  readonly #record: Record
  readonly #entrance: Entrance
  readonly #routes: readonly Route[]
  readonly #lane: Lane
  readonly #underWay = new UnderWay()
  readonly #open: OpenLines
  #phase: 'open' | 'draining' | 'closed' = 'open'
  #onRest: (() => void) | undefined

  /** Opens a server; rejects with what kept it from listening. */
  static async open(options: ServerOptions): Promise<Server> {
    const { fastify, websocket } = await load()
    const server = new Server(options, fastify)
    const app = server.#app
    await server.#mount((within) => within.register(websocket, { options: { maxPayload: options.bodyBytes, handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false) } }))
    try {
      await app.listen({ host: options.host, port: options.port })
    } catch (error) {
      await app.close()
      throw new TroupeError('InvalidDefinition', `the gateway cannot listen on ${options.host}:${options.port}: ${describe(error)}`, 'choose another port, or 0 for a free one', { port: options.port }, error)
    }
    server.#open.beats()
    return server
  }

  private constructor(options: ServerOptions, fastify: typeof import('fastify').default) {
    const { house, admission, audit, inFlight, bodyBytes, log } = options
    this.#options = options
    this.#house = { ...house, isDraining: () => this.#phase !== 'open', meter: (caller) => this.#entrance.meter(caller), begin: (caller) => this.#entrance.begin(caller) }
    this.#routes = options.routes(this.#house)
    this.#lane = new Lane(this.#routes, bodyBytes)
    this.#entrance = new Entrance({ admission, clock: house.clock, inFlight, isOpen: openPaths(this.#routes) })
    this.#record = new Record(audit, house.metrics, house.clock, log)
    this.#open = new OpenLines(house.clock, house.metrics)
    this.#app = fastify({
      bodyLimit: bodyBytes,
      forceCloseConnections: true,
      exposeHeadRoutes: false,
      routerOptions: { maxParamLength: HEADER_BYTES_MAX },
      // Whoever comes is looked at before the library is: a hook of it would cost each request more than the look does.
      serverFactory: (serve) => this.#listener(serve),
      clientErrorHandler: (error, socket) => {
        const status = refuseNoise(error, socket)
        if (status !== undefined) this.#record.noise(socket.remoteAddress ?? '', status)
      },
      frameworkErrors: (error, request, reply) => this.#refuseLate(request, reply, fromLibrary(error)),
    })
  }

  get port(): number {
    return (this.#app.server.address() as AddressInfo).port
  }

  #listener(serve: RequestListener): NodeServer {
    const { requestMs, connections } = this.#options
    const ways = this.#ways((exchange) => {
      const found = this.#lane.find(exchange.raw)
      if (found === undefined) serve(exchange.raw, exchange.response)
      else this.#read(found.route, found.rest, exchange)
    })
    const goOn = this.#ways(({ raw, response }) => {
      response.writeContinue()
      serve(raw, response)
    })
    const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: requestMs, headersTimeout: Math.min(HEADERS_MS, requestMs), connectionsCheckingInterval: CONNECTIONS_CHECK_MS, keepAliveTimeout: IDLE_MS }, (raw, response) => this.#entrance.arrive(raw, response, ways))
    server.maxConnections = connections
    // Node would ask for the body first.
    server.on('checkContinue', (raw: IncomingMessage, response: ServerResponse) => this.#entrance.arrive(raw, response, goOn))
    return server
  }

  async #mount(addWebSockets: (within: FastifyInstance) => PromiseLike<unknown>): Promise<void> {
    const app = this.#app
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, parseJson(body as string))
      } catch (error) {
        done(error as Error)
      }
    })
    app.setErrorHandler((error, request, reply) => this.#refuseLate(request, reply, error instanceof TroupeError ? error : fromLibrary(error as Error), routeOf(request)))
    app.setNotFoundHandler((request, reply) => this.#refuseLate(request, reply, NOT_HERE()))
    const mount = (within: FastifyInstance, route: Route): void => {
      const handler = (request: FastifyRequest, reply: FastifyReply): void => this.#handle(route, request, reply)
      const { method, path: url, converse } = route
      within.route({ method, url, handler, config: { route }, ...(converse !== undefined && { wsHandler: (line: WebSocket, request: FastifyRequest) => this.#converse(route, line, request) }) })
    }
    for (const route of this.#routes) if (route.converse === undefined) mount(app, route)
    // In a place of their own, since what makes WebSockets of some requests looks at the beginning and the end of each.
    await app.register(async (within) => {
      within.addHook('onRequest', (request, reply, done) => (exchangeOf(request) === undefined ? this.#sendBack(request, reply, done) : done()))
      await addWebSockets(within)
      for (const route of this.#routes) if (route.converse !== undefined) mount(within, route)
    })
  }

  // ── in ────────────────────────────────────────────────────────────────────────────────────────

  #ways(enter: (exchange: Exchange) => void): Ways {
    return {
      enter: (exchange) => {
        ;(exchange.raw as Marked)[EXCHANGE] = exchange
        enter(exchange)
      },
      refuse: (exchange, why) => this.#refuse(exchange, why),
      greet: (exchange, headers) => {
        this.#record.note(exchange, 204)
        exchange.response.writeHead(204, headers).end()
      },
    }
  }

  /** For what comes past the entrance, since it asks for a WebSocket. */
  #sendBack({ raw }: FastifyRequest, { raw: response }: FastifyReply, enter: () => void): void {
    // Nobody reads from a connection that was to become another one; once answered it would stand for ever.
    response.once('finish', () => raw.socket.destroy())
    this.#entrance.arrive(raw, response, this.#ways(() => enter()))
  }

  #handle(route: Route, request: FastifyRequest, reply: FastifyReply): void {
    const exchange = exchangeOf(request)
    if (exchange === undefined) return this.#refuseLate(request, reply, NOT_HERE(), route)
    // It is ours to answer.
    reply.hijack()
    this.#look(exchange, request)
    exchange.body = request.body
    this.#serve(route, exchange)
  }

  /** What the library found in the URL. */
  #look(exchange: Exchange, { params, query }: FastifyRequest): void {
    exchange.rest = (params as { readonly '*'?: string })['*'] ?? ''
    exchange.queried = query
  }

  #read(route: Route, rest: string, exchange: Exchange): void {
    exchange.rest = rest
    const read = (text: string): void => {
      try {
        exchange.body = parseJson(text)
      } catch (error) {
        return this.#refuse(exchange, asTroupeError(error), route)
      }
      this.#serve(route, exchange)
    }
    readText(exchange, read, () => this.#refuse(exchange, UNREADABLE(), route))
  }

  // ── under way ─────────────────────────────────────────────────────────────────────────────────

  /** Throws `Overloaded` when others came first while the body was on its way. */
  #enter(exchange: Exchange): void {
    const refused = this.#entrance.seat(exchange)
    if (refused !== undefined) throw refused
    this.#underWay.add(exchange)
    this.#house.metrics.inFlight = this.#underWay.size
  }

  #leave(exchange: Exchange): void {
    if (!this.#underWay.delete(exchange)) return
    this.#entrance.unseat(exchange)
    this.#house.metrics.inFlight = this.#underWay.size
    if (this.#underWay.size === 0) this.#onRest?.()
  }

  #serve(route: Route, exchange: Exchange): void {
    const fail = (error: unknown): void => this.#fail(route, exchange, asTroupeError(error))
    try {
      this.#enter(exchange)
      const answer = route.handle(exchange)
      // The common answers take one step; an async function would take three.
      if (answer instanceof Promise) answer.then((answer) => this.#answer(route, exchange, answer)).catch(fail)
      else if (answer.kind !== 'json') this.#answer(route, exchange, answer).catch(fail)
      else if (answer.body instanceof Promise) answer.body.then((body: unknown) => this.#give(route, exchange, answer, body), fail)
      else this.#give(route, exchange, answer, answer.body)
    } catch (error) {
      fail(error)
    }
  }

  async #answer(route: Route, exchange: Exchange, answer: Answer): Promise<void> {
    switch (answer.kind) {
      case 'json':
        return this.#give(route, exchange, answer, await answer.body)
      case 'text':
        this.#record.note(exchange, 200)
        send(exchange.response, 200, answer.type, answer.text, answer.headers)
        break
      case 'events':
        await this.#stream(route, answer, exchange)
        break
      case 'raw':
        await answer.run(exchange.raw, exchange.response)
        this.#record.note(exchange, exchange.response.statusCode)
    }
    this.#leave(exchange)
  }

  async #stream(route: Route, { headers, run }: EventsAnswer, exchange: Exchange): Promise<void> {
    const { response } = exchange
    response.writeHead(200, { ...EVENT_STREAM_HEADERS, ...headers })
    response.flushHeaders()
    let code: string | undefined
    await this.#open.stream(response, async (events) => {
      try {
        await run(events)
      } catch (thrown) {
        const error = this.#phase === 'open' ? asTroupeError(thrown) : LEAVING()
        code = error.code
        this.#record.report(error, thrown)
        void events.send(asTold(route, error), { event: 'error' })
      }
    })
    this.#record.note(exchange, 200, code)
    response.end()
  }

  async #converse(route: Route, line: WebSocket, request: FastifyRequest): Promise<void> {
    const exchange = exchangeOf(request) as Exchange
    this.#look(exchange, request)
    let code: string | undefined
    await this.#open.converse(line, async (socket) => {
      try {
        this.#enter(exchange)
        await route.converse?.(exchange, socket)
      } catch (thrown) {
        const error = asTroupeError(thrown)
        code = error.code
        this.#record.report(error, thrown)
        socket.close(1008, JSON.stringify(asTold(undefined, error)))
      }
    })
    this.#leave(exchange)
    this.#record.note(exchange, 101, code)
  }

  // ── out ───────────────────────────────────────────────────────────────────────────────────────

  #give(route: Route, exchange: Exchange, { status, headers }: JsonAnswer, body: unknown): void {
    try {
      const text = toJson(body)
      this.#record.note(exchange, status)
      send(exchange.response, status, JSON_TYPE, text, headers)
      this.#leave(exchange)
    } catch (error) {
      this.#fail(route, exchange, asTroupeError(error))
    }
  }

  #fail(route: Route, exchange: Exchange, error: TroupeError): void {
    this.#refuse(exchange, error, route)
    this.#leave(exchange)
  }

  #refuse(exchange: Exchange, error: TroupeError, route?: Route): void {
    const status = statusOf(error)
    this.#record.note(exchange, status, error.code)
    this.#record.report(error, error)
    const { raw, response } = exchange
    if (response.headersSent) response.destroy()
    else send(response, status, JSON_TYPE, toJson(asTold(route, error)), headersOf(error, status, raw))
  }

  /** From within the library; where nobody was at the entrance, they go there first. */
  #refuseLate(request: FastifyRequest, reply: FastifyReply, error: TroupeError, route?: Route): void {
    const exchange = exchangeOf(request)
    if (exchange !== undefined) this.#refuse(exchange, error, route)
    else this.#sendBack(request, reply, () => this.#refuseLate(request, reply, error, route))
  }

  // ── end ───────────────────────────────────────────────────────────────────────────────────────

  /** Lets in nobody new, waits for what is under way until it is done, `withinMs` have passed or `hurry` fires; then ends the rest. */
  async close(withinMs: number, hurry: AbortSignal): Promise<void> {
    if (this.#phase !== 'open') return
    this.#phase = 'draining'
    this.#entrance.closed = LEAVING
    const { clock, metrics } = this.#house
    this.#open.leave()
    await settledWithin(this.#rest(hurry), withinMs, clock)
    this.#underWay.callOff(LEAVING())
    await settledWithin(this.#rest(), FAREWELL_MS, clock)
    await this.#open.end()
    this.#phase = 'closed'
    metrics.stop()
    await this.#app.close()
  }

  #rest(hurry?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#underWay.size === 0 || hurry?.aborted === true) return resolve()
      this.#onRest = resolve
      hurry?.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/** Whoever came by the entrance has one. */
const exchangeOf = ({ raw }: FastifyRequest): Exchange | undefined => (raw as Marked)[EXCHANGE]

const routeOf = (request: FastifyRequest): Route | undefined => (request.routeOptions?.config as { readonly route?: Route } | undefined)?.route

/** An error of the HTTP library, in our words. */
function fromLibrary(error: Error & { readonly statusCode?: number; readonly code?: string }): TroupeError {
  const { statusCode } = error
  if (statusCode === 413) return refusal(413, 'InvalidMessage', 'the body is too large', 'send less at once, in several messages')
  if (statusCode === 415) return refusal(415, 'InvalidMessage', 'the body is of a type that nobody here reads', "send JSON with the content type 'application/json'")
  if (statusCode !== undefined && statusCode < 500) return UNREADABLE()
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
