import { TroupeError } from '../../ground/errors.js'
import type { Part } from '../parts.js'
import type { SdkMessage } from './specification.js'

type SdkFile = Exclude<SdkMessage['content'], string>[number]

/** A file of the AI SDK as a part of a task. Throws `InvalidMessage` for what no actor takes, rather than answering as if it had not been there. */
export function filePart({ mediaType = '', data }: SdkFile): Part {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : data
  const [kind] = mediaType.split('/')
  if (bytes instanceof Uint8Array) {
    if (kind === 'image' || kind === 'audio') return { type: kind, blob: new Uint8Array(bytes) }
    if (kind === 'text') return { type: 'text', text: new TextDecoder().decode(bytes) }
  }
  throw new TroupeError('InvalidMessage', `a message holds a file that is no text, image or sound at hand (${mediaType || 'of no type'})`, 'turn it into one of these first, or into words', { mediaType })
}
