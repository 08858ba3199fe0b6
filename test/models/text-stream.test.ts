import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TextStream } from '../../src/models/kernels/text-stream.js'

/** Tokens that are single bytes: every character of more than one byte is cut by token borders. */
const bytes = (ids: readonly number[]): string => Buffer.from(ids).toString('utf8')
const play = (text: string, stops: string[] = []): { parts: string[]; stream: TextStream } => {
  const stream = new TextStream(bytes, stops)
  const parts: string[] = []
  for (const id of Buffer.from(text)) {
    parts.push(stream.push(id))
    if (stream.stopped) return { parts, stream }
  }
  parts.push(stream.end())
  return { parts, stream }
}

describe('text as it comes', () => {
  test('adds up to the whole text, and no part holds half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (raw) => {
        const text = raw.toWellFormed()
        const { parts, stream } = play(text)
        expect(parts.join('')).toBe(text)
        expect(stream.text).toBe(text)
        if (!text.includes('\ufffd')) for (const part of parts) expect(part).not.toContain('\ufffd')
      }),
    )
  })

  test('holds Chinese and emoji back until they are whole', () => {
    expect(play('世🎉').parts).toEqual(['', '', '世', '', '', '', '🎉', ''])
  })

  test('gives what is no character at the end as the replacement character', () => {
    const stream = new TextStream(bytes)
    expect([stream.push(0x41), stream.push(0xe4), stream.end()]).toEqual(['A', '', '\ufffd'])
  })

  test('ends before the first stop string, wherever token borders fall, and never shows a part of it', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '世'), maxLength: 24 })
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '世'), minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(letters, stops, (text, list) => {
        const { parts, stream } = play(text, list)
        const ends = list.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)
        expect(stream.stopped).toBe(ends.length > 0)
        if (ends.length === 0) expect(parts.join('')).toBe(text)
        else {
          expect(text.startsWith(parts.join(''))).toBe(true)
          for (const stop of list) expect(parts.join('')).not.toContain(stop)
        }
      }),
    )
  })
})
