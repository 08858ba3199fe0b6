import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host, type SpeechPart } from 'troupe/models'
import { audio, memoryBlobs, type Audio, type AudioHeard, type AudioWritten, type Payload } from 'troupe/actors'
import { folderModel } from '../models/folder-model.js'
import type { Graph } from '../models/onnx.mjs'
import { parseWav, samplesOf } from '../../src/models/sound.js'
import { result, samplesFrom, SENTENCES, twoSentences, wav } from '../models/sound-makers.js'
import { FakeHost } from './ear-and-eye.js'

type AudioRef = Ref<(typeof Audio)['specs']>
const hasFfmpeg = spawnSync('ffmpeg', ['-version']).status === 0

async function heardIn(ref: AudioRef, sound: Payload): Promise<AudioHeard[]> {
  const chunks: AudioHeard[] = []
  for await (const chunk of ref.stream({ type: 'listen', audio: sound })) chunks.push(chunk)
  return chunks
}

/** The two sentences over and over, with silence between: speech for as long as one likes. */
function repeated(times: number): Uint8Array {
  const sound = parseWav(twoSentences())
  const once = result(samplesOf(sound, sound.rate))
  const all = new Float32Array(once.length * times)
  for (let i = 0; i < times; i++) all.set(once, i * once.length)
  return wav(all, { rate: sound.rate })
}

describe('audio', () => {
  const blobs = memoryBlobs()
  let host: Host
  let troupe: Troupe
  let ref: AudioRef
  beforeAll(async () => {
    host = await createHost()
    troupe = await createTroupe({ host })
    ref = troupe.spawn('audio', audio({ blobs }))
  })
  afterAll(async () => {
    await troupe.stop()
    await host.stop()
  })

  const expectSentences = (segments: readonly { startMs: number; endMs: number }[]): void => {
    expect(segments).toHaveLength(2)
    for (const [i, { startMs, endMs }] of SENTENCES.entries()) {
      expect(Math.abs((segments[i]?.startMs ?? NaN) - startMs)).toBeLessThan(200)
      expect(Math.abs((segments[i]?.endMs ?? NaN) - endMs)).toBeLessThan(200)
    }
  }

  test('finds speech in a message, and under a claim check', async () => {
    for (const sound of [twoSentences(), await blobs.put(twoSentences())]) {
      const { segments, lengthMs, speechMs } = await ref.ask({ type: 'detect', audio: sound })
      expectSentences(segments)
      expect(lengthMs).toBeCloseTo(4400, -1)
      expect(speechMs).toBeGreaterThan(2200)
    }
  })

  test('tells of each stretch of a long sound as it ends, and as the whole at once would', async () => {
    const times = 12
    const chunks = await heardIn(ref, repeated(times))
    const stretches = chunks.flatMap((chunk) => (chunk.kind === 'speech' ? [chunk] : []))
    expect(stretches.length).toBe(2 * times)
    expect(chunks.at(-1)).toMatchObject({ kind: 'done', stretches: 2 * times, lengthMs: expect.closeTo(times * 4400, -2) as number })
    for (const [i, { startMs, endMs }] of stretches.entries()) {
      const sentence = SENTENCES[i % 2] as (typeof SENTENCES)[0]
      const since = Math.floor(i / 2) * 4400
      expect(Math.abs(startMs - since - sentence.startMs)).toBeLessThan(250)
      expect(Math.abs(endMs - since - sentence.endMs)).toBeLessThan(250)
    }
  })

  test('with other ideas of a pause hears one stretch', async () => {
    const patient = troupe.spawn('patient', audio({ speech: { minSilenceMs: 1500 } }))
    expect((await patient.ask({ type: 'detect', audio: twoSentences() })).segments).toHaveLength(1)
  })

  test('refuses what is no sound, what is gone, and what it has no model for', async () => {
    await expect(ref.ask({ type: 'detect', audio: new TextEncoder().encode('ID3 and more') })).rejects.toMatchObject({ code: 'InvalidMessage', message: 'MP3 is not decoded here', hint: expect.stringContaining('WAV') as string })
    await expect(heardIn(ref, twoSentences().subarray(0, 9000))).rejects.toMatchObject({ code: 'InvalidMessage' })
    await expect(ref.ask({ type: 'detect', audio: { blob: `sha256:${'0'.repeat(64)}`, bytes: 1 } })).rejects.toMatchObject({ code: 'Gone' })
    await expect(ref.ask({ type: 'transcribe', audio: twoSentences() })).rejects.toMatchObject({ code: 'ModelNotFound', hint: "name one: audio({ transcribe: 'owner/name' })" })
    await expect(ref.ask({ type: 'speak', text: 'hello' })).rejects.toMatchObject({ code: 'ModelNotFound' })
    expect((await ref.ask({ type: 'detect', audio: wav(new Float32Array(0), { rate: 8000 }) })).segments).toEqual([])
  })

  test('makes a vector of a sound by a model from a folder', async () => {
    // Two numbers per moment: the mean of the samples, and the mean of their squares.
    const ears: Graph = {
      nodes: [
        ['Reshape', ['input_values', 'frames'], ['framed']],
        ['Mul', ['framed', 'framed'], ['squares']],
        ['ReduceMean', ['framed'], ['means'], { axes: [2], keepdims: 1 }],
        ['ReduceMean', ['squares'], ['loudness'], { axes: [2], keepdims: 1 }],
        ['Concat', ['means', 'loudness'], ['last_hidden_state'], { axis: 2 }],
      ],
      weights: [{ name: 'frames', type: 'int64', dims: [3], data: [1, -1, 320] }],
      inputs: [['input_values', 'float32', ['batch', 'samples']]],
      outputs: [['last_hidden_state', 'float32', ['batch', 'frames', 2]]],
    }
    const folder = folderModel({ graphs: { 'model.onnx': ears }, config: { model_type: 'wavlm' }, files: { 'preprocessor_config.json': { feature_extractor_type: 'Wav2Vec2FeatureExtractor' } } })
    for (const file of ['tokenizer.json', 'tokenizer_config.json']) rmSync(join(folder, file))
    const embedder = troupe.spawn('embedder', audio({ embed: folder }))
    const tone = wav(samplesFrom(1, 16_000, (at) => 0.5 * Math.sin(2 * Math.PI * 400 * at)), { rate: 16_000 })
    const { vector } = await embedder.ask({ type: 'embed', audio: tone })
    expect(Array.from(vector, (x) => Math.round(x * 100) / 100)).toEqual([0, 1])
    await expect(embedder.ask({ type: 'embed', audio: wav(new Float32Array(10), { rate: 16_000 }) })).rejects.toMatchObject({ code: 'InvalidMessage' })
    rmSync(folder, { recursive: true })
  })
})

describe('with models of the user', () => {
  /** Speech where the middle of a window is loud, and words that say how long the sound was. */
  const host = new FakeHost({
    detectSpeech: ({ inputs }) => {
      const { samples, carry, more } = inputs[0] as SpeechPart
      const since = ((carry as { since?: number } | undefined)?.since ?? 0) + samples.length / 16
      const segments = (samples[samples.length >> 1] as number) > 0.4 ? [{ startMs: since - samples.length / 16 + 100, endMs: since - 100, score: 0.9 }] : []
      return [{ segments, ...(more === true && { carry: { since } }) }]
    },
    transcribe: ({ inputs, language }) => {
      const seconds = (inputs[0] as Float32Array).length / 16_000
      return [language === 'fr' ? { text: `${seconds} secondes`, segments: [] } : { text: 'one two', segments: [{ text: 'one', start: 0, end: 0.5 }, { text: 'two', start: 0.5, end: null }] }]
    },
    speak: () => [{ samples: Float32Array.from({ length: 800 }, (_, i) => Math.sin(i)), rate: 8000 }],
  })
  const blobs = memoryBlobs()
  let troupe: Troupe
  let ref: AudioRef
  beforeAll(async () => {
    troupe = await createTroupe({ host })
    ref = troupe.spawn('audio', audio({ transcribe: 'whisper', speak: 'vits', blobs }))
  })
  afterAll(() => troupe.stop())

  /** Loud in these windows of ten seconds. */
  const loudIn = (...windows: readonly number[]): Uint8Array => wav(samplesFrom(60, 1000, (at) => (windows.includes(Math.floor(at / 10)) ? 0.5 : 0)), { rate: 1000 })

  test('stretches near each other are transcribed in one go, others apart, at their times', async () => {
    const before = host.asked.length
    const { text, said } = await ref.ask({ type: 'transcribe', audio: loudIn(0, 1, 4), language: 'fr' })
    expect(text).toBe('19.8 secondes 9.8 secondes')
    expect(said.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([[100, 19_900], [40_100, 49_900]])
    expect(host.asked.slice(before).map(({ task }) => task).join(' ')).toBe('detectSpeech detectSpeech detectSpeech detectSpeech detectSpeech transcribe detectSpeech transcribe')
  })

  test('what a model says of times counts from the start of the sound', async () => {
    const { said } = await ref.ask({ type: 'transcribe', audio: loudIn(2) })
    expect(said).toEqual([{ text: 'one', startMs: 20_100, endMs: 20_600 }, { text: 'two', startMs: 20_600, endMs: 29_900 }])
  })

  test('dictation comes part by part, then whole', async () => {
    const chunks: AudioWritten[] = []
    for await (const chunk of ref.stream({ type: 'dictate', audio: loudIn(0, 5), language: 'fr' })) chunks.push(chunk)
    expect(chunks).toEqual([
      { kind: 'said', text: '9.8 secondes', startMs: 100, endMs: 9900 },
      { kind: 'said', text: '9.8 secondes', startMs: 50_100, endMs: 59_900 },
      { kind: 'done', text: '9.8 secondes 9.8 secondes', lengthMs: 60_000 },
    ])
  })

  test('a reader who leaves spares the rest', async () => {
    const before = host.asked.length
    for await (const chunk of ref.stream({ type: 'listen', audio: wav(samplesFrom(3000, 1000, () => 0.5), { rate: 1000 }) })) {
      expect(chunk.kind).toBe('speech')
      break
    }
    // The next is served, and the 300 windows of the first are not all asked for.
    await ref.ask({ type: 'transcribe', audio: loudIn(0), language: 'fr' })
    expect(host.asked.length - before).toBeLessThan(100)
  })

  test('a text aloud is a WAV file, or the ref of one', async () => {
    const spoken = await ref.ask({ type: 'speak', text: 'hello' })
    expect(parseWav(spoken.audio)).toMatchObject({ rate: 8000, frames: 800 })
    expect(spoken.lengthMs).toBe(100)
    const stored = await ref.ask({ type: 'speak', text: 'hello', blob: true })
    expect(await blobs.get(stored.audio as Exclude<Payload, Uint8Array>)).toEqual(spoken.audio)
  })
})

describe('the sound of a video', () => {
  let troupe: Troupe
  beforeAll(async () => {
    troupe = await createTroupe()
  })
  afterAll(() => troupe.stop())

  test('where ffmpeg is not installed says how to install it', async () => {
    const ref = troupe.spawn('no-ffmpeg', audio({ ffmpeg: '/nowhere/ffmpeg' }))
    await expect(ref.ask({ type: 'extract', video: Uint8Array.of(1) })).rejects.toMatchObject({ code: 'MissingDependency', hint: expect.stringContaining('brew install ffmpeg') as string })
  })

  test.skipIf(!hasFfmpeg)('where it is comes as speech is heard', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-sound-track-'))
    writeFileSync(join(folder, 'speech.wav'), twoSentences())
    spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'color=size=64x64:rate=5:duration=4.4', '-i', join(folder, 'speech.wav'), '-pix_fmt', 'yuv420p', join(folder, 'speech.mp4')])
    const blobs = memoryBlobs()
    const ref = troupe.spawn('audio', audio({ blobs }))
    const { audio: track, lengthMs } = await ref.ask({ type: 'extract', video: new Uint8Array(readFileSync(join(folder, 'speech.mp4'))), blob: true })
    expect(lengthMs).toBeGreaterThan(4300)
    expect((await ref.ask({ type: 'detect', audio: track })).segments).toHaveLength(2)
    await expect(ref.ask({ type: 'extract', video: Uint8Array.of(1, 2, 3) })).rejects.toMatchObject({ code: 'InvalidMessage' })
    rmSync(folder, { recursive: true })
  })
})
