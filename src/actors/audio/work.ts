/** What `audio` does outside its chart: sounds window by window, through the models that hear and speak. */
import type { Speech, SpeechCarry, SpeechFound, SpeechOptions, SpeechSegment, Transcript } from '../../models/index.js'
import { lengthMs, parseWav, samplesAt, samplesOf, SPEECH_RATE, toWav, type Sound } from '../../models/sound.js'
import { streamOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { bytesBehind, type Blobs, type Payload } from '../blobs.js'
import { soundTrackOf } from '../ffmpeg.js'
import { inSlices } from '../in-slices.js'
import { answering, type Effect, type Settled } from '../settled.js'
import type { AudioDetected, AudioHeard, AudioSaid, AudioSound, AudioStretch, AudioTranscribed, AudioWritten } from './protocol.js'

export interface HearInput {
  readonly audio: Payload
  readonly language: string | undefined
  readonly to: ReturnAddress
}
export interface StreamInput {
  readonly audio: Payload
  readonly language: string | undefined
  readonly into: ReturnAddress
}
export interface SpeakInput {
  readonly text: string
  readonly voice: string | undefined
  readonly blob: boolean
  readonly to: ReturnAddress
}
export interface ExtractInput {
  readonly video: Payload
  readonly blob: boolean
  readonly to: ReturnAddress
}
export interface AudioWork {
  readonly detect: Effect<Settled<AudioDetected>, HearInput>
  readonly listen: Effect<undefined, StreamInput>
  readonly transcribe: Effect<Settled<AudioTranscribed>, HearInput>
  readonly dictate: Effect<undefined, StreamInput>
  readonly speak: Effect<Settled<AudioSound>, SpeakInput>
  readonly embed: Effect<Settled<{ vector: Float32Array }>, HearInput>
  readonly extract: Effect<Settled<AudioSound>, ExtractInput>
}
export interface AudioSettings {
  /** Models by task; a task without one is refused. */
  readonly models: Readonly<Record<'detect' | 'transcribe' | 'speak' | 'embed', string | undefined>>
  readonly speech: SpeechOptions
  readonly blobs: Blobs | undefined
  readonly ffmpeg: string
}

/** Sound goes to the models in windows of this: short enough that others have their turn between. */
const WINDOW_MS = 10_000
/** What recognisers of speech hear at once; they take as long for less, so that stretches near each other go together. */
const HEARD_AT_ONCE_MS = 28_000
/** A vector is made of at most this: who speaks is known long before. */
const EMBEDDED_MS = 30_000

export const audioWork = (settings: AudioSettings): AudioWork => {
  const hearing = new Hearing(settings)
  return {
    detect: answering('detect', async ({ audio }: HearInput, work): Promise<AudioDetected> => {
      const sound = await hearing.soundBehind(audio)
      const segments: AudioStretch[] = []
      for await (const segment of hearing.speechIn(sound, work)) segments.push(segment)
      return { segments, lengthMs: lengthMs(sound), speechMs: sumMs(segments) }
    }),
    listen: streamOnce('listen', async function* ({ audio }: StreamInput, work): AsyncGenerator<AudioHeard, undefined> {
      const sound = await hearing.soundBehind(audio)
      let [stretches, speechMs] = [0, 0]
      for await (const segment of hearing.speechIn(sound, work)) {
        stretches++
        speechMs += segment.endMs - segment.startMs
        yield { kind: 'speech', ...segment }
      }
      yield { kind: 'done', stretches, lengthMs: lengthMs(sound), speechMs }
      return undefined
    }),
    transcribe: answering('transcribe', async ({ audio, language }: HearInput, work): Promise<AudioTranscribed> => {
      const sound = await hearing.soundBehind(audio)
      const said: AudioSaid[] = []
      for await (const part of hearing.saidIn(sound, language, work)) said.push(part)
      return { text: textOf(said), said, lengthMs: lengthMs(sound) }
    }),
    dictate: streamOnce('dictate', async function* ({ audio, language }: StreamInput, work): AsyncGenerator<AudioWritten, undefined> {
      const sound = await hearing.soundBehind(audio)
      const said: AudioSaid[] = []
      for await (const part of hearing.saidIn(sound, language, work)) {
        said.push(part)
        yield { kind: 'said', ...part }
      }
      yield { kind: 'done', text: textOf(said), lengthMs: lengthMs(sound) }
      return undefined
    }),
    speak: answering('speak', async ({ text, voice, blob }: SpeakInput, work): Promise<AudioSound> => {
      const [speech] = await work.infer<Speech[]>('speak', hearing.model('speak'), { inputs: [text], ...(voice !== undefined && { voice }) }, { signal: work.signal, urgency: 'interactive' })
      const { samples, rate } = speech as Speech
      return { audio: await hearing.leave(toWav(samples, rate), blob), lengthMs: (1000 * samples.length) / rate }
    }),
    embed: answering('embed', async ({ audio }: HearInput, work): Promise<{ vector: Float32Array }> => {
      const samples = await hearing.samples(await hearing.soundBehind(audio), { startMs: 0, endMs: EMBEDDED_MS }, work)
      const [vector] = await work.infer<Float32Array[]>('embedAudio', hearing.model('embed'), { inputs: [samples] }, { signal: work.signal, urgency: 'interactive' })
      return { vector: vector as Float32Array }
    }),
    extract: answering('extract', async ({ video, blob }: ExtractInput, work): Promise<AudioSound> => {
      const audio = await soundTrackOf(await bytesBehind(video, settings.blobs), { ffmpeg: settings.ffmpeg, signal: work.signal })
      return { audio: await hearing.leave(audio, blob), lengthMs: lengthMs(parseWav(audio)) }
    }),
  }
}

/** What the effects share. */
class Hearing {
  readonly #settings: AudioSettings

  constructor(settings: AudioSettings) {
    this.#settings = settings
  }

  model(task: keyof AudioSettings['models']): string {
    const model = this.#settings.models[task]
    if (model === undefined) throw new TroupeError('ModelNotFound', `audio has no model to ${task} with`, `name one: audio({ ${task}: 'owner/name' })`, { task })
    return model
  }

  async soundBehind(audio: Payload): Promise<Sound> {
    return parseWav(await bytesBehind(audio, this.#settings.blobs))
  }

  async samples(sound: Sound, { startMs, endMs }: { startMs: number; endMs: number }, work: Work): Promise<Float32Array> {
    const at = (ms: number): number => Math.min(samplesAt(sound, SPEECH_RATE), Math.round((ms * SPEECH_RATE) / 1000))
    return await inSlices(samplesOf(sound, SPEECH_RATE, { from: at(startMs), to: at(endMs) }), work.signal)
  }

  /** Bytes as they leave: themselves, or the ref of what was stored. */
  async leave(bytes: Uint8Array, blob: boolean): Promise<Payload> {
    if (!blob) return bytes
    if (this.#settings.blobs !== undefined) return await this.#settings.blobs.put(bytes)
    throw new TroupeError('InvalidMessage', 'a ref was asked for, and this actor has no store of blobs', 'give the actor the store: audio({ blobs }); or take the bytes')
  }

  /** Stretches of speech, each as soon as it has ended. */
  async *speechIn(sound: Sound, work: Work): AsyncGenerator<SpeechSegment> {
    const model = this.model('detect')
    const end = lengthMs(sound)
    let carry: SpeechCarry | undefined
    for (let startMs = 0; startMs < end; startMs += WINDOW_MS) {
      const samples = await this.samples(sound, { startMs, endMs: startMs + WINDOW_MS }, work)
      const part = { samples, more: startMs + WINDOW_MS < end, ...(carry !== undefined && { carry }) }
      const [found] = await work.infer<SpeechFound[]>('detectSpeech', model, { inputs: [part], ...this.#settings.speech }, { signal: work.signal })
      yield* (found as SpeechFound).segments
      carry = found?.carry
    }
  }

  /** What is said, stretch by stretch; stretches near each other in one go. */
  async *saidIn(sound: Sound, language: string | undefined, work: Work): AsyncGenerator<AudioSaid> {
    this.model('transcribe')
    for await (const { startMs, endMs } of together(this.speechIn(sound, work))) {
      const samples = await this.samples(sound, { startMs, endMs }, work)
      const options = { timestamps: true, ...(language !== undefined && { language }) }
      const [transcript] = await work.infer<Transcript[]>('transcribe', this.model('transcribe'), { inputs: [samples], ...options }, { signal: work.signal })
      yield* partsOf(transcript as Transcript, startMs, endMs)
    }
  }
}

/** Stretches that a recogniser hears at once, as one. */
async function* together(stretches: AsyncIterable<SpeechSegment>): AsyncGenerator<{ startMs: number; endMs: number }> {
  let held: { startMs: number; endMs: number } | undefined
  for await (const { startMs, endMs } of stretches) {
    if (held !== undefined && endMs - held.startMs <= HEARD_AT_ONCE_MS) {
      held.endMs = endMs
      continue
    }
    if (held !== undefined) yield held
    held = { startMs, endMs }
  }
  if (held !== undefined) yield held
}

/** A recogniser that tells no times said all of it within the stretch. */
function partsOf({ text, segments }: Transcript, startMs: number, endMs: number): AudioSaid[] {
  if (text === '') return []
  if (segments.length === 0) return [{ text, startMs, endMs }]
  const at = (seconds: number | null): number => (seconds === null ? endMs : Math.min(endMs, startMs + 1000 * seconds))
  return segments.filter((part) => part.text !== '').map((part) => ({ text: part.text, startMs: at(part.start), endMs: at(part.end) }))
}

const textOf = (said: readonly AudioSaid[]): string => said.map(({ text }) => text).join(' ')
const sumMs = (segments: readonly AudioStretch[]): number => segments.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
