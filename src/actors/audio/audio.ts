import type { SpeechOptions } from '../../models/index.js'
import { actor, type Definition } from '../../runtime/index.js'
import type { Blobs } from '../blobs.js'
import { needs } from '../kernels.js'
import { audioChart } from './chart.js'
import { Audio } from './protocol.js'
import { audioWork } from './work.js'

export interface AudioOptions {
  /** The model that hears where somebody speaks. Default `package:@ricky0123/vad-web`, which is installed apart. */
  readonly detect?: string
  /** Models that write down speech, speak, and make vectors of sounds: hub ids or folders. Without one, that request is refused. */
  readonly transcribe?: string
  readonly speak?: string
  readonly embed?: string
  /** What counts as speech, and as a pause. */
  readonly speech?: SpeechOptions
  /** Where the blobs are that messages refer to. */
  readonly blobs?: Blobs
  /** The program that takes videos apart. Default `ffmpeg`, looked for on the PATH. */
  readonly ffmpeg?: string
}

/** Hears and speaks: where there is speech, what is said, a text aloud, and the sound of a video. */
export function audio({ detect = 'package:@ricky0123/vad-web', transcribe, speak, embed, speech = {}, blobs, ffmpeg = 'ffmpeg' }: AudioOptions = {}): Definition<(typeof Audio)['specs']> {
  return actor(Audio, audioChart(audioWork({ models: { detect, transcribe, speak, embed }, speech, blobs, ffmpeg })), { needs })
}
