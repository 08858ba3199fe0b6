/** What an actor sent while it handled one envelope: released in order when that step commits. */
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { Envelope } from './envelope.js'
import { OUTBOX_BYTES_MAX, OUTBOX_COUNT_MAX, SEND_TIMEOUT_MS } from './limits.js'
import type { Parts } from './parts.js'

export class Outbox {
  readonly #envelopes: Envelope[] = []
  #bytes = 0

  get empty(): boolean {
    return this.#envelopes.length === 0
  }

  /** Throws `Overloaded` beyond 10,000 envelopes or 64 MiB. */
  add(envelope: Envelope): void {
    this.#bytes += envelope.body.length
    if (this.#envelopes.length >= OUTBOX_COUNT_MAX || this.#bytes > OUTBOX_BYTES_MAX) {
      throw new TroupeError('Overloaded', `one handler sent more than ${OUTBOX_COUNT_MAX} messages or ${OUTBOX_BYTES_MAX} bytes`, 'send in portions, with an await of a reply between them', { retryAfterMs: 0 })
    }
    this.#envelopes.push(envelope)
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
        const cell = parts.router.cell(envelope.to)
        if (cell === undefined) endings.dead(envelope, 'no-such-actor')
        else if (cell.accept(envelope) === 'full') {
          const waits = cell.awaitRoom(envelope, resume)
          if (waits !== undefined) {
            expiry ??= clock.timer(sender.definition.options.sendTimeoutMs ?? SEND_TIMEOUT_MS, () => {
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
