/**
 * Owns: the first step of every exchange: who comes, and whether they may come in now.
 * Does not own: who may come at all (admission.ts), what they find inside.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import type { Admission } from './admission.js'
import { Exchange } from './exchange.js'
import { Guests, Places } from './guests.js'
import type { Caller } from './keys.js'

export interface EntranceOptions {
  readonly admission: Admission
  readonly clock: Clock
  /** How much may be under way. */
  readonly inFlight: number
  /** Whether anybody may GET a path. */
  readonly isOpen: (path: string) => boolean
}

export class Entrance {
  readonly #options: EntranceOptions
  readonly #guests = new Guests()
  readonly #places: Places
  /** Why nobody may come in any more. */
  closed: (() => TroupeError) | undefined = undefined

  constructor(options: EntranceOptions) {
    this.#options = options
    this.#places = new Places(options.inFlight)
  }

  /** Calls `enter` with an exchange that is let in; `refuse` with one that is not, and why. `greet` is for a browser that asks first. */
  arrive(raw: IncomingMessage, response: ServerResponse, ways: Ways): void {
    const { admission, clock, isOpen } = this.#options
    const exchange = new Exchange(raw, response, clock.now(), clock.elapsed())
    const { headers, method } = raw
    const cors = headers.origin === undefined ? undefined : admission.cors(headers)
    if (cors !== undefined) response.setHeaders(new Map(Object.entries(cors)))
    if (method === 'GET' && isOpen(exchange.path)) return ways.enter(exchange)
    const preflight = method === 'OPTIONS' ? admission.preflight(headers) : undefined
    if (preflight !== undefined) return ways.greet(exchange, preflight)
    const admitted = admission.admit(headers)
    if (admitted instanceof Promise) void admitted.then((caller) => this.#decide(exchange, caller, ways))
    else this.#decide(exchange, admitted, ways)
  }

  #decide(exchange: Exchange, caller: Caller | TroupeError, { enter, refuse }: Ways): void {
    const refused = caller instanceof TroupeError ? caller : this.#refusalFor(exchange, caller)
    if (refused === undefined) enter(exchange)
    else refuse(exchange, refused)
  }

  /** Why somebody who is known may not come in now. */
  #refusalFor(exchange: Exchange, caller: Caller): TroupeError | undefined {
    exchange.caller = caller
    exchange.guest = this.#guests.of(caller)
    return this.meter(caller) ?? this.closed?.() ?? this.#places.refusal(caller, exchange.guest)
  }

  /** Counts one more request of a caller; a refusal when there were too many. */
  meter(caller: Caller): TroupeError | undefined {
    const { name, rate } = caller
    return rate === undefined ? undefined : this.#guests.of(caller).bucket.take(name, rate, this.#options.clock.now())
  }

  /** Something begins that is no exchange of its own: what is to be called at its end, or why it may not begin. */
  begin(caller: Caller): (() => void) | TroupeError {
    const guest = this.#guests.of(caller)
    const refused = this.#places.refusal(caller, guest)
    if (refused !== undefined) return refused
    this.#places.take(guest)
    return () => this.#places.give(guest)
  }

  /** An exchange begins; a refusal when others came first while its body was on its way. */
  seat({ caller, guest }: Exchange): TroupeError | undefined {
    if (guest === undefined) return undefined
    const refused = this.#places.refusal(caller, guest)
    if (refused === undefined) this.#places.take(guest)
    return refused
  }

  /** One that had a seat is over. */
  unseat({ guest }: Exchange): void {
    if (guest !== undefined) this.#places.give(guest)
  }
}

/** Made once for many exchanges. */
export interface Ways {
  readonly enter: (exchange: Exchange) => void
  readonly refuse: (exchange: Exchange, why: TroupeError) => void
  readonly greet: (exchange: Exchange, headers: Readonly<Record<string, string>>) => void
}
