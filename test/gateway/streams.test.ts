// Streams over HTTP: a reader that is slow, leaves, or comes back.
import { afterEach, describe, expect, test } from 'vitest'
import { collect, eventsOf, open, type Stage } from './shop.js'

let stage: Stage
afterEach(() => stage.troupe.stop())

const resumable = { 'troupe-resumable': 'yes' }
const codeOf = async (response: Response): Promise<unknown> => [response.status, ((await response.json()) as { code: string }).code]

describe('a stream', () => {
  test('waits for a reader that does not read', async () => {
    stage = await open()
    const response = await stage.post('/actors/counter', { type: 'count', to: 1e9, size: 10_000 })
    // Sockets on this machine hold some megabytes; a producer that ran ahead would make thousands of times that.
    let before = -1
    while (before !== stage.seen.made) {
      before = stage.seen.made
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(stage.seen.made).toBeLessThan(3_000)
    const some = await collect(eventsOf(response), stage.seen.made + 100)
    expect(some).toHaveLength(before + 100)
  })

  test('is called off when its reader leaves', async () => {
    stage = await open()
    const response = await stage.post('/actors/counter', { type: 'count', to: 1e9, size: 10_000 })
    await collect(eventsOf(response), 3)
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })

  test('that cannot begin says so by its status', async () => {
    stage = await open()
    expect(await codeOf(await stage.post('/actors/counter', { type: 'count', to: 'many' }))).toEqual([400, 'InvalidMessage'])
  })

  test('opens by GET, as a browser does it', async () => {
    stage = await open()
    const response = await stage.get(`/actors/counter?message=${encodeURIComponent('{"type":"count","to":2}')}`)
    expect((await collect(eventsOf(response))).map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, null])
    expect(await codeOf(await stage.get(`/actors/counter?message=${encodeURIComponent('{"type":"note","text":"by a link"}')}`))).toEqual([400, 'InvalidMessage'])
  })

  test('goes on after the event that its reader names', async () => {
    stage = await open()
    const message = { type: 'count', to: 10 }
    const first = await collect(eventsOf(await stage.post('/actors/counter', message, resumable)), 4)
    const rest = await collect(eventsOf(await stage.post('/actors/counter', message, { 'last-event-id': first[3]?.id ?? '' })))
    expect([...first, ...rest].map(({ data }) => (data as { n: number } | null)?.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, undefined])
  })

  test('is gone for who comes too late, guesses, or never had it', async () => {
    stage = await open()
    const message = { type: 'count', to: 1e6 }
    const [first] = await collect(eventsOf(await stage.post('/actors/counter', message, resumable)), 1)
    const id = first?.id ?? ''
    for (const wrong of [id.replace(/^\d+/, '99'), id.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), '1.1.', 'x']) {
      expect(await codeOf(await stage.post('/actors/counter', message, { 'last-event-id': wrong }))).toEqual([410, 'Gone'])
    }
    const called = await stage.get('/actors/counter', { method: 'DELETE', headers: { 'last-event-id': id } })
    expect(called.status).toBe(202)
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
    expect(await codeOf(await stage.post('/actors/counter', message, { 'last-event-id': id }))).toEqual([410, 'Gone'])
  })
})
