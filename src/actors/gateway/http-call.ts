/** One HTTP request as a `Call`; what is rarely needed is made on demand. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connectionOf } from './connection.js'
import type { Call } from './face.js'
import type { Caller } from './keys.js'
import { refusal } from './statuses.js'

export interface HttpParts {
  readonly request: IncomingMessage
  readonly caller: Caller
  readonly rest: string
  readonly query: unknown
  readonly body: unknown
}

export class HttpCall implements Call {
  readonly #parts: HttpParts
  /** For the audit log. */
  type: string | undefined

  constructor(parts: HttpParts) {
    this.#parts = parts
  }

  get caller(): Caller {
    return this.#parts.caller
  }
  get method(): string {
    return this.#parts.request.method ?? ''
  }
  get path(): string {
    return pathOf(this.#parts.request)
  }
  get rest(): string {
    return this.#parts.rest
  }
  get headers(): IncomingHttpHeaders {
    return this.#parts.request.headers
  }
  get body(): unknown {
    return this.#parts.body
  }
  get query(): Readonly<Record<string, string>> {
    const given = Object.entries((this.#parts.query ?? {}) as Record<string, unknown>)
    return Object.fromEntries(given.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  }

  get signal(): AbortSignal {
    return connectionOf(this.#parts.request.socket).signal
  }

  /** The gateway cannot wait for it any longer. */
  callOff(reason: unknown): void {
    connectionOf(this.#parts.request.socket).abort(reason)
  }

  asks(type: string): void {
    this.type = type
  }

  allow(address: string, type: string): void {
    const { caller } = this.#parts
    if (!caller.may(address, type)) throw refusal(403, 'Unauthorized', `${caller.name} may not send ${type.slice(0, 80)} to ${address}`, 'ask the operator for a key with this in its scope')
  }
}

export function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}
