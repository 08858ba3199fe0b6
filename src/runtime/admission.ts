/** What becomes of mail at a cell's door: kept before its sender is told, or without room. */
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import type { Envelope } from './envelope.js'

/** A durable actor's mail is in the log before its sender is told, or it is handled. */
export function keep({ ledger, parts: { clock, endings } }: Cell, envelope: Envelope): 'accepted' {
  if (ledger === undefined || envelope.entry !== 0) return 'accepted'
  envelope.kept = ledger.accept(envelope, clock.now())
  envelope.kept.catch((error: unknown) => {
    envelope.entry = 0
    endings.dead(envelope, 'refused', error)
  })
  return 'accepted'
}

/** The sender may wait, or is told why not. */
export function noRoom({ address, mailbox, parts: { endings } }: Cell, envelope: Envelope): 'full' | TroupeError {
  if (mailbox.couldHold(envelope)) return mailbox.overflow === 'wait' ? 'full' : endings.dead(envelope, 'overloaded')
  const error = new TroupeError('InvalidMessage', `${envelope.type} has ${envelope.body.length} bytes, more than the mailbox of ${address} holds`, 'send it in parts, or give the mailbox more bytes')
  return endings.dead(envelope, 'invalid', error)
}
