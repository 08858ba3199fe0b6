import { expect, onTestFinished, test } from 'vitest'
import { actor, createTroupe, event, protocol, request, type Change, type Store, type Troupe } from 'troupe'
import { memory } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { Hub, passing } from './hub.js'
import { any } from './stage.js'

const NODES = ['a', 'b']
const place = (address: string): string => (address.startsWith('far') ? 'b' : 'a')

const Sink = protocol({ put: event(any<{ n: number }>()), all: request(null, any<number[]>()) })
const sink = actor(Sink, { durable: true, state: () => ({ all: [] as number[] }), on: { put: ({ n }, me) => void me.state.all.push(n), all: (_, me) => me.state.all } })
const Source = protocol({ send: request(any<{ from: number; count: number }>(), any<null>()) })
const source = actor(Source, {
  durable: true,
  on: {
    send: ({ from, count }, me) => {
      for (let i = 0; i < count; i++) me.tell(me.ref(Sink, 'far'), { type: 'put', n: from + i })
      return null
    },
  },
})

/** A store that tells which numbers of parcels each of its batches says to have come. */
function watched(batches: number[]): () => Promise<Store> {
  return async () => {
    const store = await memory()()
    return {
      ...store,
      get: (key) => store.get(key),
      range: (from, to) => store.range(from, to),
      close: () => store.close(),
      commit: (changes: readonly Change[]) => {
        if (changes.some(({ key }) => key[0] === 'heard')) batches.push(changes.filter(({ key }) => key[0] === 'log').length)
        return store.commit(changes)
      },
    }
  }
}

test('more than 4,096 parcels for one node hold back who sends more; 1,024 of them on their way, 256 of them at a time into the store there; none is lost', async () => {
  const clock = virtualClock()
  const hub = new Hub(clock)
  const batches: number[] = []
  const node = async (name: string, store = memory()): Promise<Troupe> => {
    const troupe = await createTroupe({ clock, store, node: { name, nodes: NODES, place, transport: hub.of(name) } })
    onTestFinished(() => passing(clock, troupe.stop()))
    return troupe
  }
  const a = await node('a')
  const from = a.spawn('source', source)
  // What it sent has not left yet: its reply, and its next message, wait for that.
  const sent = from.ask({ type: 'send', from: 0, count: 5_000 }, { timeout: 'none' })
  const next = from.ask({ type: 'send', from: 5_000, count: 1 }, { timeout: 'none' })
  let isDone = false
  void sent.then(() => (isDone = true))
  await clock.advance(1_000)
  expect(isDone).toBe(false)

  const b = await node('b', watched(batches))
  const far = b.spawn('far', sink)
  await passing(clock, Promise.all([sent, next]))
  await clock.advance(5_000)
  expect(await passing(clock, far.ask({ type: 'all' }))).toEqual(Array.from({ length: 5_001 }, (_, i) => i))
  expect(Math.max(...batches)).toBe(256)
})
