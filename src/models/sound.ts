/** WAV files to samples: parsed here, mixed to one channel, and resampled to what a model hears. */
import { TroupeError } from '../ground/errors.js'
import { CHANNELS_MAX } from './limits.js'

type Encoding = 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64'

/** A sound as its file holds it; nothing is decoded yet. */
export interface Sound {
  /** Frames a second. */
  readonly rate: number
  readonly channels: number
  /** One sample of each channel is a frame. */
  readonly frames: number
  readonly encoding: Encoding
  readonly data: Uint8Array
}

/** What models for speech hear: samples a second. */
export const SPEECH_RATE = 16_000

const BYTES: Readonly<Record<Encoding, number>> = { u8: 1, s16: 2, s24: 3, s32: 4, f32: 4, f64: 8 }
const SUPPORTED = 'WAV with PCM samples of 8, 16, 24 or 32 bits or floats of 32 or 64 bits'
const RATES = { least: 1000, most: 384_000 } as const

const PCM = 1
const FLOAT = 3
const EXTENSIBLE = 0xfffe
/** Writers that do not know the length beforehand leave one of these. */
const UNKNOWN_LENGTHS = [0, 0xffffffff]

/** Formats that people send, by their first bytes, so that the refusal can name what was sent. */
const OTHERS: readonly (readonly [name: string, at: number, magic: string])[] = [
  ['MP3', 0, 'ID3'],
  ['MP3', 0, '\u00ff\u00fb'],
  ['MP3', 0, '\u00ff\u00f3'],
  ['Ogg', 0, 'OggS'],
  ['FLAC', 0, 'fLaC'],
  ['MP4', 4, 'ftyp'],
  ['Matroska or WebM', 0, '\u001a\u0045\u00df\u00a3'],
  ['AIFF', 8, 'AIF'],
  ['WAV of more than 4 GB', 0, 'RF64'],
]

const textAt = (bytes: Uint8Array, at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length))

/** Reads the headers of a WAV file. The samples stay where they are. */
export function parseWav(bytes: unknown): Sound {
  if (!(bytes instanceof Uint8Array)) throw unusable(`a sound is the bytes of its file, not ${bytes === null ? 'null' : typeof bytes}`)
  if (textAt(bytes, 0, 4) !== 'RIFF' || textAt(bytes, 8, 4) !== 'WAVE') {
    const other = OTHERS.find(([, at, magic]) => textAt(bytes, at, magic.length) === magic)?.[0]
    throw unusable(other === undefined ? 'these bytes are no sound of a known format' : `${other} is not decoded here`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let format: Omit<Sound, 'frames' | 'data'> | undefined
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = textAt(bytes, at, 4)
    const declared = view.getUint32(at + 4, true)
    const start = at + 8
    if (name === 'fmt ') format = formatAt(view, start, declared)
    if (name === 'data') {
      if (format === undefined) throw unusable('the WAV file has its samples before their format')
      return soundOf(format, bytes, start, declared)
    }
    // Chunks begin at even places.
    at = start + declared + (declared % 2)
  }
  throw unusable(format === undefined ? 'the WAV file says nothing about its format' : 'the WAV file has no samples', 'send the file again, whole')
}

function formatAt(view: DataView, start: number, length: number): Omit<Sound, 'frames' | 'data'> {
  if (length < 16 || start + length > view.byteLength) throw unusable('the WAV file is cut off within its format', 'send the file again, whole')
  const tag = view.getUint16(start, true)
  // An extensible format tells the real one in the first bytes of an id.
  const kind = tag === EXTENSIBLE && length >= 40 ? view.getUint16(start + 24, true) : tag
  const channels = view.getUint16(start + 2, true)
  const rate = view.getUint32(start + 4, true)
  const bits = view.getUint16(start + 14, true)
  const encoding = encodingOf(kind, bits)
  if (encoding === undefined) throw unusable(`the samples of the WAV file are ${bits} bits of kind ${kind}`)
  if (channels < 1 || channels > CHANNELS_MAX || rate < RATES.least || rate > RATES.most || view.getUint16(start + 12, true) !== channels * BYTES[encoding]) {
    throw unusable(`the WAV file says ${channels} channels at ${rate} Hz in blocks of ${view.getUint16(start + 12, true)} bytes, which cannot be`)
  }
  return { rate, channels, encoding }
}

function encodingOf(kind: number, bits: number): Encoding | undefined {
  if (kind === PCM) return ({ 8: 'u8', 16: 's16', 24: 's24', 32: 's32' } as const)[bits]
  if (kind === FLOAT) return ({ 32: 'f32', 64: 'f64' } as const)[bits]
  return undefined
}

function soundOf(format: Omit<Sound, 'frames' | 'data'>, bytes: Uint8Array, start: number, declared: number): Sound {
  const there = bytes.length - start
  const length = UNKNOWN_LENGTHS.includes(declared) ? there : declared
  if (length > there) throw unusable(`the WAV file is cut off: it says ${length} bytes of samples and has ${there}`, 'send the file again, whole')
  const frames = Math.floor(length / (format.channels * BYTES[format.encoding]))
  return { ...format, frames, data: bytes.subarray(start, start + frames * format.channels * BYTES[format.encoding]) }
}

const unusable = (message: string, hint = `send ${SUPPORTED}; for anything else: ffmpeg -i <file> -ac 1 -ar ${SPEECH_RATE} speech.wav`): TroupeError =>
  new TroupeError('InvalidMessage', message, hint, { supported: SUPPORTED })

/** Milliseconds of a sound. */
export const lengthMs = ({ frames, rate }: Sound): number => (1000 * frames) / rate

/** One sample, between -1 and 1. */
type ReadSample = (view: DataView, at: number) => number
const READ: Readonly<Record<Encoding, ReadSample>> = {
  u8: (view, at) => (view.getUint8(at) - 128) / 128,
  s16: (view, at) => view.getInt16(at, true) / 32_768,
  s24: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65_536) / 8_388_608,
  s32: (view, at) => view.getInt32(at, true) / 2_147_483_648,
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
}

/** Frames `from` to `to` as the mean of their channels; silence before the start and after the end. */
function mixed({ channels, encoding, data, frames }: Sound, from: number, to: number): Float32Array {
  const out = new Float32Array(to - from)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const read = READ[encoding]
  const size = BYTES[encoding]
  const end = Math.min(frames, to)
  for (let frame = Math.max(0, from); frame < end; frame++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) sum += read(view, (frame * channels + channel) * size)
    // A float file may hold what is no number; a model would answer with nothing but that.
    out[frame - from] = Number.isFinite(sum) ? sum / channels : 0
  }
  return out
}

/** Zero crossings of the filter on each side: more are sharper and slower; at 16 what folds back is below -60 dB. */
const CROSSINGS = 16
/** The filter's places between two frames; rates with more take the nearest. */
const PHASES_MAX = 640
/** The filter passes this share of what both rates can hold. */
const PASSED = 0.94
/** Samples between two pauses: about a millisecond of work. */
const BLOCK = 2048

/** How many samples a sound has at a rate. */
export const samplesAt = (sound: Sound, rate: number): number => Math.ceil((sound.frames * rate) / sound.rate)

/**
 * Samples `from` to `to` of a sound, as if the whole were resampled to `rate`: parts put together are the whole.
 * Yields often, so that it can pause between.
 */
export function* samplesOf(sound: Sound, rate: number, { from = 0, to = samplesAt(sound, rate) }: { readonly from?: number; readonly to?: number } = {}): Generator<void, Float32Array> {
  const out = new Float32Array(Math.max(0, to - from))
  const filter = sound.rate === rate ? undefined : filterFor(sound.rate, rate)
  for (let start = from; start < to; start += BLOCK) {
    const end = Math.min(to, start + BLOCK)
    out.set(filter === undefined ? mixed(sound, start, end) : filtered(sound, filter, start, end), start - from)
    yield
  }
  return out
}

interface Filter {
  /** Frames per sample. */
  readonly step: number
  readonly phases: number
  /** Frames that one sample looks at, each side. */
  readonly reach: number
  /** By phase, the weight of each of the `2 × reach` frames around. */
  readonly weights: Float32Array
}

/** A low-pass filter (a sinc under a Hann window) at every place between two frames where a sample may fall. */
function filterFor(from: number, to: number): Filter {
  const phases = Math.min(PHASES_MAX, to / divisor(from, to))
  const cutoff = Math.min(1, to / from) * PASSED
  const reach = Math.ceil(CROSSINGS / cutoff)
  const weights = new Float32Array(phases * 2 * reach)
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0
    const own = weights.subarray(phase * 2 * reach, (phase + 1) * 2 * reach)
    for (let i = 0; i < own.length; i++) {
      const x = i - reach + 1 - phase / phases
      const angle = Math.PI * x * cutoff
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle
      own[i] = Math.abs(x) >= reach ? 0 : sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / reach))
      sum += own[i] as number
    }
    for (let i = 0; i < own.length; i++) own[i] = (own[i] as number) / sum
  }
  return { step: from / to, phases, reach, weights }
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b))

function filtered(sound: Sound, { step, phases, reach, weights }: Filter, from: number, to: number): Float32Array {
  const first = Math.floor(from * step) - reach + 1
  const frames = mixed(sound, first, Math.floor((to - 1) * step) + reach + 2)
  const out = new Float32Array(to - from)
  for (let i = 0; i < out.length; i++) {
    const place = (from + i) * step
    let frame = Math.floor(place + 1e-9)
    let phase = Math.round((place - frame) * phases)
    if (phase === phases) {
      phase = 0
      frame++
    }
    const start = frame - reach + 1 - first
    const row = phase * 2 * reach
    let sum = 0
    for (let k = 0; k < 2 * reach; k++) sum += (weights[row + k] as number) * (frames[start + k] as number)
    out[i] = sum
  }
  return out
}

/** Samples as a WAV file of one channel, 16 bits a sample. */
export function toWav(samples: Float32Array, rate: number): Uint8Array {
  const bytes = new Uint8Array(44 + 2 * samples.length)
  const view = new DataView(bytes.buffer)
  const write = (at: number, text: string): void => bytes.set(Array.from(text, (letter) => letter.charCodeAt(0)), at)
  write(0, 'RIFF')
  view.setUint32(4, 36 + 2 * samples.length, true)
  write(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, PCM, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, rate, true)
  view.setUint32(28, 2 * rate, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  write(36, 'data')
  view.setUint32(40, 2 * samples.length, true)
  for (const [i, sample] of samples.entries()) view.setInt16(44 + 2 * i, Math.round(Math.min(1, Math.max(-1, sample)) * 32_767), true)
  return bytes
}
