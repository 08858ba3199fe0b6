/** Functions that see every message on its way out and in, and may change or refuse it. */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import type { Message } from './protocol.js'

/** Where a message comes from and goes to. */
export interface Passage {
  readonly to: Address
  /** `''` for a caller outside the troupe. */
  readonly from: Address
  readonly type: string
  /** The envelope's id; 0 on send, where it has none yet. */
  readonly id: number
}

/**
 * May return a message to put in the place of this one (its type stays), return nothing to let it pass,
 * or throw to refuse it: a `TroupeError` reaches the sender as it is, `Unauthorized` by custom.
 */
export type Intercept = (message: Message, passage: Passage) => Message | void
export interface Interceptor {
  readonly send?: Intercept
  readonly receive?: Intercept
}

export class Interceptors {
  readonly #send: readonly Intercept[]
  readonly #receive: readonly Intercept[]

  constructor(interceptors: readonly Interceptor[]) {
    this.#send = interceptors.flatMap(({ send }) => send ?? [])
    this.#receive = interceptors.flatMap(({ receive }) => receive ?? [])
  }

  /** The message as it leaves its sender. */
  sent(message: Message, to: Address, from: Address): Message {
    return this.#send.length === 0 ? message : pass(this.#send, message, { to, from, type: message.type, id: 0 })
  }

  /** The message as it reaches its receiver. */
  received(message: Message, passage: Passage): Message {
    return this.#receive.length === 0 ? message : pass(this.#receive, message, passage)
  }
}

function pass(chain: readonly Intercept[], message: Message, passage: Passage): Message {
  return chain.reduce((now, intercept) => {
    const next = intercept(now, passage) ?? now
    if (next.type === message.type) return next
    throw new TroupeError('InvalidDefinition', `an interceptor made ${message.type} a ${next.type}`, 'an interceptor changes the body, not the type')
  }, message)
}
