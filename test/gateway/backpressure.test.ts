// Who reads slowly slows the work down, and who leaves ends it: over a WebSocket, and down to the tokens of a model.
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createTroupe } from 'troupe'
import { gateway, openai } from 'troupe/actors'
import { client } from 'troupe/client'
import { createHost, type GenerateRequest } from 'troupe/models'
import { gate } from '../runtime/stage.js'
import { Counter, open, type Stage } from './shop.js'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
const stage = async (...options: Parameters<typeof open>): Promise<Stage> => {
  const opened = await open(...options)
  closing.push(() => opened.troupe.stop())
  return opened
}
const turns = async (n: number): Promise<void> => {
  for (let turn = 0; turn < n; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('a WebSocket reader that gives no credit holds its producer back, and one that reads on lets it go on', async () => {
  const { url, seen } = await stage()
  const talk = await client(Counter, `${url}/actors/counter`, { webSocket: (address, protocols) => new WebSocket(address, protocols) }).converse()
  const chunks = talk.stream({ type: 'count', to: 1e6 })[Symbol.asyncIterator]()
  await chunks.next()
  let before = -1
  while (before !== seen.made) {
    before = seen.made
    await turns(200)
  }
  // 32 by credit, and the 32 that any reader's stream may be ahead.
  expect(seen.made).toBeLessThanOrEqual(100)
  for (let n = 0; n < 500; n++) await chunks.next()
  expect(seen.made).toBeGreaterThanOrEqual(500)
  expect(seen.made).toBeLessThanOrEqual(700)
  talk.close()
})

test("a caller who hangs up stops a model's writing", async () => {
  const host = await createHost()
  const written = gate<string>()
  let parts = 0
  /** The host as it is, seen from beside it. */
  const watched = {
    embed: host.embed.bind(host),
    generate: (model: string, request: GenerateRequest, options: Parameters<typeof host.generate>[2]) => {
      const generation = host.generate(model, request, options)
      generation.then(
        () => written.open('to its end'),
        () => written.open('called off'),
      )
      return new Proxy(generation, { get: (whole, name) => (name === Symbol.asyncIterator ? () => counted(whole) : ((whole[name as keyof typeof whole] as () => unknown).bind(whole))) })
    },
  }
  async function* counted<T>(generation: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const part of generation) {
      parts++
      yield part
    }
  }
  const troupe = await createTroupe({ host, log: () => {} })
  closing.push(() => troupe.stop(), () => host.stop())
  const { url } = await troupe.spawn('gateway', gateway(troupe, { actors: {}, faces: [openai({ models: { tiny: { host: watched, model: 'embedded:generator' } } })] })).ask({ type: 'listening' })
  const leaving = new AbortController()
  const body = JSON.stringify({ model: 'tiny', stream: true, max_tokens: 900, temperature: 1, seed: 4, messages: [{ role: 'user', content: 'Tell me all that you know.' }], response_format: { type: 'json_schema', json_schema: { name: 'long', schema: { type: 'array', items: { type: 'string', minLength: 40 }, minItems: 400 } } } })
  const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal: leaving.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  await reader.read()
  leaving.abort()
  expect(await written.passed).toBe('called off')
  const then = parts
  // The model is free for others, and writes no more for who has left.
  await host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 4 })
  expect(parts).toBe(then)
  expect(parts).toBeLessThan(900)
})

test('receivers and interceptors see that a message came through the gateway', async () => {
  const from: string[] = []
  const { post, url } = await stage({}, { interceptors: [{ receive: (_, passage) => void (passage.to === 'counter' && from.push(`${passage.type} from ${passage.from}`)) }] })
  await post('/actors/counter', { type: 'add', a: 1, b: 2 })
  await post('/actors/counter', { type: 'note', text: 'x' })
  await (await post('/actors/counter', { type: 'count', to: 1 })).text()
  const talk = await client(Counter, `${url}/actors/counter`, { webSocket: (address, protocols) => new WebSocket(address, protocols) }).converse()
  await talk.ask({ type: 'notes' })
  talk.close()
  expect(from).toEqual(['add from gateway', 'note from gateway', 'count from gateway', 'notes from gateway'])
})
