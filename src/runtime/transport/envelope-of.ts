import { unpackEnvelope } from '../codec.js'
import { Envelope, type Priority } from '../envelope.js'

/** An envelope of another node, with a deadline of this node's clock. Throws for bytes that are none. */
export function envelopeOf(bytes: Uint8Array, deadline: number): Envelope {
  const { header: h, body } = unpackEnvelope(bytes)
  return new Envelope(h.id, h.to, h.from, h.type, body, h.correlation, h.cause, deadline, h.priority as Priority, h.trace, h.sequence, h.attempt)
}
