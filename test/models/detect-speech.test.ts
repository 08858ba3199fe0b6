// Hearing where somebody speaks, with the weights of @ricky0123/vad-web.
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHost, type Host, type SpeechCarry, type SpeechFound, type SpeechOptions, type SpeechSegment } from 'troupe/models'
import { ended, heard, noSpeech } from '../../src/models/kernels/detect-speech-segments.js'
import { parseWav, samplesOf } from '../../src/models/sound.js'
import { noise, result, samplesFrom, SENTENCES, twoSentences, wav, type Written } from './sound-makers.js'

const MODEL = 'package:@ricky0123/vad-web'
const RATE = 16_000

let host: Host
beforeAll(async () => {
  host = await createHost()
  await host.warm(MODEL)
})
afterAll(() => host.stop())

const samplesIn = (file: Uint8Array): Float32Array => result(samplesOf(parseWav(file), RATE))

async function detect(samples: unknown, options: SpeechOptions = {}): Promise<readonly SpeechSegment[]> {
  const [found] = (await host.infer('detectSpeech', MODEL, { inputs: [samples], ...options })) as SpeechFound[]
  return (found as SpeechFound).segments
}

function expectSentences(segments: readonly SpeechSegment[], within = 200): void {
  expect(segments).toHaveLength(SENTENCES.length)
  for (const [i, { startMs, endMs }] of SENTENCES.entries()) {
    const segment = segments[i] as SpeechSegment
    expect(Math.abs(segment.startMs - startMs), JSON.stringify(segments)).toBeLessThan(within)
    expect(Math.abs(segment.endMs - endMs), JSON.stringify(segments)).toBeLessThan(within)
    expect(segment.score).toBeGreaterThan(0.8)
  }
}

describe('speech', () => {
  test('is found where it is', async () => {
    const segments = await detect(samplesIn(twoSentences()))
    console.log(segments.map(({ startMs, endMs, score }) => `${startMs} to ${endMs} ms (${score.toFixed(2)})`).join(', '))
    expectSentences(segments)
  })

  test('is found in parts as in the whole, wherever they are cut', async () => {
    const samples = samplesIn(twoSentences())
    const whole = await detect(samples)
    for (const length of [700, 4321, 16_000, 30_001]) {
      const segments: SpeechSegment[] = []
      let carry: SpeechCarry | undefined
      for (let at = 0; at < samples.length; at += length) {
        const more = at + length < samples.length
        const [found] = (await host.infer('detectSpeech', MODEL, { inputs: [{ samples: samples.slice(at, at + length), more, ...(carry && { carry }) }] })) as [SpeechFound]
        segments.push(...found.segments)
        carry = found.carry
      }
      expect(carry).toBeUndefined()
      expect(segments).toEqual(whole)
    }
  })

  const others: [string, Written][] = [
    ['8 bits', { rate: RATE, encoding: 'u8' }],
    ['24 bits in stereo', { rate: RATE, encoding: 's24', channels: [1, 0.4] }],
    ['floats at 48 kHz', { rate: 48_000, encoding: 'f32' }],
    ['44.1 kHz, one channel of three silent', { rate: 44_100, channels: [1, 1, 0] }],
    ['8 kHz, as on the telephone', { rate: 8000 }],
  ]
  test.each(others)('is found in a file of %s', async (_, how) => {
    const samples = result(samplesOf(parseWav(twoSentences()), how.rate))
    expectSentences(await detect(samplesIn(wav(samples, how))), 250)
  })

  test('is found when it is quiet, and when it is noisy', async () => {
    const next = noise()
    const samples = samplesIn(twoSentences())
    expectSentences(await detect(samples.map((x) => x * 0.1)), 300)
    expectSentences(await detect(samples.map((x) => x + next() * 0.01)), 300)
  })

  test('is one stretch when pauses may be longer, and cut when stretches must be shorter', async () => {
    const samples = samplesIn(twoSentences())
    expect(await detect(samples, { minSilenceMs: 1500 })).toHaveLength(1)
    const short = await detect(samples, { segmentMaxMs: 600, padMs: 0 })
    expect(short.length).toBeGreaterThan(3)
    for (const { startMs, endMs } of short) expect(endMs - startMs).toBeLessThanOrEqual(608)
  })

  test('of many callers at once stays with each of them', async () => {
    const samples = samplesIn(twoSentences())
    const silence = new Float32Array(RATE)
    const all = await Promise.all([samples, silence, samples, silence].map((each) => detect(each)))
    expect(all.map((segments) => segments.length)).toEqual([2, 0, 2, 0])
    expect(all[0]).toEqual(all[2])
  })
})

describe('no speech', () => {
  const next = noise()
  test.each([
    ['silence', samplesFrom(3, RATE, () => 0)],
    ['no sound at all', new Float32Array(0)],
    ['a few samples', new Float32Array(10)],
    ['a tone', samplesFrom(3, RATE, (at) => 0.5 * Math.sin(2 * Math.PI * 440 * at))],
    ['a chord', samplesFrom(3, RATE, (at) => [262, 330, 392].reduce((sum, hertz) => sum + 0.2 * Math.sin(2 * Math.PI * hertz * at), 0))],
    ['white noise', samplesFrom(3, RATE, () => next() * 0.3)],
    ['the hum of the mains', samplesFrom(3, RATE, (at) => 0.4 * Math.sin(2 * Math.PI * 50 * at) + 0.1 * Math.sin(2 * Math.PI * 150 * at))],
    ['a click each half second', samplesFrom(3, RATE, (_, i) => (i % 8000 < 20 ? 0.9 : 0))],
  ])('is found in %s', async (_, samples) => {
    expect(await detect(samples)).toEqual([])
  })

  test('is looked for in what is no sound', async () => {
    for (const input of ['text', null, {}, [1, 2]]) await expect(detect(input)).rejects.toMatchObject({ code: 'InvalidMessage' })
    await expect(detect(new Float32Array(RATE * 601))).rejects.toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('in parts') as string })
  })
})

describe('from likelihoods to stretches', () => {
  const FRAME_MS = 32
  const stretches = (likelihoods: readonly number[], options: SpeechOptions = {}): SpeechSegment[] => {
    const state = noSpeech()
    const found = likelihoods.flatMap((likelihood) => heard(state, likelihood, FRAME_MS, options) ?? [])
    return [...found, ...[ended(state, FRAME_MS, options) ?? []].flat()]
  }
  const frames = (...parts: readonly (readonly [count: number, likelihood: number])[]): number[] => parts.flatMap(([count, likelihood]) => Array.from({ length: count }, () => likelihood))

  test('a doubtful frame goes on with speech but does not begin it', () => {
    expect(stretches(frames([20, 0.4]))).toEqual([])
    expect(stretches(frames([10, 0.9], [20, 0.4], [10, 0.9], [20, 0]), { padMs: 0 })).toMatchObject([{ startMs: 0, endMs: 40 * FRAME_MS }])
  })

  test('a short pause does not part it, a short noise is none', () => {
    expect(stretches(frames([10, 0.9], [8, 0], [10, 0.9], [20, 0]))).toHaveLength(1)
    expect(stretches(frames([10, 0.9], [10, 0], [10, 0.9], [20, 0]))).toHaveLength(2)
    expect(stretches(frames([10, 0], [5, 0.9], [20, 0]))).toEqual([])
  })

  test('a long one is cut at its quietest moment', () => {
    const long = [...frames([70, 0.9]), 0.6, ...frames([50, 0.9], [20, 0])]
    expect(stretches(long, { segmentMaxMs: 100 * FRAME_MS, padMs: 0 }).map(({ startMs, endMs }) => [startMs / FRAME_MS, endMs / FRAME_MS])).toEqual([[0, 71], [71, 121]])
  })

  test('they are in order, apart, within the sound, and no longer than they may be, whatever was heard', () => {
    const options = fc.record({ minSpeechMs: fc.nat(400), minSilenceMs: fc.integer({ min: 32, max: 600 }), padMs: fc.nat(200), segmentMaxMs: fc.integer({ min: 320, max: 3000 }) })
    const runs = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0, max: 1, noNaN: true })), { maxLength: 12 })
    fc.assert(
      fc.property(runs, options, (parts, how) => {
        const likelihoods = frames(...parts)
        let last = 0
        for (const { startMs, endMs, score } of stretches(likelihoods, how)) {
          expect(startMs).toBeGreaterThanOrEqual(last)
          expect(endMs).toBeGreaterThanOrEqual(startMs)
          expect(endMs).toBeLessThanOrEqual(likelihoods.length * FRAME_MS)
          expect(endMs - startMs).toBeLessThanOrEqual(how.segmentMaxMs + 2 * how.padMs + FRAME_MS)
          expect(score >= 0 && score <= 1.000001).toBe(true)
          last = endMs
        }
      }),
      { numRuns: 300 },
    )
  })
})
