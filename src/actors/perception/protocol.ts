/** What `perception` takes and gives. */
import { protocol, request } from '../../runtime/index.js'
import { part } from '../parts.js'
import { list, oneOf, record, string, type Shaped } from '../shape.js'

const perceived = record({
  text: string,
  /** Said, read from an image, what an image shows, or written down from speech. */
  how: oneOf('text', 'read', 'caption', 'transcript'),
})
export type Perceived = Shaped<typeof perceived>

export const Perception = protocol({
  /** Each part as text, in their order; `text` is all of it. */
  perceive: request(record({ parts: list(part) }), record({ text: string, parts: list(perceived) })),
})
