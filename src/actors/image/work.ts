/** What `image` does outside its chart: the bytes behind a payload, and the models that see them. */
import type { ImageLimits, Reading } from '../../models/index.js'
import { streamOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { bytesBehind, type Blobs, type Payload } from '../blobs.js'
import { framesOf } from '../ffmpeg.js'
import { answering, type Effect, type Settled } from '../settled.js'
import type { ImageReading, Label, VideoFrame } from './protocol.js'

export interface ImageInput {
  readonly image: Payload
  readonly top: number | undefined
  readonly maxTokens: number | undefined
  readonly to: ReturnAddress
}
export interface FramesInput {
  readonly video: Payload
  readonly everyMs: number | undefined
  readonly framesMax: number | undefined
  readonly into: ReturnAddress
}
export interface ImageWork {
  readonly read: Effect<Settled<ImageReading>, ImageInput>
  readonly classify: Effect<Settled<{ labels: readonly Label[] }>, ImageInput>
  readonly caption: Effect<Settled<{ text: string }>, ImageInput>
  readonly embed: Effect<Settled<{ vector: Float32Array }>, ImageInput>
  readonly frames: Effect<undefined, FramesInput>
}
export interface ImageSettings {
  /** Models by task; a task without one is refused. */
  readonly models: Readonly<Record<'read' | 'classify' | 'caption' | 'embed', string | undefined>>
  readonly limits: ImageLimits
  readonly blobs: Blobs | undefined
  readonly ffmpeg: string
}

const TOP = 5
const EVERY_MS = 1000
const FRAMES_MAX = 600

export const imageWork = ({ models, limits, blobs, ffmpeg }: ImageSettings): ImageWork => {
  /** One image through one model. */
  const see = async <T>(task: keyof ImageSettings['models'], kernel: string, image: Payload, work: Work, options: object = {}): Promise<T> => {
    const model = models[task]
    if (model === undefined) throw new TroupeError('ModelNotFound', `image has no model to ${task} with`, `name one: image({ ${task}: 'owner/name' })`, { task })
    const bytes = await bytesBehind(image, blobs)
    const [answer] = await work.infer<T[]>(kernel, model, { inputs: [bytes], ...limits, ...options }, { signal: work.signal, urgency: 'interactive' })
    return answer as T
  }
  return {
    read: answering('read', ({ image }: ImageInput, work): Promise<ImageReading> => see<Reading>('read', 'read', image, work)),
    classify: answering('classify', async ({ image, top = TOP }: ImageInput, work): Promise<{ labels: readonly Label[] }> => {
      const labels = await see<Label[]>('classify', 'classifyImage', image, work)
      return { labels: labels.map(({ label, score }) => ({ label, score })).sort((a, b) => b.score - a.score).slice(0, top) }
    }),
    caption: answering('caption', async ({ image, maxTokens }: ImageInput, work) => ({ text: await see<string>('caption', 'caption', image, work, maxTokens === undefined ? {} : { maxTokens }) })),
    embed: answering('embed', async ({ image }: ImageInput, work) => ({ vector: await see<Float32Array>('embed', 'embedImage', image, work) })),
    frames: streamOnce('frames', async function* ({ video, everyMs = EVERY_MS, framesMax = FRAMES_MAX }: FramesInput, work): AsyncGenerator<VideoFrame, undefined> {
      let frames = 0
      const bytes = await bytesBehind(video, blobs)
      for await (const image of framesOf(bytes, { ffmpeg, everyMs, framesMax: Math.min(framesMax, FRAMES_MAX), signal: work.signal })) {
        yield { kind: 'frame', atMs: frames++ * everyMs, image }
      }
      yield { kind: 'done', frames }
      return undefined
    }),
  }
}
