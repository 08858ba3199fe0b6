// Messages that are JSON and still wrong: they get past the parser, and are refused by what reads them.
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { open, type Stage } from './shop.js'

let stage: Stage
beforeAll(async () => {
  stage = await open()
})
afterAll(() => stage.troupe.stop())

const key = fc.constantFrom('a', 'b', 'to', 'size', 'text', 'from', 'id', '__proto__', 'constructor', 'prototype', 'toString', 'then', 'toJSON', '', 'ключ', '🎭', '\u0000', '\ud800')
const nested = (depth: number): string => `${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`
const value = fc.oneof(
  fc.constantFrom('1e400', '-1e400', '123456789012345678901234567890', '-0', '1e-400', '0.1', 'null', 'true', '"\\ud800"', '"\\u0000"', '[]', '{}', '"x"', '{"then":1}', '{"\\u005f\\u005fproto__":{"a":1}}', '{"__pr\\u006fto__":{"type":"add"}}', nested(20), nested(49), nested(60), nested(500)),
  fc.json({ maxDepth: 4 }),
)
const field = fc.tuple(key, value).map(([name, text]) => `${JSON.stringify(name)}:${text}`)
const type = fc.constantFrom('add', 'note', 'notes', 'count', 'missing', 'constructor', '__proto__', 'xstate.stop', '*', '')
const message = fc.tuple(type, fc.array(field, { maxLength: 5 })).map(([name, fields]) => `{${[`"type":${JSON.stringify(name)}`, ...fields].join(',')}}`)

test('are answered below 500, and change nothing for those after them', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(message, async (body) => {
      const response = await stage.post('/actors/counter', body)
      // A stream of a huge number of chunks is a right message, and long.
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
      const text = isStream ? '' : await response.text()
      await response.body?.cancel().catch(() => {})
      expect(response.status, `${text} for ${body.slice(0, 300)}`).toBeLessThan(500)
      if (response.status >= 400) expect(JSON.parse(text)).toMatchObject({ code: expect.any(String) as string, hint: expect.any(String) as string })
    }),
    { numRuns: 300 },
  )
  expect(Object.prototype).not.toHaveProperty('a')
  expect(await (await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 })).json()).toBe(3)
})

test.each(['{"type":"note","text":"x","__proto__":{"a":1}}', '{"type":"note","text":"x","__pr\\u006fto__":{"a":1}}', '{"type":"note","text":"x","constructor":{"prototype":{"a":1}}}', `{"type":"note","text":"x","a":${nested(60)}}`])('never reach an actor: %.60s', async (body) => {
  const response = await stage.post('/actors/counter', body)
  expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'InvalidMessage'])
})
