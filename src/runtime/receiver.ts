import type { Address } from './address.js'
import type { Envelope } from './envelope.js'
import type { TroupeError } from '../ground/errors.js'
import type { Waiter } from './mailbox.js'
import type { Message, Protocol } from './protocol.js'
import type { Asked } from './replies.js'

/** Whom an envelope can be handed to: a cell here, or the way to one on another node. */
export interface Receiver extends Asked {
  readonly address: Address
  readonly definition: { readonly protocol: Protocol }
  readonly alive: boolean
  /** Whether an ask of a durable asker is to be in the log before it leaves. */
  readonly keepsAsks: boolean
  /** Lets an envelope in; `full` when its sender may wait, or the error it was refused with. */
  accept(envelope: Envelope): 'accepted' | 'full' | TroupeError
  /** The sender waits for room; `undefined` when too many do. */
  awaitRoom(envelope: Envelope, settle: (admitted: boolean) => void): Waiter<Envelope> | undefined
  leave(waiter: Waiter<Envelope>): void
}

/** Who picks for each message whom it is for. */
export interface Target {
  readonly alive: boolean
  pick(message: Message): Receiver | readonly Receiver[]
}
