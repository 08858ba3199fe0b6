/** Who may come in at all, decided by a request's headers before its body is read: where from, and who. */
import type { IncomingHttpHeaders } from 'node:http'
import type { TroupeError } from '../../ground/errors.js'
import type { Caller, Gatekeeper } from './keys.js'
import { refusal } from './statuses.js'

export interface AdmissionOptions {
  readonly gatekeeper: Gatekeeper
  /** Pages of these origins may call from a browser; without, only the gateway's own. */
  readonly origins: readonly string[]
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|::1)$/i
export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

const hostnameOf = (host: string): string => /^(\[[^\]]*\]|[^:]*)/.exec(host)?.[1] ?? ''

/** What the clients of the faces send. */
const ASKED_HEADERS = 'authorization, x-api-key, content-type, last-event-id, troupe-timeout, troupe-resumable, mcp-protocol-version, mcp-session-id, a2a-version, a2a-extensions'

export class Admission {
  readonly #gatekeeper: Gatekeeper
  readonly #origins: ReadonlySet<string>
  /** The last name under which somebody came that means this machine: nearly all come under the same. */
  #local = ''

  constructor({ gatekeeper, origins }: AdmissionOptions) {
    this.#gatekeeper = gatekeeper
    this.#origins = new Set(origins)
  }

  /** The caller, or why not. Only a signed token takes a promise. */
  admit(headers: IncomingHttpHeaders): Caller | TroupeError | Promise<Caller | TroupeError> {
    return this.#stranger(headers) ?? this.#gatekeeper.identify(headers)
  }

  /** Headers that let a page of this origin read an answer. */
  cors(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
    const { origin } = headers
    if (origin === undefined || !this.#origins.has(origin)) return undefined
    return { 'access-control-allow-origin': origin, 'access-control-expose-headers': 'retry-after, troupe-stream', vary: 'origin' }
  }

  /** What a browser asks before it lets a page of another origin call. */
  preflight(headers: IncomingHttpHeaders): Readonly<Record<string, string>> | undefined {
    const cors = this.cors(headers)
    if (cors === undefined || headers['access-control-request-method'] === undefined) return undefined
    return { ...cors, 'access-control-allow-methods': 'GET, POST, DELETE', 'access-control-allow-headers': ASKED_HEADERS, 'access-control-max-age': '600' }
  }

  /** A page of another site, or of a name that was made to lead here: a browser is used against the one who sits before it. */
  #stranger(headers: IncomingHttpHeaders): TroupeError | undefined {
    const { origin, host = '' } = headers
    if (this.#gatekeeper.isOpen && host !== this.#local) {
      if (isLoopback(hostnameOf(host))) this.#local = host
      else return refusal(403, 'Unauthorized', 'a gateway without keys is for this machine alone', 'call it by 127.0.0.1 or localhost, or give it keys')
    }
    const own = origin === undefined || this.#origins.has(origin) || origin === `http://${host}` || origin === `https://${host}`
    // Another port of this host is another origin, but the same site.
    const site = headers['sec-fetch-site']
    if (own && (origin !== undefined || (site !== 'cross-site' && site !== 'same-site'))) return undefined
    return refusal(403, 'Unauthorized', 'pages of this origin may not call', 'list it in gateway({ origins })')
  }
}

