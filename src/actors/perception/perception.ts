import { actor, TroupeError, type Definition, type Me, type Ref } from '../../runtime/index.js'
import type { Audio } from '../audio/protocol.js'
import type { Image } from '../image/protocol.js'
import type { Part } from '../parts.js'
import { Perception, type Perceived } from './protocol.js'

export interface PerceptionOptions {
  /** Reads images; without one, they are refused. */
  readonly image?: Ref<(typeof Image)['specs']>
  /** Writes down speech; without one, sounds are refused. */
  readonly audio?: Ref<(typeof Audio)['specs']>
  /** Says what an image shows in which nothing stands to read: `image` needs a model for it. Default false. */
  readonly caption?: boolean
}

/** Messages under way at once; each waits for other actors alone. */
const AT_ONCE = 8
/** Parts of one message. */
const PARTS_MAX = 16

/** Turns a message of several parts into text: what is said, what stands in images, what is heard. */
export function perception(senses: PerceptionOptions = {}): Definition<(typeof Perception)['specs']> {
  return actor(Perception, {
    concurrency: AT_ONCE,
    // A picture that cannot be read must not end the reading of others.
    supervise: { onFailure: 'resume' },
    on: {
      perceive: async ({ parts }, me) => {
        if (parts.length > PARTS_MAX) throw new TroupeError('InvalidMessage', `a message of ${parts.length} parts`, `send at most ${PARTS_MAX}`)
        const perceived = await Promise.all(parts.map((part) => perceive(part, senses, me)))
        return { text: perceived.map(({ text }) => text).filter((text) => text.trim() !== '').join('\n'), parts: perceived }
      },
    },
  })
}

async function perceive(part: Part, { image, audio, caption = false }: PerceptionOptions, me: Me): Promise<Perceived> {
  switch (part.type) {
    case 'text':
      return { text: part.text, how: 'text' }
    case 'image': {
      if (image === undefined) throw senseless('image')
      const { text } = await me.ask(image, { type: 'read', image: part.blob })
      if (text.trim() !== '' || !caption) return { text, how: 'read' }
      return { text: (await me.ask(image, { type: 'caption', image: part.blob })).text, how: 'caption' }
    }
    case 'audio': {
      if (audio === undefined) throw senseless('audio')
      return { text: (await me.ask(audio, { type: 'transcribe', audio: part.blob })).text, how: 'transcript' }
    }
  }
}

const senseless = (kind: 'image' | 'audio'): TroupeError => new TroupeError('InvalidMessage', `a part is ${kind}, and this perception has no ${kind} actor`, `give it one: perception({ ${kind} })`)
