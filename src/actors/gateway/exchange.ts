/** One HTTP request, from its arrival until its answer is on its way: a face's `Call`, and what the audit log will tell of it. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { connectionOf } from './connection.js'
import type { Call } from './face.js'
import { ANONYMOUS, type Caller } from './keys.js'
import type { Guest } from './guests.js'
import { refusal } from './statuses.js'

export class Exchange implements Call {
  readonly raw: IncomingMessage
  readonly response: ServerResponse
  /** In milliseconds since the epoch. */
  readonly at: number
  /** By the clock that never goes back. */
  readonly began: number
  caller: Caller = ANONYMOUS
  guest: Guest | undefined = undefined
  type: string | undefined = undefined
  /** Its place among those under way; -1 when it is not. */
  slot = -1
  /** Whether the audit log has it. */
  noted = false
  rest = ''
  /** There once it was read. */
  body: unknown = undefined
  /** As the HTTP library reads it. */
  queried: unknown = undefined

  constructor(raw: IncomingMessage, response: ServerResponse, at: number, began: number) {
    this.raw = raw
    this.response = response
    this.at = at
    this.began = began
  }

  get method(): string {
    return this.raw.method ?? ''
  }
  /** As the library cuts it, which reads no further than a `#` either: what is looked up here must be what is routed there. */
  get path(): string {
    const { url = '' } = this.raw
    return url.includes('?') || url.includes('#') ? url.slice(0, url.search(/[?#]/)) : url
  }
  get headers(): IncomingHttpHeaders {
    return this.raw.headers
  }
  get query(): Readonly<Record<string, string>> {
    const given = Object.entries((this.queried ?? {}) as Record<string, unknown>)
    return Object.fromEntries(given.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])))
  }

  get signal(): AbortSignal {
    return connectionOf(this.raw.socket).signal
  }

  /** The gateway cannot wait for it any longer. */
  callOff(reason: unknown): void {
    connectionOf(this.raw.socket).abort(reason)
  }

  asks(type: string): void {
    this.type = type
  }

  allow(address: string, type: string): void {
    if (!this.caller.may(address, type)) throw refusal(403, 'Unauthorized', `${this.caller.name} may not send ${type.slice(0, 80)} to ${address}`, 'ask the operator for a key with this in its scope')
  }
}
