// The typed client: over HTTP, over a connection that breaks, and over a WebSocket.
import { dirname, join, normalize } from 'node:path'
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest'
import { actor } from 'troupe'
import { client, event, protocol, request, TroupeError } from 'troupe/client'
import { WebSocket } from 'ws'
import type { OpenSocket } from 'troupe/client'
import { root } from '../house/tree.js'
import { any, rejection } from '../runtime/stage.js'
import { breakingProxy } from './breaking-proxy.js'
import { Counter, Pet, open, type Stage } from './shop.js'

let stage: Stage
afterEach(async () => {
  stage?.seen.release()
  await stage?.troupe.stop()
})

const webSocket: OpenSocket = (url, protocols) => new WebSocket(url, protocols)

describe('a client', () => {
  test('asks, tells and streams as its protocol says', async () => {
    stage = await open()
    const counter = client(Counter, `${stage.url}/actors/counter`)
    const sum = await counter.ask({ type: 'add', a: 1, b: 2 })
    expectTypeOf(sum).toEqualTypeOf<number>()
    await counter.tell({ type: 'note', text: 'hello' })
    expect([sum, await counter.ask({ type: 'notes' })]).toEqual([3, ['hello']])
    const numbers: number[] = []
    for await (const { n } of counter.stream({ type: 'count', to: 3 })) numbers.push(n)
    expect(numbers).toEqual([1, 2, 3])
    // @ts-expect-error an event is told, not asked
    await expect(counter.ask({ type: 'note', text: 'hello' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })

  test('gets errors as they were there', async () => {
    stage = await open()
    const pet = client(Pet, `${stage.url}/actors/counter`)
    const error = await rejection(pet.ask({ type: 'name' }))
    expect(error).toBeInstanceOf(TroupeError)
    expect(error.code).toBe('Unhandled')
    expect(await rejection(client(Counter, `${stage.url}/actors/counter`).stream({ type: 'count', to: 'x' as unknown as number }).next())).toMatchObject({ code: 'InvalidMessage', details: { issues: [{ path: 'to' }] } })
    expect(await rejection(client(Pet, 'http://127.0.0.1:1/actors/pet').ask({ type: 'name' }))).toMatchObject({ code: 'Interrupted' })
  })

  test('gets what JSON has no word for in the form that its types say, and sends none of it', async () => {
    const Odd = protocol({
      kept: request(null, any<{ bytes: Uint8Array; vector: Float32Array; at: Date; big: bigint; seen: Set<string>; rows: Map<string, number>; nothing?: string }>()),
      forget: request(null, any<undefined>()),
      keep: event(any<{ bytes: Uint8Array | string }>()),
    })
    stage = await open({ actors: { odd: Odd } })
    stage.troupe.spawn('odd', actor(Odd, {
      on: {
        kept: () => ({ bytes: new Uint8Array([1, 2]), vector: new Float32Array([0.5]), at: new Date(0), big: 2n ** 60n, seen: new Set(['a']), rows: new Map([['b', 1]]) }),
        forget: () => undefined,
        keep: () => {},
      },
    }))
    const odd = client(Odd, `${stage.url}/actors/odd`, { webSocket })
    const kept = await odd.ask({ type: 'kept' })
    expectTypeOf(kept).toEqualTypeOf<{ bytes: string; vector: number[]; at: string; big: string; seen: string[]; rows: Record<string, number>; nothing?: string }>()
    expect(kept).toEqual({ bytes: 'AQI=', vector: [0.5], at: '1970-01-01T00:00:00.000Z', big: '1152921504606846976', seen: ['a'], rows: { b: 1 } })
    expect(await odd.ask({ type: 'forget' })).toBeNull()
    const talk = await odd.converse()
    for (const sent of [odd, talk]) {
      // @ts-expect-error bytes do not get through
      expect(await rejection(sent.tell({ type: 'keep', bytes: new Uint8Array(1) }))).toMatchObject({ code: 'InvalidMessage', details: { field: 'bytes' } })
    }
    await talk.tell({ type: 'keep', bytes: 'as text' })
    talk.close()
  })

  test('calls off what it no longer wants', async () => {
    stage = await open()
    const counter = client(Counter, `${stage.url}/actors/counter`)
    const stop = new AbortController()
    const asked = rejection(counter.ask({ type: 'wait' }, { signal: stop.signal }))
    await stage.seen.waiting
    stop.abort()
    expect(await asked).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('calls a stream off when it leaves the loop, although it could come back', async () => {
    stage = await open()
    for await (const { n } of client(Counter, `${stage.url}/actors/counter`).stream({ type: 'count', to: 1e9, size: 10_000 })) if (n === 3) break
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('takes a stream up where its connection broke: nothing twice, nothing missing', async () => {
    stage = await open()
    const between = await breakingProxy(stage.port, [50_000, 70_000, Infinity])
    const numbers: number[] = []
    for await (const { n } of client(Counter, `${between.url}/actors/counter`).stream({ type: 'count', to: 100, size: 2_000 })) numbers.push(n)
    between.close()
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(between.connections).toBe(3)
  })

  test('takes a stream up whose connection broke before its first chunk', async () => {
    stage = await open()
    const between = await breakingProxy(stage.port, [1_500, Infinity])
    const numbers: number[] = []
    for await (const { n } of client(Counter, `${between.url}/actors/counter`).stream({ type: 'count', to: 10, size: 20_000 })) numbers.push(n)
    between.close()
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, i) => i + 1))
    expect(between.connections).toBe(2)
  })

  test('takes a stream up whose connection has silently gone, although the gateway takes it for open', async () => {
    stage = await open()
    const between = await breakingProxy(stage.port, [50_000, Infinity], { silently: true })
    const numbers: number[] = []
    for await (const { n } of client(Counter, `${between.url}/actors/counter`, { idle: '2s' }).stream({ type: 'count', to: 100, size: 2_000 })) numbers.push(n)
    between.close()
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(between.connections).toBeGreaterThanOrEqual(2)
  })

  test('imports nothing of Node, so that a browser can load it', () => {
    const seen = new Set<string>()
    const outside: string[] = []
    const visit = (path: string): void => {
      if (seen.has(path)) return
      seen.add(path)
      const text = readFileSync(join(root, 'dist', path), 'utf8')
      for (const [, name] of text.matchAll(/(?:from|import)\s*\(?['"]([^'"]+)['"]/g)) {
        if (name?.startsWith('.') === true) visit(normalize(join(dirname(path), name)))
        else outside.push(`${path} imports ${name}`)
      }
    }
    visit('client/index.js')
    expect([...seen]).toContain('runtime/protocol.js')
    expect(outside).toEqual([])
  })
})

describe('a conversation', () => {
  test('carries many messages, each with its answer', async () => {
    stage = await open()
    const talk = await client(Counter, `${stage.url}/actors/counter`, { webSocket }).converse()
    expect(await Promise.all([talk.ask({ type: 'add', a: 1, b: 2 }), talk.tell({ type: 'note', text: 'hi' }), talk.ask({ type: 'add', a: 2, b: 2 })])).toEqual([3, undefined, 4])
    const numbers: number[] = []
    for await (const { n } of talk.stream({ type: 'count', to: 100 })) numbers.push(n)
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(await rejection(talk.ask({ type: 'open' } as never))).toMatchObject({ code: 'Unhandled' })
    talk.close()
  })

  test('holds its actor back while nobody reads', async () => {
    stage = await open()
    const talk = await client(Counter, `${stage.url}/actors/counter`, { webSocket }).converse()
    const chunks = talk.stream({ type: 'count', to: 1e9 })
    await chunks.next()
    // An answer that comes later shows that what the stream may send has come.
    await talk.ask({ type: 'add', a: 1, b: 1 })
    await talk.ask({ type: 'add', a: 1, b: 1 })
    const made = stage.seen.made
    expect(made).toBeLessThanOrEqual(32 + 32 + 2)
    for (let read = 1; read < 200; read++) await chunks.next()
    expect(stage.seen.made).toBeGreaterThan(made)
    await chunks.return(undefined)
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
    talk.close()
  })

  test('ends what is under way when it breaks, on both sides', async () => {
    stage = await open()
    const between = await breakingProxy(stage.port)
    const talk = await client(Counter, `${between.url}/actors/counter`, { webSocket }).converse()
    const asked = rejection(talk.ask({ type: 'wait' }))
    await stage.seen.waiting
    between.close()
    expect(await asked).toMatchObject({ code: 'Interrupted' })
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
    expect(await rejection(talk.ask({ type: 'notes' }))).toMatchObject({ code: 'Interrupted' })
  })

  test('survives frames that are none', async () => {
    stage = await open()
    const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/actors/counter`, ['troupe.v1'])
    const answers: unknown[] = []
    const all = new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        answers.push((JSON.parse(data.toString()) as { error?: { code: string } }).error?.code)
        if (answers.length === 5) resolve()
      })
    })
    await new Promise((resolve) => socket.once('open', resolve))
    for (const text of ['{', '[]', '{"id":0}', '{"id":1,"credit":-1}', '{"id":1,"message":{"type":"nothing"}}']) socket.send(text)
    await all
    expect(answers).toEqual(['InvalidMessage', 'InvalidMessage', 'InvalidMessage', 'InvalidMessage', 'Unhandled'])
    socket.close()
  })

  test('finishes what it has begun when the gateway stops, and then is told', async () => {
    stage = await open()
    const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/actors/counter`, ['troupe.v1'])
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('{"id":1,"message":{"type":"wait"}}')
    await stage.seen.waiting
    const stopped = stage.troupe.stop()
    const answer = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()))))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    stage.seen.release()
    expect(await answer).toEqual({ id: 1, reply: null })
    expect(await closed).toBe(1001)
    await stopped
  })
})
