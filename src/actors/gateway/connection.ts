/** What was asked over one connection is unwanted once its other side has gone. */
import type { Socket } from 'node:net'
import { TroupeError } from '../../ground/errors.js'
import { heed } from '../../runtime/heed.js'

const CONNECTION = Symbol('connection')
/** On the socket itself: looking it up in a map beside it was a measurable part of each request. */
type Marked = Socket & { [CONNECTION]?: AbortController }

/** Its signal; one for all requests of a connection, since making one for each costs more than asking an actor. */
export function connectionOf(socket: Marked): AbortController {
  const known = socket[CONNECTION]
  if (known !== undefined) return known
  const abort = new AbortController()
  // Heeded always, so that requests that come and go share one listener.
  heed(abort.signal, () => {})
  const left = (): void => abort.abort(new TroupeError('Cancelled', 'the caller has gone', 'nothing is left to do', { reason: 'caller' }))
  if (socket.destroyed) left()
  else socket.on('close', left)
  socket[CONNECTION] = abort
  return abort
}
