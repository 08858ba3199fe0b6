/** What `perception` does outside its chart: each part goes to the actor that can sense it. */
import { TroupeError, type Ref, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Audio } from '../audio/protocol.js'
import type { Image } from '../image/protocol.js'
import type { Part } from '../parts.js'
import { answering, type Effect, type Settled } from '../settled.js'
import type { Perceived } from './protocol.js'

export interface PerceptionOptions {
  /** Reads images; without one, they are refused. */
  readonly image?: Ref<(typeof Image)['specs']>
  /** Writes down speech; without one, sounds are refused. */
  readonly audio?: Ref<(typeof Audio)['specs']>
  /** Says what an image shows in which nothing stands to read: `image` needs a model for it. Default false. */
  readonly caption?: boolean
}
export interface PerceiveInput {
  readonly parts: readonly Part[]
  readonly to: ReturnAddress
}
interface AllPerceived {
  readonly text: string
  readonly parts: readonly Perceived[]
}
export interface PerceptionWork {
  readonly perceive: Effect<Settled<AllPerceived>, PerceiveInput>
}

/** Parts of one message. */
const PARTS_MAX = 16

export const perceptionWork = (senses: PerceptionOptions): PerceptionWork => ({
  perceive: answering('perceive', async ({ parts }: PerceiveInput, work): Promise<AllPerceived> => {
    if (parts.length > PARTS_MAX) throw new TroupeError('InvalidMessage', `a message of ${parts.length} parts`, `send at most ${PARTS_MAX}`)
    const perceived = await Promise.all(parts.map((part) => perceive(part, senses, work)))
    return { text: perceived.map(({ text }) => text).filter((text) => text.trim() !== '').join('\n'), parts: perceived }
  }),
})

async function perceive(part: Part, { image, audio, caption = false }: PerceptionOptions, work: Work): Promise<Perceived> {
  switch (part.type) {
    case 'text':
      return { text: part.text, how: 'text' }
    case 'image': {
      if (image === undefined) throw senseless('image')
      const { text } = await work.ask(image, { type: 'read', image: part.blob })
      if (text.trim() !== '' || !caption) return { text, how: 'read' }
      return { text: (await work.ask(image, { type: 'caption', image: part.blob })).text, how: 'caption' }
    }
    case 'audio': {
      if (audio === undefined) throw senseless('audio')
      return { text: (await work.ask(audio, { type: 'transcribe', audio: part.blob })).text, how: 'transcript' }
    }
  }
}

const senseless = (kind: 'image' | 'audio'): TroupeError => new TroupeError('InvalidMessage', `a part is ${kind}, and this perception has no ${kind} actor`, `give it one: perception({ ${kind} })`)
