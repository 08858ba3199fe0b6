import { realClock, type Clock } from '../../ground/clock.js'
import { milliseconds, type Duration } from '../../ground/duration.js'
import { TroupeError, asTroupeError } from '../../ground/errors.js'
import { actor, type Address, type Definition, type Protocol, type Troupe } from '../../runtime/index.js'
import { actorsFace } from './actors-face.js'
import { Admission, isLoopback } from './admission.js'
import { Audit, type AuditEntry } from './audit.js'
import type { Face } from './face.js'
import { Gatekeeper, type ApiKey, type TokenOptions } from './keys.js'
import { AUDIT_MAX, BODY_BYTES_DEFAULT, CONNECTIONS_DEFAULT, DRAIN_DEFAULT_MS, IN_FLIGHT_DEFAULT, REQUEST_DEFAULT_MS, TIMEOUT_MAX_DEFAULT_MS } from './limits.js'
import { Metrics, type Measured } from './metrics.js'
import { operationsFace } from './operations-face.js'
import { Gateway } from './protocol.js'
import { Shop } from './scopes.js'
import type { Server, ServerOptions } from './server.js'

export interface GatewayOptions {
  /** What is served: an address, or `kind/*` for every key of a kind, with its protocol. Nothing else can be reached. */
  readonly actors: Readonly<Record<string, Protocol>>
  /** Default 127.0.0.1. Any other than loopback needs keys or tokens. */
  readonly host?: string
  /** Default 0: a free one, see `listening`. */
  readonly port?: number
  readonly keys?: readonly ApiKey[]
  readonly tokens?: TokenOptions
  /** Origins whose pages may call from a browser, such as `https://app.example.org`. Default none but the gateway's own. */
  readonly origins?: readonly string[]
  /** Further ways to reach what runs here. */
  readonly faces?: readonly Face[]
  /** Called with one entry for each request. The last 1,000 are kept in any case. */
  readonly audit?: (entry: AuditEntry) => void
  /** A model host whose figures `/metrics` shows. */
  readonly models?: Measured
  readonly limits?: {
    /** Bytes of a body, or of a frame of a conversation. Default 1 MiB. */
    readonly bodyBytes?: number
    /** Connections at once. Default 4,096. */
    readonly connections?: number
    /** Requests and streams under way at once. Default 2,048. */
    readonly inFlight?: number
    /** How long a request may take to arrive. Default 15 s. */
    readonly request?: Duration
    /** The longest outcome that a caller may wait for. Default 5 min. */
    readonly timeout?: Duration
    /** How long requests may take to finish when the gateway stops. Default 4 s. */
    readonly drain?: Duration
  }
  readonly clock?: Clock
}

/**
 * Serves chosen actors of a troupe over HTTP, as events and over WebSockets; see `docs/gateway.md`. Throws
 * `InvalidDefinition` for options that would let anybody in from elsewhere.
 */
export function gateway(troupe: Troupe, options: GatewayOptions): Definition<(typeof Gateway)['specs']> {
  const { clock = realClock, host = '127.0.0.1', port = 0, limits = {} } = options
  const gatekeeper = new Gatekeeper(options.keys ?? [], options.tokens, clock)
  if (gatekeeper.isOpen && !isLoopback(host)) {
    throw new TroupeError('InvalidDefinition', `a gateway on ${host} without keys`, 'give it keys or tokens, or leave out the host to serve this machine alone', { host })
  }
  const audit = new Audit(options.audit)
  const open = opener(troupe, options, gatekeeper, audit, { clock, host, port })
  const drainMs = limits.drain === undefined ? DRAIN_DEFAULT_MS : milliseconds(limits.drain)
  // One for each address at which this definition was spawned.
  const servers = new Map<Address, Server | TroupeError>()
  const serverAt = (address: Address): Server => {
    const server = servers.get(address)
    if (server instanceof TroupeError) throw server
    return server as Server
  }
  return actor(Gateway, {
    // It answers while it serves.
    concurrency: 8,
    started: async (me) => {
      const server = await open(me.id, (...words) => me.log(...words)).catch(asTroupeError)
      servers.set(me.id, server)
      // Whoever asks where it listens is told, and has it try again.
      if (server instanceof TroupeError) me.log(`${server.code}: ${server.message}; ${server.hint}`)
      else me.tell(me.self, { type: 'serve' })
    },
    stopped: (me) => {
      const server = servers.get(me.id)
      servers.delete(me.id)
      if (server !== undefined && !(server instanceof TroupeError)) void server.close(0, AbortSignal.abort())
    },
    on: {
      listening: (_, me) => {
        const { port } = serverAt(me.id)
        return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, host, port }
      },
      audited: ({ last = AUDIT_MAX }) => audit.last(last),
      serve: async (_, me) => {
        const server = serverAt(me.id)
        await fired(AbortSignal.any([me.signal, troupe.stopping]))
        // Once the troupe has called everything off, there is nothing left to wait for.
        await server.close(drainMs, me.signal.aborted ? NEVER : me.signal)
      },
    },
  })
}

const NEVER = new AbortController().signal

const fired = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

type Where = { readonly clock: Clock; readonly host: string; readonly port: number }

function opener(troupe: Troupe, options: GatewayOptions, gatekeeper: Gatekeeper, audit: Audit, { clock, host, port }: Where): (from: Address, log: ServerOptions['log']) => Promise<Server> {
  const { limits = {}, faces = [], origins = [] } = options
  const shop = new Shop(options.actors)
  const all = [actorsFace, operationsFace({ secured: !gatekeeper.isOpen }), ...faces]
  return async (from, log) => {
    const [{ Server }] = await Promise.all([import('./server.js'), gatekeeper.ready()])
    const timeoutMaxMs = limits.timeout === undefined ? TIMEOUT_MAX_DEFAULT_MS : milliseconds(limits.timeout)
    return Server.open({
      house: { troupe, from, clock, shop, timeoutMaxMs, metrics: new Metrics(troupe, options.models) },
      admission: new Admission({ gatekeeper, origins }),
      audit,
      routes: (house) => all.flatMap((face) => face.routes(house)),
      host,
      port,
      log,
      bodyBytes: limits.bodyBytes ?? BODY_BYTES_DEFAULT,
      connections: limits.connections ?? CONNECTIONS_DEFAULT,
      inFlight: limits.inFlight ?? IN_FLIGHT_DEFAULT,
      requestMs: limits.request === undefined ? REQUEST_DEFAULT_MS : milliseconds(limits.request),
    })
  }
}
