/** What `audio` takes and gives. */
import { protocol, request, stream } from '../../runtime/index.js'
import { payload } from '../blobs.js'
import { boolean, kinds, list, number, optional, record, string, vector, type Shaped } from '../shape.js'

const stretch = record({ startMs: number, endMs: number, score: number })
const said = record({ text: string, startMs: number, endMs: number })

const heard = kinds({
  speech: { startMs: number, endMs: number, score: number },
  done: { stretches: number, lengthMs: number, speechMs: number },
})

const written = kinds({
  said: { text: string, startMs: number, endMs: number },
  done: { text: string, lengthMs: number },
})

const detected = record({ segments: list(stretch), lengthMs: number, speechMs: number })
const transcribed = record({ text: string, said: list(said), lengthMs: number })

const sound = record({
  /** A WAV file of one channel, or the ref of one. */
  audio: payload,
  lengthMs: number,
})

export type AudioStretch = Shaped<typeof stretch>
export type AudioDetected = Shaped<typeof detected>
export type AudioTranscribed = Shaped<typeof transcribed>
export type AudioHeard = Shaped<typeof heard>
export type AudioSaid = Shaped<typeof said>
export type AudioWritten = Shaped<typeof written>
export type AudioSound = Shaped<typeof sound>

/** A sound is the bytes of a WAV file, at any rate and with any channels, or a ref to a blob of them. */
export const Audio = protocol({
  /** Where somebody speaks. */
  detect: request(record({ audio: payload }), detected),
  /** The same, each stretch as soon as it has ended: for long sounds. */
  listen: stream(record({ audio: payload }), heard),
  transcribe: request(record({ audio: payload, language: optional(string) }), transcribed),
  /** The same, part by part. */
  dictate: stream(record({ audio: payload, language: optional(string) }), written),
  /** A text aloud. `voice` as the model names its voices; `blob: true` gives a ref in place of the bytes. */
  speak: request(record({ text: string, voice: optional(string), blob: optional(boolean) }), sound),
  /** A vector of who speaks, or of what is heard, as the model was made for. */
  embed: request(record({ audio: payload }), record({ vector })),
  /** The sound of a video, or of a sound file that is no WAV. Needs ffmpeg. */
  extract: request(record({ video: payload, blob: optional(boolean) }), sound),
})
