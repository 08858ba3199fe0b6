/** A signal for each connection: it fires when its other side has gone, and whatever was asked over it is unwanted. */
import type { Socket } from 'node:net'
import { TroupeError } from '../../ground/errors.js'
import { heed } from '../../runtime/heed.js'

const connections = new WeakMap<Socket, AbortController>()

/** One for all requests of a connection: making one for each costs more than asking an actor. */
export function connectionOf(socket: Socket): AbortController {
  const known = connections.get(socket)
  if (known !== undefined) return known
  const abort = new AbortController()
  // Heeded always, so that requests that come and go share one listener.
  heed(abort.signal, () => {})
  const left = (): void => abort.abort(new TroupeError('Cancelled', 'the caller has gone', 'nothing is left to do', { reason: 'caller' }))
  if (socket.destroyed) left()
  else socket.on('close', left)
  connections.set(socket, abort)
  return abort
}
