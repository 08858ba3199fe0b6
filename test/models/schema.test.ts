import { createRequire } from 'node:module'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHost, type Host, type JsonSchema } from 'troupe/models'
import { bounded } from '../../src/models/json-schema.js'
import { numberRule, type NumberRange } from '../../src/models/number-grammar.js'

/** Grammars need an optional dependency. */
const installed = ((): boolean => {
  try {
    createRequire(import.meta.url).resolve('@mlc-ai/web-xgrammar')
    return true
  } catch {
    return false
  }
})()

/** The same language as an expression of a grammar, as far as number rules use it. */
const asPattern = (rule: string): RegExp => new RegExp(`^(?:${rule.replaceAll(/"([^"]*)"/g, (_, text: string) => text.replaceAll('.', String.raw`\.`)).replaceAll(' ', '')})$`)

describe('the grammar of a range of numbers', () => {
  const range = fc.tuple(fc.integer({ min: -20_000, max: 20_000 }), fc.integer({ min: 0, max: 20_000 }), fc.boolean()).map(([low, span, whole]): NumberRange => ({ low, high: low + span, whole }))

  test('takes every whole number of the range and no other', () => {
    fc.assert(
      fc.property(range, fc.array(fc.integer({ min: -30_000, max: 30_000 }), { maxLength: 20 }), ({ low, high, whole }, tries) => {
        const pattern = asPattern(numberRule({ low, high, whole }) ?? '(?!)')
        for (const each of [...tries, low, high, low - 1, high + 1]) expect(pattern.test(String(each)), `${each} in ${low}..${high}`).toBe(each >= low && each <= high)
      }),
    )
  })

  test('takes no decimals beyond the range', () => {
    fc.assert(
      fc.property(range, fc.array(fc.tuple(fc.integer({ min: -25_000, max: 25_000 }), fc.integer({ min: 1, max: 999 })), { maxLength: 20 }), ({ low, high }, tries) => {
        const pattern = asPattern(numberRule({ low, high, whole: false }) ?? '(?!)')
        for (const [whole, thousandths] of tries) {
          const text = `${whole}.${String(thousandths).padStart(3, '0')}`
          if (pattern.test(text)) expect(Number(text) >= low && Number(text) <= high, `${text} in ${low}..${high}`).toBe(true)
        }
      }),
    )
    expect(asPattern(numberRule({ low: 0, high: 1, whole: false }) ?? '').test('0.25')).toBe(true)
    expect(asPattern(numberRule({ low: -3, high: 70, whole: false }) ?? '').test('-2.5')).toBe(true)
    expect(numberRule({ low: 0.2, high: 0.8, whole: true })).toBeUndefined()
  })
})

describe('a schema made fit to constrain text', () => {
  test('has a bound on everything that had none', () => {
    const { schema, numbers } = bounded({ type: 'object', properties: { name: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } }, age: { type: 'integer', minimum: 0 } } }, 200)
    const { name, tags, age } = schema['properties'] as Record<string, JsonSchema>
    expect(name?.['maxLength']).toBeGreaterThan(10)
    expect(tags?.['maxItems']).toBeGreaterThan(0)
    expect(JSON.stringify(tags?.['items'])).toContain('maxLength')
    expect(age).toEqual({ const: numbers[0]?.stand })
    expect(schema['additionalProperties']).toBe(false)
  })

  test.each<[JsonSchema, string]>([
    [{ not: { type: 'string' } }, '#/not'],
    [{ type: 'object' }, '#'],
    [{ type: 'object', properties: { a: { type: 'integer', multipleOf: 3 } } }, '#/properties/a/multipleOf'],
    [{ type: 'object', properties: {}, additionalProperties: { type: 'string' } }, '#/additionalProperties'],
    [{ $ref: '#/$defs/nowhere' }, '#/$ref'],
    [{ type: 'string', pattern: '^a+$', maxLength: 3 }, '#'],
  ])('is refused where it says what cannot be enforced: %j', (schema, path) => {
    expect(() => bounded(schema, 100)).toThrow(expect.objectContaining({ code: 'InvalidMessage', details: { path, reason: 'schema' } }))
  })
})

test('a schema and a stop string, which would cut its JSON, are refused together', async () => {
  const host = await createHost()
  await expect(host.generate('embedded:generator', { prompt: 'a', schema: { type: 'string' }, stop: '"' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  await host.stop()
})

describe.skipIf(!installed)('text under a schema', () => {
  let host: Host
  beforeAll(async () => {
    host = await createHost()
  })
  afterAll(() => host.stop())
  const messages = [{ role: 'user', content: 'Tell me about Ada Lovelace, who was born in 1815.' }]

  test('always is what the schema describes, greedy or drawn, also from a model that never learnt JSON', async () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: { name: { type: 'string' }, born: { type: 'integer', minimum: 1800, maximum: 1899 }, score: { type: 'number', minimum: 0, maximum: 1 }, kind: { enum: ['person', '人', '🎉'] }, tags: { type: 'array', items: { type: 'string' } }, note: { $ref: '#/$defs/note' } },
      required: ['name', 'born', 'score', 'kind', 'tags', 'note'],
      $defs: { note: { anyOf: [{ type: 'null' }, { type: 'string', maxLength: 12 }] } },
    }
    const drawn = Array.from({ length: 8 }, (_, seed) => host.generate('embedded:generator', { messages, schema, maxTokens: 160, temperature: seed === 0 ? 0 : 1.4, seed }))
    for (const { text, value, finishReason } of await Promise.all(drawn)) {
      expect(finishReason).toBe('stop')
      expect(JSON.parse(text)).toEqual(value)
      const { name, born, score, kind, tags, note } = value as { name: unknown; born: number; score: number; kind: string; tags: unknown; note: unknown }
      expect([typeof name, Array.isArray(tags), ['person', '人', '🎉'].includes(kind)]).toEqual(['string', true, true])
      expect(Number.isInteger(born) && born >= 1800 && born <= 1899 && score >= 0 && score <= 1).toBe(true)
      expect(note === null || typeof note === 'string').toBe(true)
    }
  })

  test('that its limit cuts is an error that says so', async () => {
    const schema: JsonSchema = { type: 'object', properties: { text: { type: 'string', minLength: 400, maxLength: 500 } }, required: ['text'] }
    await expect(host.generate('embedded:generator', { messages, schema, maxTokens: 12 })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'cut-by-limit', text: expect.stringContaining('{"text"') as string } })
  })

  test('keeps control tokens out, streams, and leaves its neighbours free', async () => {
    const schema: JsonSchema = { type: 'string', minLength: 5, maxLength: 60 }
    const control = { logitBias: { 5: 50, 6: 50, 7: 50, 8: 50 } }
    const one = host.generate('embedded:generator', { messages, schema, maxTokens: 90, ...control })
    const free = host.generate('embedded:generator', { messages, maxTokens: 10 })
    let streamed = ''
    for await (const { text } of one) streamed += text
    expect((await one).text).toBe(streamed)
    expect((await free).text.startsWith('"')).toBe(false)
  })

  test('goes on to its end while its schema is forgotten for newer ones', async () => {
    const forgotten = host.generate('embedded:generator', { messages, schema: { type: 'string', minLength: 40, maxLength: 60 }, maxTokens: 90 })
    const reader = forgotten[Symbol.asyncIterator]()
    await reader.next()
    // One replica or more: enough schemas that each forgets its first.
    for (let i = 0; i < 40; i++) expect((await host.generate('embedded:generator', { messages, schema: { const: i } })).value).toBe(i)
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) expect(next.value.text).toBeTypeOf('string')
    expect((await forgotten).value).toBeTypeOf('string')
  })

  test('is refused with a schema that the grammar cannot take, and the next one works', async () => {
    await expect(host.generate('embedded:generator', { messages, schema: { type: 'string', pattern: '(' } })).rejects.toMatchObject({ code: 'InvalidMessage', details: { reason: 'schema' } })
    expect((await host.generate('embedded:generator', { messages, schema: { type: 'boolean' } })).value).toBeTypeOf('boolean')
  })
})
