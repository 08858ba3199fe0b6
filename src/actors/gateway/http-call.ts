/** One HTTP request as a `Call`; what is rarely needed is made on demand. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { connectionOf } from './connection.js'
import type { Call } from './face.js'
import type { Caller } from './keys.js'
import { refusal } from './statuses.js'

/** As much of a library's request as is used here. */
export interface HttpRequest {
  readonly raw: IncomingMessage
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

export class HttpCall implements Call {
  readonly caller: Caller
  readonly #request: HttpRequest
  /** For the audit log. */
  type: string | undefined = undefined

  constructor(request: HttpRequest, caller: Caller) {
    this.#request = request
    this.caller = caller
  }

  get method(): string {
    return this.#request.raw.method ?? ''
  }
  get path(): string {
    return pathOf(this.#request.raw)
  }
  get rest(): string {
    return (this.#request.params as { readonly '*'?: string })['*'] ?? ''
  }
  get headers(): IncomingHttpHeaders {
    return this.#request.raw.headers
  }
  get body(): unknown {
    return this.#request.body
  }
  get query(): Readonly<Record<string, string>> {
    const given = Object.entries((this.#request.query ?? {}) as Record<string, unknown>)
    return Object.fromEntries(given.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  }

  get signal(): AbortSignal {
    return connectionOf(this.#request.raw.socket).signal
  }

  /** The gateway cannot wait for it any longer. */
  callOff(reason: unknown): void {
    connectionOf(this.#request.raw.socket).abort(reason)
  }

  asks(type: string): void {
    this.type = type
  }

  allow(address: string, type: string): void {
    if (!this.caller.may(address, type)) throw refusal(403, 'Unauthorized', `${this.caller.name} may not send ${type.slice(0, 80)} to ${address}`, 'ask the operator for a key with this in its scope')
  }
}

export function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}
