/** Mail that a former life accepted, and the envelope that its asker knows it by. */
import type { Cell } from './cell.js'
import type { Envelope } from './envelope.js'

/** The envelope that an asker in this process knows, so that its orders find it. */
export function asAsked(envelope: Envelope, cell: Cell): Envelope {
  const ask = cell.parts.replies.get(envelope.correlation)
  if (ask === undefined || ask.envelope.id !== envelope.id) return envelope
  ask.asked = cell
  const { entry, began, tries } = envelope
  return Object.assign(ask.envelope, { entry, began, tries })
}

/**
 * An envelope that is called off may be known to its asker alone, who made it anew after a restart, or settled the ask
 * before this life was woken. The one that waits here is taken out then, and dealt with in its name.
 */
export function takeSame({ mailbox, ledger }: Cell, envelope: Envelope): void {
  if (ledger?.hasRecovered(envelope) !== true) return
  const same = mailbox.pick((item) => item !== envelope && item.id === envelope.id)
  if (same !== undefined) envelope.entry = same.entry
}
