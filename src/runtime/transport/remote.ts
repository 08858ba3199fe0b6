import type { TroupeError } from '../../ground/errors.js'
import type { Address } from '../address.js'
import type { CancelReason, Envelope } from '../envelope.js'
import type { Waiter } from '../mailbox.js'
import type { Protocol } from '../protocol.js'
import type { Receiver, Target } from '../receiver.js'
import type { Peer } from './peer.js'

/** An address on another node, as its callers here see it: what it accepts is on its way there. */
export class Remote implements Receiver, Target {
  readonly alive = true
  readonly keepsAsks = true
  readonly address: Address
  readonly definition: { readonly protocol: Protocol }
  readonly #peer: Peer

  constructor(address: Address, protocol: Protocol, peer: Peer) {
    this.address = address
    this.definition = { protocol }
    this.#peer = peer
  }

  pick(): Remote {
    return this
  }
  accept(envelope: Envelope): 'accepted' | 'full' | TroupeError {
    return this.#peer.accept(envelope)
  }
  awaitRoom(envelope: Envelope, settle: (admitted: boolean) => void): Waiter<Envelope> | undefined {
    return this.#peer.room.wait(envelope, settle)
  }
  leave(waiter: Waiter<Envelope>): void {
    this.#peer.room.leave(waiter)
  }
  cancel(envelope: Envelope, reason: CancelReason): void {
    this.#peer.cancel(envelope, reason)
  }
  forget(ask: number, calledOff: CancelReason | undefined): void {
    this.#peer.forget(ask, calledOff)
  }
}
