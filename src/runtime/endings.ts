/** Where envelopes end: each in exactly one named way, recorded, kept where nobody will process it, and told to its asker. */
import { TroupeError, describe } from '../ground/errors.js'
import type { DeadLetters } from './dead-letters.js'
import { ofLife, type CancelReason, type DeadReason, type Ending, type Envelope } from './envelope.js'
import type { Inspection } from './inspection.js'
import { cancelled, late, type Replies } from './replies.js'

/** How long a refused sender does best to wait: a full mailbox of quick handlers empties well within it. */
const RETRY_AFTER_MS = 100

const ENDING_OF: Readonly<Record<DeadReason, Exclude<Ending, 'waiting'>>> = {
  'no-such-actor': 'dead-lettered',
  stopped: 'dead-lettered',
  dropped: 'dead-lettered',
  'send-timeout': 'dead-lettered',
  failed: 'dead-lettered',
  'node-lost': 'dead-lettered',
  expired: 'expired',
  unhandled: 'refused',
  overloaded: 'refused',
  refused: 'refused',
  invalid: 'refused',
}

export class Endings {
  readonly #inspection: Inspection
  readonly #deadLetters: DeadLetters
  readonly #replies: Replies
  /** Called when an envelope of a durable actor has ended without a step. */
  onDealt: ((envelope: Envelope, told: TroupeError | undefined) => void) | undefined

  constructor(inspection: Inspection, deadLetters: DeadLetters, replies: Replies) {
    this.#inspection = inspection
    this.#deadLetters = deadLetters
    this.#replies = replies
  }

  handled(envelope: Envelope): void {
    if (envelope.ending !== 'cancelled') this.#inspection.handled(envelope)
  }

  deferred(envelope: Envelope): void {
    this.#inspection.ended(envelope, 'deferred')
  }

  cancelled(envelope: Envelope, reason: CancelReason): void {
    this.#inspection.ended(envelope, 'cancelled', reason)
    this.dealt(envelope, reason)
    // The asker knows already when it was the one to cancel; then this is late and changes nothing.
    if (envelope.correlation !== 0) this.#replies.fail(envelope.correlation, cancelled(envelope.type, envelope.to, reason))
  }

  /** Its asker called it off. An asker that failed asks anew when it is tried again, so nobody waits for this one. */
  calledOff(envelope: Envelope, reason: CancelReason): void {
    this.#inspection.ended(envelope, 'cancelled', reason)
    if (reason === 'actor-failed' && envelope.entry !== 0) this.onDealt?.(envelope, cancelled(envelope.type, envelope.to, reason))
    else this.dealt(envelope, reason)
  }

  /** A durable actor need not come back to an envelope that has ended, unless it was its life that ended. */
  dealt(envelope: Envelope, reason: DeadReason | CancelReason, told?: TroupeError): void {
    if (envelope.entry !== 0 && !staysInLog(envelope, reason)) this.onDealt?.(envelope, told)
  }

  /** Nobody will process the envelope: keeps it as a dead letter and tells its asker. Gives what the asker was told. */
  dead(envelope: Envelope, reason: DeadReason, error?: unknown): TroupeError {
    const told = outcome(envelope, reason, error)
    this.#inspection.ended(envelope, ENDING_OF[reason], reason)
    this.dealt(envelope, reason, told)
    if (!staysInLog(envelope, reason)) this.#deadLetters.add(envelope, reason, error)
    if (envelope.correlation !== 0) this.#replies.fail(envelope.correlation, told)
    return told
  }
}

/** What ends with the process or its actor's life is still to be done: a durable actor's next life does it. */
const staysInLog = ({ entry }: Envelope, reason: DeadReason | CancelReason): boolean => entry !== 0 && (reason === 'stopped' || ofLife(reason))

function outcome(envelope: Envelope, reason: DeadReason, error: unknown): TroupeError {
  const { type, to, id } = envelope
  switch (reason) {
    case 'no-such-actor':
      return new TroupeError('NoSuchActor', `no actor at ${to} for ${type}`, 'spawn it first, or register its kind with troupe.keyed', { id, address: to })
    case 'stopped':
      // What the store has of it cannot be gone on with: its mail waits there for a mended store, or for other code.
      if (error instanceof TroupeError && (error.code === 'StoreCorrupt' || error.code === 'Incompatible')) return error
      return new TroupeError('NoSuchActor', `${to} stopped before it handled ${type}`, 'watch the actor to learn of its end, or send again once it is back', { id, address: to })
    case 'unhandled':
      return new TroupeError('Unhandled', `${to} takes no ${type}${error === undefined ? '' : `: ${describe(error)}`}`, "see the actor's protocol, and its chart for the states that name it", { id, address: to })
    case 'overloaded':
    case 'dropped':
      return overloaded(`the mailbox of ${to} is full`, id)
    case 'send-timeout':
      return overloaded(`${to} had no room for ${type} in time`, id)
    case 'expired':
      return late(envelope)
    case 'failed':
      return new TroupeError('ActorFailed', `${to} failed on ${type}: ${describe(error)}`, `see the cause, and troupe.why(${id}) for what led there`, { id, address: to, ...retryHint(error) }, error)
    case 'node-lost':
    case 'refused':
    case 'invalid':
      return error instanceof TroupeError ? error : new TroupeError('InvalidMessage', `${type} to ${to} was refused: ${describe(error)}`, 'see the cause', { id }, error)
  }
}

/** What failed since something was busy may be tried again like that: whoever asked learns when. */
function retryHint(error: unknown): { readonly retryAfterMs?: unknown } {
  const retryAfterMs = error instanceof TroupeError ? error.details['retryAfterMs'] : undefined
  return retryAfterMs === undefined ? {} : { retryAfterMs }
}

export const overloaded = (what: string, id: number): TroupeError => new TroupeError('Overloaded', what, 'send less at once, or try again after details.retryAfterMs', { id, retryAfterMs: RETRY_AFTER_MS })
