/** What a caller sent, as a message of a protocol: checked here in any case, since this is a boundary. */
import { milliseconds, type Duration } from '../../ground/duration.js'
import { TroupeError } from '../../ground/errors.js'
import type { Message, Protocol } from '../../runtime/index.js'
import { checkBody, type Spec } from '../../runtime/protocol.js'

export interface Addressed {
  readonly message: Message
  readonly kind: Spec['kind']
}

/** Throws `InvalidMessage` or `Unhandled`; `allow` throws `Unauthorized`, and is asked before the body is looked at. */
export function addressed(protocol: Protocol, address: string, body: unknown, allow: (type: string) => void): Addressed {
  const type = typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as { type?: unknown }).type : undefined
  if (typeof type !== 'string') throw new TroupeError('InvalidMessage', 'the body is no message: it has no type', `send { "type": "…", … } as the protocol of ${address} says, see /openapi.json`)
  allow(type)
  const spec = protocol.specs[type]
  if (spec === undefined) throw new TroupeError('Unhandled', `${address} takes no ${type.slice(0, 80)}`, 'see /openapi.json for what it takes')
  const message = body as Message
  checkBody(spec, message)
  return { message, kind: spec.kind }
}

/** How long a caller wants to wait: milliseconds or a duration such as `2s`, at most `maxMs`. */
export function timeoutOf(given: unknown, maxMs: number): number | undefined {
  if (given === undefined) return undefined
  const text = typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : given
  try {
    return Math.min(milliseconds(text as Duration), maxMs)
  } catch (error) {
    throw new TroupeError('InvalidMessage', `${JSON.stringify(given).slice(0, 40)} is no timeout`, "write milliseconds, or a number with its unit such as '2s'", {}, error)
  }
}
