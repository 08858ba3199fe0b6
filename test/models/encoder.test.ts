import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'

const ENCODER = 'embedded:encoder'
const cosine = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)
let host: Host

beforeAll(async () => {
  host = await createHost()
})
afterAll(() => host.stop())

describe('embedding', () => {
  test('gives one vector of length 1 per text, near for near meanings', async () => {
    const [parcel, parcelAgain, weather] = (await host.embed(ENCODER, ['How do I return a parcel?', 'I want to send my parcel back', 'The weather in Paris is nice'])) as [Float32Array, Float32Array, Float32Array]
    expect(parcel).toBeInstanceOf(Float32Array)
    expect(parcel).toHaveLength(320)
    expect(cosine(parcel, parcel)).toBeCloseTo(1, 5)
    expect(cosine(parcel, parcelAgain)).toBeGreaterThan(cosine(parcel, weather))
  })

  test('gives a text about the same vector alone and among strangers, whoever else is served', async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `${'a rather longer question about '.repeat(i % 4)}order number ${i}`)
    const alone: Float32Array[] = []
    for (const text of texts) alone.push(...(await host.embed(ENCODER, text)))
    const together = await Promise.all(texts.map(async (text) => (await host.embed(ENCODER, [text]))[0] as Float32Array))
    for (const [i, vector] of together.entries()) expect(cosine(vector, alone[i] as Float32Array)).toBeGreaterThan(0.995)
  })

  test('hands out vectors that share no memory', async () => {
    const vectors = await host.embed(ENCODER, ['one', 'two', 'three'])
    expect(new Set(vectors.map(({ buffer }) => buffer)).size).toBe(3)
    for (const vector of vectors) expect(vector.buffer.byteLength).toBe(4 * 320)
  })

  test('takes the first token, no scaling, or fewer numbers when asked', async () => {
    const [mean] = (await host.embed(ENCODER, 'hello')) as [Float32Array]
    const [first] = (await host.embed(ENCODER, 'hello', { pooling: 'cls' })) as [Float32Array]
    const [raw] = (await host.embed(ENCODER, 'hello', { normalize: false })) as [Float32Array]
    const [short] = (await host.embed(ENCODER, 'hello', { dimensions: 64 })) as [Float32Array]
    expect(cosine(mean, first)).toBeLessThan(0.999)
    expect(Math.abs(cosine(raw, raw) - 1)).toBeGreaterThan(0.01)
    expect(short).toHaveLength(64)
    expect(cosine(short, short)).toBeCloseTo(1, 5)
  })

  test('cuts a text beyond 512 tokens, or refuses it when told to', async () => {
    const long = 'parcels and orders '.repeat(2_000)
    expect(await host.embed(ENCODER, long)).toHaveLength(1)
    await expect(host.embed(ENCODER, ['short', long], { overlong: 'refuse' })).rejects.toMatchObject({ code: 'InvalidMessage', details: { index: 1 } })
    const strangers = Promise.all([host.embed(ENCODER, 'short', { overlong: 'refuse' }), host.embed(ENCODER, long, { overlong: 'refuse' }).catch(() => 'refused')])
    expect(await strangers).toEqual([expect.anything(), 'refused'])
    const [understood] = await host.understand(ENCODER, long)
    expect(understood).toMatchObject({ truncated: true, tokens: 512 })
  })

  test('takes an empty list, an empty text, and half a character', async () => {
    expect(await host.embed(ENCODER, [])).toEqual([])
    expect(await host.embed(ENCODER, '')).toHaveLength(1)
    expect(await host.embed(ENCODER, '\ud83d')).toHaveLength(1)
  })

  test('can be asked for by name, and read one result at a time', async () => {
    const seen: unknown[] = []
    for await (const part of host.infer('embed', ENCODER, ['one', 'two'])) seen.push(part)
    expect(seen).toHaveLength(2)
    expect(await host.infer('embed', ENCODER, { texts: ['one'], dimensions: 8 })).toMatchObject([{ length: 8 }])
  })
})

describe('understanding', () => {
  test('gives the vector of embedding, and entities, from one pass', async () => {
    const text = 'Book a table for four at 7 pm in Paris for Ada Lovelace'
    const [understood] = await host.understand(ENCODER, text)
    const [vector] = (await host.embed(ENCODER, text)) as [Float32Array]
    expect(cosine(understood?.vector as Float32Array, vector)).toBeGreaterThan(0.999)
    expect(understood?.entities).toEqual(expect.arrayContaining([expect.objectContaining({ type: 'time', value: '7 pm', start: 25, end: 29 }), expect.objectContaining({ type: 'place', value: 'Paris' })]))
    expect((await host.tag(ENCODER, text))[0]?.entities.map(({ value }) => value)).toEqual(understood?.entities.map(({ value }) => value))
  })

  test('places entities exactly, after emoji, accents, Chinese and control tokens', async () => {
    const texts = [
      '🎉 Meet me in Paris at 7 pm',
      'I want to fly from Boston to Denver on Friday at 7 pm 👩‍👩‍👧 🛫',
      'Élodie naïvely flew to Zürich on Friday 🛫 with 25 friends',
      '请帮我预订明天晚上七点北京的餐厅，谢谢 🙏 John Smith',
      '<s>Paris</s> <|end|> London at 5 pm \ud83d broken',
      'e\u0301clair in São Paulo for $20 at 6 pm',
    ]
    const all = await host.understand(ENCODER, texts)
    expect(all.flatMap(({ entities }) => entities).length).toBeGreaterThan(5)
    for (const [i, { entities }] of all.entries()) {
      for (const { value, start, end } of entities) {
        expect(texts[i]?.slice(start, end)).toBe(value)
        expect(value).toBe(value.trim())
        expect(value.isWellFormed()).toBe(true)
      }
    }
    expect(all[0]?.entities.map(({ value }) => value)).toEqual(['Paris'])
    expect(all[1]?.entities.map(({ value }) => value)).toEqual(expect.arrayContaining(['Boston', 'Denver']))
  })

  test('does not cut an entity in the middle of a word', async () => {
    const text = 'Please call Ada Lovelace and Wilhelmina Featherstonehaugh about Llanfairpwllgwyngyll tomorrow'
    const [understood] = await host.understand(ENCODER, text)
    for (const { start, end } of understood?.entities ?? []) {
      expect(text.slice(start - 1, start)).not.toMatch(/\w/)
      expect(text.slice(end, end + 1)).not.toMatch(/\w/)
    }
  })
})

test('a task that the model cannot do, or that nobody knows, is refused', async () => {
  await expect(host.infer('knit', ENCODER, ['a'])).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'unsupported-task' } })
  await expect(host.tag('embedded:generator', 'a')).rejects.toMatchObject({ code: 'ModelFailed' })
  await expect(host.generate(ENCODER, { prompt: 'a' })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'unsupported-task' } })
  await expect(host.embed(ENCODER, [7 as unknown as string])).rejects.toMatchObject({ code: 'InvalidMessage' })
  expect(await host.embed(ENCODER, 'still here')).toHaveLength(1)
})
