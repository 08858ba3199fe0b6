// What one caller may take for itself, so that there is room for the others.
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { GatewayOptions } from 'troupe/actors'
import { client } from 'troupe/client'
import { virtualClock } from 'troupe/testing'
import { Guests, Places } from '../../src/actors/gateway/guests.js'
import { KeptStreams, type Reading } from '../../src/actors/gateway/kept-streams.js'
import type { Caller } from '../../src/actors/gateway/keys.js'
import { Counter, collect, eventsOf, open, type Stage } from './shop.js'

let stage: Stage | undefined
afterEach(async () => {
  await stage?.troupe.stop()
  stage = undefined
})

const GREEDY = 'the-key-of-the-greedy'
const OTHER = 'the-key-of-the-other'
const keys: GatewayOptions['keys'] = [
  { name: 'greedy', key: GREEDY, may: '*' },
  { name: 'other', key: OTHER, may: '*' },
]
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })
const codeOf = async (response: Response): Promise<unknown> => [response.status, ((await response.json()) as { code: string }).code]
const endless = { type: 'count', to: 1e9 } as const
const rate = { perSecond: 100, burst: 200 }
const caller = (name: string): Caller => ({ name, may: () => true, rate })

describe('of what may be under way', () => {
  test('a key has as much as it leaves to others, who still come in', async () => {
    stage = await open({ keys, limits: { inFlight: 4 } })
    const { post } = stage
    const stream = (key: string): Promise<Response> => post('/actors/counter', endless, bearer(key))
    const streams = [await stream(GREEDY), await stream(GREEDY)]
    const refused = await stream(GREEDY)
    expect([refused.headers.get('retry-after'), await codeOf(refused)]).toEqual(['1', [503, 'Overloaded']])
    expect((await post('/actors/counter', { type: 'add', a: 1, b: 2 }, bearer(OTHER))).status).toBe(200)
    streams.push(await stream(OTHER))
    expect(await codeOf(await stream(OTHER))).toEqual([503, 'Overloaded'])
    await Promise.all(streams.map(async (open) => open.body?.cancel()))
  })

  test('it has room again once something is over', async () => {
    stage = await open({ keys, limits: { inFlight: 2 } })
    const add = (): Promise<Response> => (stage as Stage).post('/actors/counter', { type: 'add', a: 1, b: 2 }, bearer(GREEDY))
    const held = await stage.post('/actors/counter', { type: 'count', to: 3 }, bearer(GREEDY))
    await collect(eventsOf(held))
    for (let n = 0; n < 5; n++) expect((await add()).status).toBe(200)
  })

  test('messages of a conversation count as requests do', async () => {
    stage = await open({ keys, limits: { inFlight: 4 } })
    const talk = await client(Counter, `${stage.url}/actors/counter`, { key: GREEDY, webSocket: (url, protocols) => new WebSocket(url, protocols) }).converse()
    const counting = talk.stream(endless)
    expect((await counting.next()).value).toEqual({ n: 1 })
    await expect(talk.ask({ type: 'add', a: 1, b: 2 })).rejects.toMatchObject({ code: 'Overloaded', details: { retryAfterMs: 1_000 } })
    expect((await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 }, bearer(OTHER))).status).toBe(200)
    await counting.return?.(undefined)
    talk.close()
  })

  test('a gateway without keys has one caller, who may have all', async () => {
    stage = await open({ limits: { inFlight: 2 } })
    const streams = [await stage.post('/actors/counter', endless), await stage.post('/actors/counter', endless)]
    expect(streams.map(({ status }) => status)).toEqual([200, 200])
    expect((await stage.post('/actors/counter', endless)).status).toBe(503)
    await Promise.all(streams.map(async (open) => open.body?.cancel()))
  })

  test('one greedy caller after another leaves room for the next', () => {
    const places = new Places(100)
    const guests = new Guests()
    const held = ['a', 'b', 'c', 'd', 'e'].map((name) => {
      const one = caller(name)
      const guest = guests.of(one)
      while (places.refusal(one, guest) === undefined) places.take(guest)
      return guest.underWay
    })
    expect(held).toEqual([50, 25, 13, 6, 3])
  })

  test('callers who are here are not forgotten, however many come after them', () => {
    const guests = new Guests(3)
    const here = guests.of(caller('here'))
    here.underWay++
    const others = ['a', 'b', 'c', 'd'].map((name) => guests.of(caller(name)))
    expect(guests.of(caller('here'))).toBe(here)
    expect(guests.of(caller('a'))).not.toBe(others[0])
  })
})

describe('of the streams that are kept', () => {
  test('a key has as many as it leaves to others', async () => {
    const counting = await open()
    stage = counting
    const kept = new KeptStreams(counting.troupe, virtualClock(), 8)
    const ref = counting.troupe.ref(Counter, 'counter')
    const keep = (name: string): boolean => kept.open(ref, endless, { caller: caller(name), address: 'counter' }, undefined) !== undefined
    expect(Array.from({ length: 6 }, () => keep('greedy'))).toEqual([true, true, true, true, false, false])
    expect(Array.from({ length: 3 }, () => keep('other'))).toEqual([true, true, false])
    kept.stop()
  })

  test('one that was taken over is not forgotten because its former reader has left, but once its last one has', async () => {
    const { troupe } = (stage = await open())
    const clock = virtualClock()
    const kept = new KeptStreams(troupe, clock)
    const owner = { caller: caller('reader'), address: 'counter' }
    const first = kept.open(troupe.ref(Counter, 'counter'), endless, owner, undefined) as Reading
    await first.chunks.next()
    const second = kept.resume(first.eventId(), owner)
    const third = kept.resume(first.eventId(), owner)
    first.left()
    second.left()
    await clock.advance('61s')
    expect((await third.chunks.next()).value).toEqual({ n: 2 })
    const fourth = kept.resume(third.eventId(), owner)
    fourth.left()
    await clock.advance('61s')
    expect(() => kept.resume(third.eventId(), owner)).toThrow(expect.objectContaining({ code: 'Gone' }) as Error)
    kept.stop()
  })
})
