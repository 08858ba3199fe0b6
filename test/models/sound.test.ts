// WAV files to samples, without a model.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseWav, samplesAt, samplesOf, toWav } from '../../src/models/sound.js'
import { TroupeError } from '../../src/ground/errors.js'
import { noise, result, samplesFrom, twoSentences, wav, type Encoding } from './sound-makers.js'

const tone = (hertz: number, rate: number, seconds = 0.5): Float32Array => samplesFrom(seconds, rate, (at) => 0.8 * Math.sin(2 * Math.PI * hertz * at))
const loudness = (samples: Float32Array): number => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length)

/** The largest difference, away from the ends, where a filter has nothing to look at. */
function difference(a: Float32Array, b: Float32Array, margin = 100): number {
  let most = 0
  for (let i = margin; i < Math.min(a.length, b.length) - margin; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)))
  return most
}

describe('a WAV file', () => {
  const precision: [Encoding, number][] = [['u8', 0.011], ['s16', 0.0001], ['s24', 0.000001], ['s32', 0.000001], ['f32', 0], ['f64', 0]]

  test.each(precision)('of %s samples reads as it was written', (encoding, most) => {
    const samples = tone(440, 16_000)
    for (const how of [{}, { extensible: true }, { stranger: true }]) {
      const sound = parseWav(wav(samples, { rate: 16_000, encoding, ...how }))
      expect(sound).toMatchObject({ rate: 16_000, channels: 1, frames: samples.length, encoding })
      expect(difference(result(samplesOf(sound, 16_000)), samples, 0)).toBeLessThanOrEqual(most)
    }
  })

  test('of several channels is mixed to their mean', () => {
    const samples = tone(440, 16_000)
    const mixed = result(samplesOf(parseWav(wav(samples, { rate: 16_000, channels: [1, 0.5, 0] })), 16_000))
    expect(difference(mixed, samples.map((x) => x / 2), 0)).toBeLessThan(0.0002)
  })

  test('of unknown length, as a pipe leaves it, is read to its end', () => {
    for (const declared of [0, 0xffffffff]) expect(parseWav(wav(tone(440, 16_000), { rate: 16_000, declared })).frames).toBe(8000)
  })

  test('of floats that are no numbers gives silence there', () => {
    const samples = Float32Array.of(0.5, NaN, Infinity, -0.5)
    expect(result(samplesOf(parseWav(wav(samples, { rate: 16_000, encoding: 'f32' })), 16_000))).toEqual(Float32Array.of(0.5, 0, 0, -0.5))
  })

  test('written by ourselves reads back', () => {
    const samples = tone(300, 22_050)
    expect(difference(result(samplesOf(parseWav(toWav(samples, 22_050)), 22_050)), samples, 0)).toBeLessThan(0.0001)
    expect(Array.from(result(samplesOf(parseWav(toWav(Float32Array.of(9, -9), 16_000)), 16_000)))).toEqual([32_767 / 32_768, -32_767 / 32_768])
  })
})

describe('another rate', () => {
  test.each([8000, 11_025, 22_050, 44_100, 48_000, 96_000, 12_345])('from %i Hz keeps a tone that both hold', (rate) => {
    const given = result(samplesOf(parseWav(wav(tone(1000, rate), { rate, encoding: 'f32' })), 16_000))
    expect(Math.abs(given.length - 8000)).toBeLessThanOrEqual(1)
    expect(difference(given, tone(1000, 16_000))).toBeLessThan(0.004)
  })

  test.each([44_100, 48_000])('from %i Hz drops what it cannot hold instead of folding it back', (rate) => {
    const given = result(samplesOf(parseWav(wav(tone(11_000, rate), { rate, encoding: 'f32' })), 16_000))
    expect(loudness(given.subarray(200, -200))).toBeLessThan(0.001)
  })

  test('in parts gives what the whole gives', () => {
    const next = noise()
    fc.assert(
      fc.property(fc.constantFrom(8000, 11_025, 44_100, 48_000), fc.array(fc.nat(9000), { maxLength: 5 }), (rate, cuts) => {
        const sound = parseWav(wav(samplesFrom(0.4, rate, () => next() * 0.5), { rate, encoding: 'f32' }))
        const whole = result(samplesOf(sound, 16_000))
        const ends = [0, ...cuts.map((cut) => cut % whole.length).sort((a, b) => a - b), samplesAt(sound, 16_000)]
        const parts = ends.slice(1).flatMap((to, i) => Array.from(result(samplesOf(sound, 16_000, { from: ends[i] as number, to }))))
        expect(Float32Array.from(parts)).toEqual(whole)
      }),
      { numRuns: 25 },
    )
  })
})

describe('what is no WAV file', () => {
  const text = (...parts: (string | number)[]): Uint8Array => Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.alloc(part))))
  const good = twoSentences()

  test.each([
    ['nothing', new Uint8Array(), /no sound of a known format/],
    ['a path', 'speech.wav', /not string/],
    ['an MP3 file', text('ID3', 100), /^MP3 is not decoded here/],
    ['an Ogg file', text('OggS', 100), /^Ogg is not decoded here/],
    ['an MP4 file', text(4, 'ftypM4A ', 100), /^MP4 is not decoded here/],
    ['a FLAC file', text('fLaC', 100), /^FLAC is not decoded here/],
    ['half a file', good.subarray(0, good.length / 2), /cut off: it says 97020 bytes of samples and has/],
    ['a header alone', good.subarray(0, 20), /cut off within its format|says nothing about its format/],
    ['a header without samples', good.subarray(0, 36), /has no samples/],
    ['samples before their format', text('RIFF', 4, 'WAVEdata', 40), /samples before their format/],
  ])('%s is refused and says why', (_, bytes, message) => {
    const refusal = ((): unknown => {
      try {
        return parseWav(bytes)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(refusal).toMatchObject({ code: 'InvalidMessage', message: expect.stringMatching(message) as string })
  })

  test('never does anything but read or refuse, whatever its bytes', () => {
    const tries = fc.tuple(fc.nat(43), fc.uint8Array({ maxLength: 12 }), fc.nat(300))
    fc.assert(
      fc.property(tries, ([at, bytes, cut]) => {
        const broken = good.slice(0, 44 + cut)
        broken.set(bytes.subarray(0, broken.length - at), at)
        try {
          const sound = parseWav(broken)
          expect(sound.data.length).toBeLessThanOrEqual(broken.length)
          result(samplesOf(sound, 16_000, { to: Math.min(1000, samplesAt(sound, 16_000)) }))
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(TroupeError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})
