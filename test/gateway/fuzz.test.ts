// Requests as nobody should send them: whatever comes, the gateway answers, and never with a fault of its own.
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { open, raw, type Stage } from './shop.js'

let stage: Stage
beforeAll(async () => {
  stage = await open({ limits: { request: 1_000 } })
})
afterAll(() => stage.troupe.stop())

const word = fc.constantFrom('counter', 'pet', 'rex', 'vault', '..', '%2e', '%00', '%', '*', '', 'constructor', '__proto__', 'ü', 'a'.repeat(600))
const path = fc.oneof(
  fc.array(word, { maxLength: 4 }).map((words) => `/actors/${words.join('/')}`),
  fc.constantFrom('/', '/metrics', '/openapi.json', '/healthz', '*', '//', '/actors/counter?message={', '/actors/counter?message=%7B%22type%22%3A%22count%22%2C%22to%22%3A2%7D', 'http://elsewhere/'),
)
const header = fc.tuple(fc.constantFrom('last-event-id', 'troupe-timeout', 'troupe-resumable', 'origin', 'authorization', 'content-encoding', 'transfer-encoding', 'expect', 'upgrade', 'connection', 'sec-websocket-key', 'x-a', 'content-type', 'content-length', 'host'), fc.constantFrom('', '1.1.x', 'yes', 'null', 'Bearer x', 'gzip', 'chunked', '100-continue', 'websocket', 'Upgrade', '-1', '5', 'NaN', 'x'.repeat(3_000), 'application/json', 'text/plain')).map(([name, value]) => `${name}: ${value}`)
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc.record({ type: fc.constantFrom('add', 'note', 'count', 'notes', 'constructor', 'xstate.init', '*', ''), a: fc.anything(), b: fc.float(), to: fc.constantFrom(0, 2, -1, 'x', null), text: fc.string(), from: fc.anything() }, { requiredKeys: ['type'] }).map((value) => JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ?? ''),
  fc.constantFrom('['.repeat(50_000), '{"type":"add","a":1e400,"b":1}', '{"type":"note","text":"\\ud800"}'),
)
const method = fc.constantFrom('GET', 'POST', 'DELETE', 'PUT', 'OPTIONS', 'HEAD', 'PATCH', 'TRACE', 'BREW')
const request = fc.tuple(method, path, fc.array(header, { maxLength: 3 }), body).map(([method, path, headers, body]) =>
  [`${method} ${path} HTTP/1.1`, 'host: localhost', 'connection: close', 'content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n'),
)
const anything = fc.oneof({ weight: 8, arbitrary: request }, { weight: 1, arbitrary: fc.string() }, { weight: 1, arbitrary: request.map((text) => text.slice(0, text.length / 2)) })

/** Sends it, and no more after it: the end of a request that announced more is heard of at once. */
async function statusOf(text: string): Promise<number | undefined> {
  const { socket, answer } = raw(stage.port, text)
  socket.end()
  const status = /^HTTP\/1\.1 (\d{3})/.exec(await answer)?.[1]
  return status === undefined ? undefined : Number(status)
}

test('whatever comes is answered below 500, or with Overloaded', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anything, async (text) => {
      const status = await statusOf(text)
      expect(status === undefined || status < 500 || status === 503, `${status} for ${JSON.stringify(text.slice(0, 300))}`).toBe(true)
    }),
    { numRuns: 400 },
  )
  expect((await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 })).status).toBe(200)
})
