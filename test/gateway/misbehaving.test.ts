// The client before another side that is silent, endless, or speaks nonsense: it is told, in time, and asks no more than it may.
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'
import { actor } from 'troupe'
import { client, protocol, stream, type Client, type ClientOptions } from 'troupe/client'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { gate, rejection } from '../runtime/stage.js'
import { Counter } from './protocols.js'
import { END, HandHeld, body, chunk, rogue, type Answering } from './rogue.js'
import { open } from './shop.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const before = async (clock: VirtualClock, ...answers: readonly Answering[]) => {
  const server = await rogue(...answers)
  closing.push(() => server.close())
  const answered = gate()
  const watched: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    answered.open()
    return response
  }
  return { server, counter: client(Counter, server.url, { clock, fetch: watched }), answered: answered.passed }
}
/** Without a network, so that nothing but time passes. */
const beforeHands = (clock: VirtualClock, answers: () => Response | Promise<Response>, options: ClientOptions = {}): { readonly counter: Client<(typeof Counter)['specs']>; readonly at: number[] } => {
  const at: number[] = []
  const fetch = async (): Promise<Response> => {
    at.push(clock.elapsed())
    return answers()
  }
  return { counter: client(Counter, 'http://gateway', { clock, fetch, ...options }), at }
}
const problem = (status: number, data: object): Response => new Response(JSON.stringify(data), { status })
const opened = async (clock: VirtualClock) => {
  const socket = new HandHeld()
  const talking = client(Counter, 'http://gateway', { clock, webSocket: socket.open }).converse()
  socket.opens()
  return { socket, talk: await talking }
}
const count = { type: 'count', to: 2 } as const
const add = { type: 'add', a: 1, b: 2 } as const

describe('an ask', () => {
  test('is over in time, although its answer has begun', async () => {
    const clock = virtualClock()
    const { counter, answered } = await before(clock, (response) => response.writeHead(200).write('['))
    const asked = rejection(counter.ask(add, { timeout: '2s' }))
    await answered
    await clock.advance('7s')
    expect(await asked).toMatchObject({ code: 'DeadlineExceeded' })
    expect(clock.timers).toBe(0)
  })

  test('can be called off while its answer comes', async () => {
    const { counter, answered } = await before(virtualClock(), (response) => response.writeHead(200).write('['))
    const stop = new AbortController()
    const asked = rejection(counter.ask(add, { signal: stop.signal }))
    await answered
    stop.abort()
    expect(await asked).toMatchObject({ code: 'Cancelled' })
  })

  test('is told of an answer that is no JSON, or of no gateway', async () => {
    const { counter } = await before(virtualClock(), (response) => response.end('<html>'), (response) => response.writeHead(502).end('<html>'))
    expect(await rejection(counter.ask(add))).toMatchObject({ code: 'Interrupted', details: { answer: '<html>' } })
    expect(await rejection(counter.ask(add))).toMatchObject({ code: 'Interrupted', message: expect.stringContaining('502') as string })
  })

  test('reads no more of an endless error than its beginning', async () => {
    const hungUp = gate()
    const { counter } = await before(virtualClock(), (response) => {
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(10_000)));
      }
      response.writeHead(500).on('drain', pour).on('close', () => hungUp.open())
      pour()
    })
    expect(await rejection(counter.ask(add))).toMatchObject({ code: 'Interrupted' })
    await hungUp.passed
  })
})

describe('a stream', () => {
  test('whose connection falls silent is taken up again where it was', async () => {
    const clock = virtualClock()
    const { server, counter } = await before(
      clock,
      (response) => response.write(chunk('a', { n: 1 })),
      (response) => response.end(chunk('b', { n: 2 }) + END),
    )
    const chunks = counter.stream(count)
    expect((await chunks.next()).value).toEqual({ n: 1 })
    const second = chunks.next()
    await clock.advance('44s')
    expect(server.asked).toHaveLength(1)
    await clock.advance('2s')
    expect((await second).value).toEqual({ n: 2 })
    expect((await chunks.next()).done).toBe(true)
    expect(server.asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'a'])
  })

  test('that never begins is given up', async () => {
    const clock = virtualClock()
    const { counter } = beforeHands(clock, () => new Promise(() => {}))
    const first = rejection(counter.stream(count).next())
    await clock.advance('45s')
    expect(await first).toMatchObject({ code: 'Interrupted' })
  })

  test('lives by its heartbeats, and is not silent while its reader is busy', async () => {
    const clock = virtualClock()
    const { response, write, end } = body()
    const { counter, at } = beforeHands(clock, response)
    const chunks = counter.stream(count)
    write(chunk('a', { n: 1 }))
    await chunks.next()
    await clock.advance('10m')
    const second = chunks.next()
    for (let beats = 0; beats < 8; beats++) {
      await clock.advance('15s')
      write(':\n\n')
    }
    write(chunk('b', { n: 2 }) + END)
    expect((await second).value).toEqual({ n: 2 })
    expect((await chunks.next()).done).toBe(true)
    end()
    expect(at).toHaveLength(1)
  })

  test('that breaks again and again is tried a bounded number of times, each after a longer wait', async () => {
    const clock = virtualClock()
    // The same chunk each time is no progress.
    const { counter, at } = beforeHands(clock, () => new Response(chunk('a', { n: 1 })))
    const chunks = counter.stream(count)
    expect((await chunks.next()).value).toEqual({ n: 1 })
    const second = rejection(chunks.next())
    await clock.advance('1m')
    expect(await second).toMatchObject({ code: 'Interrupted' })
    await clock.settle()
    // The last one calls it off.
    expect(at).toHaveLength(1 + 5 + 1)
    const waits = at.slice(1, 6).map((moment, i) => (moment - (at[i] ?? 0)) / (250 * 2 ** i))
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(0.5)
    for (const wait of waits) expect(wait).toBeLessThanOrEqual(1)
    expect(clock.timers).toBe(0)
  })

  test('waits as long as a gateway without room wants', async () => {
    const clock = virtualClock()
    const answers = [() => new Response(chunk('a', { n: 1 })), () => problem(503, { code: 'Overloaded', message: 'full', hint: 'wait', details: { retryAfterMs: 3_000 } }), () => new Response(chunk('b', { n: 2 }) + END)]
    const { counter, at } = beforeHands(clock, () => answers.shift()?.() as Response)
    const chunks = counter.stream(count)
    await chunks.next()
    const second = chunks.next()
    await clock.advance('1m')
    expect((await second).value).toEqual({ n: 2 })
    expect((at[2] ?? 0) - (at[1] ?? 0)).toBe(3_000)
  })

  test('ends with what its actor says, and with what the gateway says for good', async () => {
    const told = { code: 'Overloaded', message: 'full', hint: 'wait', details: {} }
    const byActor = beforeHands(virtualClock(), () => new Response(`${chunk('a', { n: 1 })}event: error\ndata: ${JSON.stringify(told)}\n\n`))
    const chunks = byActor.counter.stream(count)
    await chunks.next()
    expect(await rejection(chunks.next())).toMatchObject({ code: 'Overloaded' })
    expect(byActor.at).toHaveLength(1)

    const clock = virtualClock()
    const answers = [() => new Response(chunk('a', { n: 1 })), () => problem(410, { ...told, code: 'Gone' })]
    const byGateway = beforeHands(clock, () => answers.shift()?.() as Response)
    const gone = byGateway.counter.stream(count)
    await gone.next()
    const next = rejection(gone.next())
    await clock.advance('1m')
    expect(await next).toMatchObject({ code: 'Gone' })
    expect(byGateway.at).toHaveLength(2)
  })

  test('is shown by the gateway that it lives', async () => {
    const Quiet = protocol({ listen: stream(null, z.number()) })
    const clock = virtualClock()
    const stage = await open({ clock, actors: { quiet: Quiet } })
    closing.push(() => stage.troupe.stop())
    const begun = gate()
    stage.troupe.spawn('quiet', actor(Quiet, {
      on: {
        listen: async function* (_, me) {
          begun.open()
          await new Promise((resolve) => me.signal.addEventListener('abort', resolve))
          yield 1
        },
      },
    }))
    const listening = stage.post('/actors/quiet', { type: 'listen' }, { accept: 'text/event-stream' })
    await begun.passed
    // It waits for a first chunk that could still become a status.
    await clock.advance('1s')
    const reader = ((await listening).body as ReadableStream<Uint8Array>).getReader()
    const first = reader.read()
    await clock.advance('15s')
    expect(Buffer.from((await first).value ?? []).toString()).toBe(':\n\n')
    await reader.cancel()
  })

  test('of events that are no JSON is no stream of a gateway', async () => {
    const { counter } = beforeHands(virtualClock(), () => new Response('id: a\ndata: <html>\n\n'))
    expect(await rejection(counter.stream(count).next())).toMatchObject({ code: 'Interrupted', details: { answer: '<html>' } })
  })
})

describe('a conversation', () => {
  test('that is never opened is given up', async () => {
    const mute = createServer(() => {})
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    closing.push(() => mute.close())
    const clock = virtualClock()
    const talking = rejection(client(Counter, `http://127.0.0.1:${(mute.address() as AddressInfo).port}`, { clock, webSocket: (url, protocols) => new WebSocket(url, protocols) }).converse())
    await clock.advance('30s')
    expect(await talking).toMatchObject({ code: 'DeadlineExceeded' })
    expect(clock.timers).toBe(0)
  })

  test('can be called off before it is open', async () => {
    const socket = new HandHeld()
    const stop = new AbortController()
    const clock = virtualClock()
    const talking = rejection(client(Counter, 'http://gateway', { clock, webSocket: socket.open }).converse({ signal: stop.signal }))
    stop.abort()
    expect(await talking).toMatchObject({ code: 'Cancelled' })
    expect([socket.closed, clock.timers]).toEqual([[undefined], 0])
  })

  test.each(['<html>', '[]', '{"id":"one"}', new Uint8Array([1, 2, 3])])('ends when %s comes for a frame', async (nonsense) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    closing.push(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    server.on('connection', (socket) => socket.on('message', () => socket.send(nonsense)))
    const talk = await client(Counter, `http://127.0.0.1:${(server.address() as AddressInfo).port}`, { webSocket: (url, protocols) => new WebSocket(url, protocols) }).converse()
    const both = [rejection(talk.stream(count).next()), rejection(talk.ask(add))]
    for (const told of await Promise.all(both)) expect(told).toMatchObject({ code: 'Interrupted', message: expect.stringContaining('no gateway') as string })
    expect(await rejection(talk.ask(add))).toMatchObject({ code: 'Interrupted' })
  })

  test('that falls silent ends, and one that shows its life does not', async () => {
    const clock = virtualClock()
    const { socket, talk } = await opened(clock)
    const first = talk.stream(count).next()
    for (let beats = 0; beats < 8; beats++) {
      await clock.advance('15s')
      socket.says({ id: 0, beat: true })
    }
    socket.says({ id: 1, chunk: { n: 1 } })
    expect((await first).value).toEqual({ n: 1 })
    const asked = rejection(talk.ask(add, { timeout: '10m' }))
    await clock.advance('44s')
    expect(socket.closed).toEqual([])
    await clock.advance('1s')
    expect(await asked).toMatchObject({ code: 'Interrupted', message: expect.stringContaining('45000 ms') as string })
    expect([socket.closed, clock.timers]).toEqual([[4_000], 0])
  })

  test('ends an ask in time, which is called off, and goes on', async () => {
    const clock = virtualClock()
    const { socket, talk } = await opened(clock)
    const asked = rejection(talk.ask(add, { timeout: '2s' }))
    await clock.advance('7s')
    expect(await asked).toMatchObject({ code: 'DeadlineExceeded' })
    socket.says({ id: 1, reply: 3 })
    const again = talk.ask(add)
    socket.says({ id: 2, reply: 3 })
    expect(await again).toBe(3)
    expect(socket.sent).toEqual([{ id: 1, message: add, timeout: 2_000 }, { id: 1, cancel: true }, { id: 2, message: add }])
  })

  test('lets its caller go at once, without an answer', async () => {
    const { socket, talk } = await opened(virtualClock())
    const stop = new AbortController()
    const both = [rejection(talk.ask(add, { signal: stop.signal })), rejection(talk.stream(count, { signal: stop.signal }).next())]
    stop.abort()
    for (const told of await Promise.all(both)) expect(told).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    expect(socket.sent.slice(2)).toEqual([{ id: 1, cancel: true }, { id: 2, cancel: true }])
  })

  test('ends with a side that sends more than there is credit for', async () => {
    const { socket, talk } = await opened(virtualClock())
    const chunks = talk.stream(count)
    const first = chunks.next()
    for (let n = 1; n <= 100; n++) socket.says({ id: 1, chunk: { n } })
    await first
    expect(socket.closed).toEqual([4_000])
    expect(await rejection(talk.ask(add))).toMatchObject({ code: 'Interrupted' })
  })

  test('takes no more than it has room for', async () => {
    const { socket, talk } = await opened(virtualClock())
    const asked = Array.from({ length: 1_024 }, () => rejection(talk.ask(add)))
    expect(await rejection(talk.ask(add))).toMatchObject({ code: 'Overloaded' })
    talk.close()
    for (const told of await Promise.all(asked)) expect(told).toMatchObject({ code: 'Interrupted' })
    expect(socket.closed).toEqual([1_000])
  })

  test('is shown by the gateway that it lives, in frames that a page can see', async () => {
    const clock = virtualClock()
    const stage = await open({ clock })
    closing.push(() => stage.troupe.stop())
    const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/actors/counter`, ['troupe.v1'])
    await new Promise((resolve) => socket.once('open', resolve))
    // Its side is open once it answers.
    socket.send('{"id":0}')
    await new Promise((resolve) => socket.once('message', resolve))
    const next = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()))))
    await clock.advance('15s')
    expect(await next).toEqual({ id: 0, beat: true })
    socket.close()
  })
})
