/** What an actor sent while it handled one envelope: released in order when that step commits. */
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { Endings } from './endings.js'
import type { DeadReason, Envelope } from './envelope.js'
import { OUTBOX_BYTES_MAX, OUTBOX_COUNT_MAX, SEND_TIMEOUT_MS } from './limits.js'
import type { Parts } from './parts.js'
import type { Receiver } from './receiver.js'
import type { Router } from './router.js'

export class Outbox {
  readonly #envelopes: Envelope[] = []
  #bytes = 0

  get envelopes(): readonly Envelope[] {
    return this.#envelopes
  }

  get empty(): boolean {
    return this.#envelopes.length === 0
  }

  /** Throws `Overloaded` beyond 10,000 envelopes or 64 MiB, and keeps what it has. */
  add(envelope: Envelope): void {
    const bytes = this.#bytes + envelope.body.length
    if (this.#envelopes.length >= OUTBOX_COUNT_MAX || bytes > OUTBOX_BYTES_MAX) {
      throw new TroupeError('Overloaded', `one handler sent more than ${OUTBOX_COUNT_MAX} messages or ${OUTBOX_BYTES_MAX} bytes`, 'send in portions, with an await of a reply between them', { retryAfterMs: 0 })
    }
    this.#bytes = bytes
    this.#envelopes.push(envelope)
  }

  /** Its step failed: what was to leave never does. */
  drop(endings: Endings): void {
    for (const envelope of this.#envelopes) endings.cancelled(envelope, 'actor-failed')
    this.#envelopes.length = this.#bytes = 0
  }

  /**
   * Sends everything, in order. True when all left at once; otherwise `then` is called once all have left
   * or, after the sender's timeout, the rest became dead letters.
   */
  release(sender: Cell, parts: Parts, then: () => void): boolean {
    const { clock, endings } = parts
    const envelopes = this.#envelopes
    let at = 0
    const next = (): boolean => {
      while (at < envelopes.length) {
        const envelope = envelopes[at] as Envelope
        const cell = receiver(parts.router, envelope)
        if (typeof cell === 'string') {
          // What is in the log of one who is not back yet, or for whom there is no room, waits there.
          if (envelope.entry === 0) endings.dead(envelope, cell)
          else if (cell === 'overloaded') parts.wakes.wake(envelope.to)
        }
        else if (cell.accept(envelope) === 'full') {
          // Only its own next turn could make room for what an actor tells itself, and that turn waits for this outbox.
          const waits = cell === sender ? undefined : cell.awaitRoom(envelope, resume)
          if (waits !== undefined) {
            // What is in the log of a durable receiver is accepted already; there is no giving it up.
            if (envelope.entry === 0) expiry ??= clock.timer(sender.definition.options.sendTimeoutMs ?? SEND_TIMEOUT_MS, () => {
              cell.leave(waits)
              for (const rest of envelopes.slice(at)) endings.dead(rest, 'send-timeout')
              at = envelopes.length
              then()
            })
            return false
          }
          endings.dead(envelope, 'overloaded')
        }
        at++
      }
      return true
    }
    let expiry: { cancel(): void } | undefined
    const resume = (admitted: boolean): void => {
      if (!admitted) endings.dead(envelopes[at] as Envelope, 'stopped')
      at++
      expiry?.cancel()
      expiry = undefined
      if (next()) then()
    }
    return next()
  }
}

/** Whom an envelope is for, or why there is nobody: a keyed actor may have no room to wake in. */
function receiver(router: Router, { to }: Envelope): Receiver | DeadReason {
  try {
    return router.receiver(to) ?? 'no-such-actor'
  } catch {
    return 'overloaded'
  }
}
