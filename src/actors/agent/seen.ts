/** What comes with a task beside its words: pictures for a model that sees, and text of all else. */
import type { ChatMessage } from '../../models/index.js'
import { TroupeError, type Me, type Ref } from '../../runtime/index.js'
import { bytesBehind, type Blobs } from '../blobs.js'
import { mediaTypeOf } from '../first-bytes.js'
import type { Part } from '../parts.js'
import { heard } from '../perception/heard.js'
import type { Perception } from '../perception/protocol.js'
import { PARTS_MAX } from './limits.js'
import type { AgentTask } from './protocol.js'

export interface Senses {
  /** Whether the model takes pictures as they are. */
  readonly sees: boolean
  readonly perception: Ref<(typeof Perception)['specs']> | undefined
  readonly blobs: Blobs | undefined
}
export type Picture = NonNullable<ChatMessage['images']>[number]

/** A durable run that goes on looks its pictures up again: their bytes are named by their hash, and no record holds them. */
export async function seen({ input, parts = [] }: AgentTask, { sees, perception, blobs }: Senses, me: Pick<Me, 'ask'>): Promise<{ readonly input: string; readonly pictures: readonly Picture[] }> {
  if (parts.length > PARTS_MAX) throw new TroupeError('InvalidMessage', `a task of ${parts.length} parts`, `send at most ${PARTS_MAX}`)
  const shown = parts.filter((part) => part.type === 'image' && sees)
  const said = parts.filter((part) => !shown.includes(part))
  const inWords = said.every(({ type }) => type === 'text')
  const text = inWords ? [input, ...said.map(textOf)].filter((each) => each !== '').join('\n') : await heard({ text: input, parts: said }, perception, me)
  const pictures = await Promise.all(shown.map(async (part) => picture(await bytesBehind((part as Exclude<Part, { type: 'text' }>).blob, blobs))))
  return { input: text, pictures }
}

const textOf = (part: Part): string => (part.type === 'text' ? part.text : '')

/** Providers take no other forms. */
function picture(data: Uint8Array): Picture {
  const mediaType = mediaTypeOf(data)
  if (mediaType?.startsWith('image/') === true) return { mediaType, data }
  throw new TroupeError('InvalidMessage', 'a picture is neither PNG, JPEG, GIF nor WebP', 'send it in one of these forms, or give the agent a perception that reads it')
}
