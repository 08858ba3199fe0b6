// Sounds for tests: made, not recorded. The one with speech in it says in make.mjs beside it how it was made.
import { readFileSync } from 'node:fs'

export const twoSentences = (): Uint8Array => new Uint8Array(readFileSync(new URL('../fixtures/speech/two-sentences.wav', import.meta.url)))
/** When the sentences of `twoSentences` were put there. */
export const SENTENCES = [
  { startMs: 500, endMs: 1393 },
  { startMs: 2300, endMs: 3796 },
] as const

export const samplesFrom = (seconds: number, rate: number, at: (second: number, i: number) => number): Float32Array => Float32Array.from({ length: Math.round(seconds * rate) }, (_, i) => at(i / rate, i))

/** White noise that is always the same. */
export function noise(seed = 1): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 31 - 1
}

export type Encoding = 'u8' | 's16' | 's24' | 's32' | 'f32' | 'f64'
const WRITE: Readonly<Record<Encoding, readonly [bytes: number, kind: number, write: (view: DataView, at: number, sample: number) => void]>> = {
  u8: [1, 1, (view, at, sample) => view.setUint8(at, Math.round(sample * 127 + 128))],
  s16: [2, 1, (view, at, sample) => view.setInt16(at, Math.round(sample * 32_767), true)],
  s24: [3, 1, (view, at, sample) => {
    const value = Math.round(sample * 8_388_607)
    view.setUint8(at, value & 255)
    view.setInt16(at + 1, value >> 8, true)
  }],
  s32: [4, 1, (view, at, sample) => view.setInt32(at, Math.round(sample * 2_147_483_647), true)],
  f32: [4, 3, (view, at, sample) => view.setFloat32(at, sample, true)],
  f64: [8, 3, (view, at, sample) => view.setFloat64(at, sample, true)],
}

export interface Written {
  readonly rate: number
  readonly encoding?: Encoding
  /** How loud each channel has the sound. */
  readonly channels?: readonly number[]
  /** As newer writers do, with the kind of samples in an id. */
  readonly extensible?: boolean
  /** Bytes that the header says, in place of those that are there. */
  readonly declared?: number
  /** A chunk that nobody knows, before the samples. */
  readonly stranger?: boolean
}

/** A WAV file. */
export function wav(samples: Float32Array, { rate, encoding = 's16', channels = [1], extensible = false, declared, stranger = false }: Written): Uint8Array {
  const [size, kind, write] = WRITE[encoding]
  const data = new DataView(new ArrayBuffer(samples.length * channels.length * size))
  for (const [i, sample] of samples.entries()) for (const [c, loudness] of channels.entries()) write(data, (i * channels.length + c) * size, sample * loudness)
  const format = Buffer.alloc(extensible ? 40 : 16)
  format.writeUInt16LE(extensible ? 0xfffe : kind, 0)
  format.writeUInt16LE(channels.length, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt32LE(rate * channels.length * size, 8)
  format.writeUInt16LE(channels.length * size, 12)
  format.writeUInt16LE(size * 8, 14)
  if (extensible) format.writeUInt16LE(kind, 24)
  const chunk = (name: string, body: Uint8Array, length = body.length): Buffer => {
    const head = Buffer.alloc(8)
    head.write(name, 0)
    head.writeUInt32LE(length, 4)
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)])
  }
  const body = Buffer.concat([Buffer.from('WAVE'), chunk('fmt ', format), ...(stranger ? [chunk('LIST', Buffer.from('odd'))] : []), chunk('data', new Uint8Array(data.buffer), declared)])
  return new Uint8Array(chunk('RIFF', body).subarray(0, 8 + body.length))
}

/** What a generator that yields often gives in the end. */
export function result<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}
