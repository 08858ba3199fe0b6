import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, stream, type ActorEnding, type Troupe, type TroupeOptions } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { pack } from '../../src/runtime/codec.js'
import { Hub, passing } from './hub.js'
import { any, gate, rejection } from './stage.js'

const Counter = protocol({
  add: event(any<{ by: number }>()),
  bytes: event(any<{ bytes: Uint8Array }>()),
  total: request(null, any<number>()),
  fail: request(null, any<null>()),
  wait: request(null, any<null>()),
  count: stream(any<{ to: number }>(), any<number>()),
})

function counting(seen: { by: number[]; signals: string[] } = { by: [], signals: [] }) {
  return actor(Counter, {
    state: () => ({ total: 0 }),
    on: {
      add: ({ by }, me) => {
        seen.by.push(by)
        me.state.total += by
      },
      bytes: () => {},
      total: (_, me) => me.state.total,
      fail: () => {
        throw new Error('no')
      },
      wait: async (_, me) => {
        await new Promise((resolve) => me.signal.addEventListener('abort', resolve))
        seen.signals.push((me.signal.reason as { code: string }).code)
        return null
      },
      count: async function* ({ to }, me) {
        try {
          for (let i = 1; i <= to; i++) yield i
        } finally {
          me.log(`left at`)
        }
      },
    },
  })
}

const NODES = ['a', 'b']
/** Addresses that begin with `far` are b's. */
const place = (address: string): string => (address.startsWith('far') ? 'b' : 'a')

class Stage {
  readonly clock: VirtualClock = virtualClock()
  readonly hub = new Hub(this.clock)
  readonly logged: string[] = []

  async node(name: string, options: Partial<TroupeOptions> = {}): Promise<Troupe> {
    const troupe = await createTroupe({ clock: this.clock, node: { name, nodes: NODES, place, transport: this.hub.of(name) }, log: (who, words) => void this.logged.push(`${who} ${words.map(String).join(' ')}`), ...options })
    onTestFinished(() => passing(this.clock, troupe.stop()))
    return troupe
  }
  both(options: Partial<TroupeOptions> = {}): Promise<[Troupe, Troupe]> {
    return Promise.all([this.node('a', options), this.node('b', options)])
  }
  pass<T>(promise: Promise<T>, mostMs?: number): Promise<T> {
    return passing(this.clock, promise, mostMs)
  }
}

test('one program on two nodes: each actor runs where it is placed, and is reached from anywhere', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const [fromA, fromB] = [a.spawn('far', counting()), b.spawn('far', counting())]
  await stage.pass(fromA.tell({ type: 'add', by: 2 }))
  await stage.pass(fromB.tell({ type: 'add', by: 3 }))
  expect(await stage.pass(Promise.all([fromA.ask({ type: 'total' }), fromB.ask({ type: 'total' })]))).toEqual([5, 5])
})

test('keys are spread over the nodes, and each key runs on one of them', async () => {
  const stage = new Stage()
  const nodes = { name: 'a', nodes: NODES }
  const [a, b] = await Promise.all(NODES.map((name) => stage.node(name, { node: { ...nodes, name, transport: stage.hub.of(name) } })))
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  const [ofA, ofB] = [a, b].map((troupe) => (troupe as Troupe).keyed('counter', counting()))
  for (const key of keys) await stage.pass(Promise.all([ofA!(key).tell({ type: 'add', by: 1 }), ofB!(key).tell({ type: 'add', by: 1 })]))
  for (const key of keys) expect(await stage.pass(ofA!(key).ask({ type: 'total' }))).toBe(2)
  const sent = stage.hub.sent
  await stage.pass(Promise.all(keys.map((key) => ofA!(key).ask({ type: 'total' }))))
  expect(stage.hub.sent).toBeGreaterThan(sent)
})

test('a stream over nodes comes whole and in order, and its reader leaving ends it there', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  b.spawn('far', counting())
  const seen: number[] = []
  const read = async (most: number): Promise<void> => {
    for await (const n of a.ref(Counter, 'far').stream({ type: 'count', to: 500 })) if (seen.push(n) === most) return
  }
  await stage.pass(read(Infinity))
  expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
  seen.length = 0
  await stage.pass(read(3))
  await stage.clock.settle()
  expect(stage.logged.filter((line) => line.includes('left at'))).toHaveLength(2)
})

test('over a network that loses, doubles, delays and mixes up, everything comes once and in order', async () => {
  const stage = new Stage()
  const { clock, hub } = stage
  hub.fate = () => (clock.random() < 0.3 ? [] : Array.from({ length: clock.random() < 0.3 ? 2 : 1 }, () => Math.floor(clock.random() * 40)))
  const [a, b] = await stage.both()
  const seen = { by: [] as number[], signals: [] }
  b.spawn('far', counting(seen))
  const far = a.ref(Counter, 'far')
  const numbers = Array.from({ length: 300 }, (_, i) => i)
  const told = numbers.map((by) => far.tell({ type: 'add', by }))
  const asked = Array.from({ length: 30 }, () => far.ask({ type: 'total' }))
  const chunks: number[] = []
  const streamed = (async () => {
    for await (const n of far.stream({ type: 'count', to: 200 })) chunks.push(n)
  })()
  await stage.pass(Promise.all([...told, ...asked, streamed]))
  expect(seen.by).toEqual(numbers)
  expect(chunks).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
  expect(await stage.pass(Promise.all(asked))).toEqual(asked.map(() => 44_850))
})

test('every failure there arrives here with its code', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  b.spawn('far', counting())
  const far = a.ref(Counter, 'far')
  const refused = (promise: Promise<unknown>) => stage.pass(rejection(promise))
  expect(await refused(far.ask({ type: 'fail' }))).toMatchObject({ code: 'ActorFailed' })
  expect(await refused(a.ref(Counter, 'far-away').ask({ type: 'total' }))).toMatchObject({ code: 'NoSuchActor' })
  expect(await refused(a.ref(Counter, 'far-away').tell({ type: 'add', by: 1 }))).toMatchObject({ code: 'NoSuchActor' })
  const Other = protocol({ strange: request(null, any<null>()) })
  expect(await refused(a.ref(Other, 'far').ask({ type: 'strange' }))).toMatchObject({ code: 'Unhandled' })
  expect(await refused(far.ask({ type: 'wait' }, { timeout: 50 }))).toMatchObject({ code: 'DeadlineExceeded' })
  expect(await refused(far.tell({ type: 'bytes', bytes: new Uint8Array(16 * 2 ** 20 - 100) }))).toMatchObject({ code: 'InvalidMessage' })
})

test('a message from another node is checked whatever the sends inside are', async () => {
  const stage = new Stage()
  const Strict = protocol({ add: event(z.object({ by: z.number() })) })
  const [a, b] = await stage.both({ check: 'boundary' })
  b.spawn('far', actor(Strict, { on: { add: () => {} } }))
  expect(await stage.pass(rejection(a.ref(Strict, 'far').tell({ type: 'add', by: 'x' } as never)))).toMatchObject({ code: 'InvalidMessage' })
})

test('a cancel reaches the handler on the other node', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const seen = { by: [], signals: [] as string[] }
  b.spawn('far', counting(seen))
  const abort = new AbortController()
  const asked = rejection(a.ref(Counter, 'far').ask({ type: 'wait' }, { signal: abort.signal }))
  await stage.clock.advance(5)
  abort.abort()
  expect(await stage.pass(asked)).toMatchObject({ code: 'Cancelled' })
  await stage.clock.advance(5)
  expect(seen.signals).toEqual(['Cancelled'])
})

test('stop and watch reach an actor on another node, and watching one that is nobody says so', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const far = b.spawn('far', counting())
  const here = a.ref(Counter, 'far')
  const ended = here.watch()
  const abort = new AbortController()
  const left = rejection(here.watch({ signal: abort.signal }))
  await stage.clock.advance(5)
  abort.abort()
  expect(await stage.pass(left)).toMatchObject({ code: 'Cancelled' })
  await stage.pass(here.stop())
  expect(await stage.pass(ended)).toEqual({ kind: 'stopped' })
  expect(await stage.pass(far.watch())).toEqual({ kind: 'no-such-actor' })
  expect(await stage.pass(here.watch())).toEqual({ kind: 'no-such-actor' })
})

test('an actor watches one on another node', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const Watcher = protocol({ gone: event(any<{ ending: ActorEnding }>()) })
  const told = gate<ActorEnding>()
  const far = b.spawn('far', counting())
  a.spawn('watcher', actor(Watcher, { started: (me) => me.watch(me.ref(Counter, 'far'), (ending) => ({ type: 'gone', ending })), on: { gone: ({ ending }) => told.open(ending) } }))
  await stage.clock.advance(5)
  await stage.pass(far.stop())
  expect(await stage.pass(told.passed)).toEqual({ kind: 'stopped' })
})

test('a topic reaches its subscribers on every node, each once', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const here = { by: [] as number[], signals: [] }
  const there = { by: [] as number[], signals: [] }
  a.subscribe('news.*', a.spawn('near', counting(here)))
  b.subscribe('news.>', b.spawn('far', counting(there)))
  for (const by of [1, 2, 3]) await stage.pass(a.publish('news.today', { type: 'add', by }))
  await stage.pass(b.publish('news.today', { type: 'add', by: 4 }))
  await stage.clock.advance(5)
  expect([here.by, there.by]).toEqual([[1, 2, 3, 4], [1, 2, 3, 4]])
})

test('a node that stops says so: what was open there is Interrupted at once', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  b.spawn('far', counting())
  const far = a.ref(Counter, 'far')
  const watched = far.watch()
  const asked = rejection(far.ask({ type: 'wait' }, { timeout: 'none' }))
  await stage.clock.advance(5)
  await stage.pass(b.stop())
  expect(['Cancelled', 'Interrupted']).toContain((await stage.pass(asked)).code)
  expect(['stopped', 'failed']).toContain((await stage.pass(watched)).kind)
})

test('a node that began anew has lost what was open; what is sent from now on arrives', async () => {
  const stage = new Stage()
  const a = await stage.node('a')
  const crashed = await stage.node('b')
  crashed.spawn('far', counting())
  const far = a.ref(Counter, 'far')
  const asked = rejection(far.ask({ type: 'wait' }, { timeout: 'none' }))
  await stage.clock.advance(5)
  const b = await stage.node('b')
  b.spawn('far', counting())
  expect(await stage.pass(rejection(far.tell({ type: 'add', by: 1 })))).toMatchObject({ code: 'Interrupted', details: { node: 'b' } })
  expect(await stage.pass(asked)).toMatchObject({ code: 'Interrupted' })
  await stage.pass(far.tell({ type: 'add', by: 2 }))
  expect(await stage.pass(far.ask({ type: 'total' }))).toBe(2)
})

test('a node that is silent for half a minute is given up, and is welcome when it is back', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const seen = { by: [] as number[], signals: [] as string[] }
  b.spawn('far', counting(seen))
  const far = a.ref(Counter, 'far')
  await stage.pass(far.tell({ type: 'add', by: 1 }))
  const open = rejection(far.ask({ type: 'wait' }, { timeout: 'none' }))
  await stage.clock.advance(5)
  stage.hub.fate = () => []
  expect(await stage.pass(rejection(far.tell({ type: 'add', by: 2 })))).toMatchObject({ code: 'Interrupted' })
  expect(await open).toMatchObject({ code: 'Interrupted' })
  expect(a.deadLetters.list().at(-1)).toMatchObject({ type: 'add', reason: 'node-lost' })
  stage.hub.fate = () => [0]
  await stage.pass(far.tell({ type: 'add', by: 3 }))
  expect(await stage.pass(far.ask({ type: 'total' }))).toBe(4)
  expect(seen.signals).toEqual(['Cancelled'])
})

test('who waits for a node that is gone is told so, though nothing more was said to it', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  const seen = { by: [], signals: [] as string[] }
  b.spawn('far', counting(seen))
  b.spawn('far-too', counting(seen))
  const asked = rejection(a.ref(Counter, 'far').ask({ type: 'wait' }, { timeout: 'none' }))
  const chunks = a.ref(Counter, 'far-too').stream({ type: 'count', to: 1_000 })
  await stage.pass(chunks.next())
  // All that was said has been acknowledged.
  await stage.clock.advance(5_000)
  stage.hub.fate = () => []
  expect(await stage.pass(asked)).toMatchObject({ code: 'Interrupted' })
  await stage.clock.advance(45_000)
  expect(seen.signals).toEqual(['Cancelled'])
  expect(stage.logged.filter((line) => line.includes('left at'))).toHaveLength(1)
})

test('a reader who is slower than its stream on another node gets all of it', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  b.spawn('far', counting())
  let count = 0
  await stage.pass(
    (async () => {
      for await (const n of a.ref(Counter, 'far').stream({ type: 'count', to: 300 })) {
        expect(n).toBe(++count)
        await new Promise<void>((resolve) => stage.clock.timer(n % 40 === 0 ? 50 : 1, resolve))
      }
    })(),
  )
  expect(count).toBe(300)
})

test('a schedule that every node sets runs on the node of its receiver alone', async () => {
  const stage = new Stage()
  const nodes = await stage.both()
  const seen = { by: [] as number[], signals: [] }
  for (const troupe of nodes) {
    const counters = troupe.keyed('far', counting(seen))
    await troupe.schedule('hourly', { every: '1h', to: counters('x'), message: { type: 'add', by: 1 } })
  }
  await stage.clock.advance('3h')
  expect(seen.by).toEqual([1, 1, 1])
})

test('bytes that nobody understands harm nobody', async () => {
  const stage = new Stage()
  const [a, b] = await stage.both()
  b.spawn('far', counting())
  const stranger = stage.hub.of('c')
  stranger.open(() => {})
  for (let i = 0; i < 200; i++) {
    const bytes = Uint8Array.from({ length: 1 + (i % 50) }, () => Math.floor(stage.clock.random() * 256))
    stranger.send('b', bytes)
    stage.hub.fate = () => [0]
  }
  await stage.pass(a.ref(Counter, 'far').tell({ type: 'add', by: 1 }))
  expect(await stage.pass(a.ref(Counter, 'far').ask({ type: 'total' }))).toBe(1)
})

test('what a node says in bytes that nobody understands is as good as lost', async () => {
  const stage = new Stage()
  const b = await stage.node('b')
  b.spawn('far', counting())
  const raw = stage.hub.of('a')
  raw.open(() => {})
  for (let i = 0; i < 500; i++) raw.send('b', Uint8Array.from({ length: 1 + (i % 50) }, () => Math.floor(stage.clock.random() * 256)))
  await stage.clock.advance(5)
  expect(stage.logged.filter((line) => line.includes('cannot be understood'))).toHaveLength(1)
  for (let i = 0; i < 3; i++) raw.send('b', pack([2, 'greeting', 'of a later version']))
  await stage.clock.advance(5)
  expect(stage.logged.filter((line) => line.includes('speaks version 2'))).toHaveLength(1)
  const a = await stage.node('a')
  await stage.pass(a.ref(Counter, 'far').tell({ type: 'add', by: 1 }))
})

test('4,096 messages may be on their way to a node; then a sender waits, and leaves when it likes', async () => {
  const stage = new Stage()
  const a = await stage.node('a')
  const far = a.ref(Counter, 'far')
  const told = Array.from({ length: 4_096 }, (_, by) => far.tell({ type: 'add', by }))
  const abort = new AbortController()
  const waiting = rejection(far.tell({ type: 'add', by: -1 }, { signal: abort.signal }))
  abort.abort()
  expect(await stage.pass(waiting)).toMatchObject({ code: 'Cancelled' })
  for (let i = 0; i < 1_024; i++) void far.tell({ type: 'add', by: -2 })
  expect(await stage.pass(rejection(far.tell({ type: 'add', by: -3 })))).toMatchObject({ code: 'Overloaded' })
  const seen = { by: [] as number[], signals: [] }
  const b = await stage.node('b')
  b.spawn('far', counting(seen))
  await stage.pass(Promise.all(told))
  await stage.clock.advance(1_000)
  expect(seen.by.length).toBe(4_096 + 1_024)
})

test('64 MiB of messages may be on their way to a node', async () => {
  const stage = new Stage()
  const a = await stage.node('a')
  const far = a.ref(Counter, 'far')
  const bytes = new Uint8Array(15 * 2 ** 20)
  for (let i = 0; i < 4; i++) void far.tell({ type: 'bytes', bytes })
  const abort = new AbortController()
  const waiting = rejection(far.tell({ type: 'bytes', bytes }, { signal: abort.signal }))
  await stage.clock.advance(1)
  abort.abort()
  expect(await stage.pass(waiting)).toMatchObject({ code: 'Cancelled' })
})

test('a troupe of nodes is told at once what is wrong with it', async () => {
  const stage = new Stage()
  const make = (name: string, nodes: string[], placed?: string) => rejection(createTroupe({ clock: stage.clock, node: { name, nodes, transport: stage.hub.of(name), ...(placed !== undefined && { place: () => placed }) } }).then((troupe) => troupe.spawn('x', counting())))
  expect(await make('c', ['a', 'b'])).toMatchObject({ code: 'InvalidDefinition' })
  expect(await make('a', ['a', 'a'])).toMatchObject({ code: 'InvalidDefinition' })
  expect(await make('a', ['a', 'b b'])).toMatchObject({ code: 'InvalidDefinition' })
  expect(await make('n0', Array.from({ length: 65 }, (_, i) => `n${i}`))).toMatchObject({ code: 'InvalidDefinition', message: expect.stringContaining('65 nodes are more than 64') as unknown })
  expect(await make('a', ['a', 'b'], 'z')).toMatchObject({ code: 'InvalidDefinition', message: expect.stringContaining('z') as unknown })
})

test('an ask of a durable actor to one on another node, and what it tells, count there and here', async () => {
  const stage = new Stage()
  const Desk = protocol({ order: request(any<{ by: number }>(), any<number>()) })
  const [a, b] = await Promise.all([stage.node('a', { store: memory() }), stage.node('b', { store: memory() })])
  const seen = { by: [] as number[], signals: [] }
  const { definition } = { definition: counting(seen) }
  b.spawn('far', definition)
  b.spawn('far-durable', actor(Counter, { durable: true, state: () => ({ total: 0 }), on: { add: ({ by }, me) => void (me.state.total += by), bytes: () => {}, total: (_, me) => me.state.total, fail: () => { throw new Error('no') }, wait: () => null, count: async function* () {} } }))
  const desk = a.spawn('desk', actor(Desk, {
    durable: true,
    on: {
      order: async ({ by }, me) => {
        me.tell(me.ref(Counter, 'far'), { type: 'add', by })
        me.tell(me.ref(Counter, 'far-durable'), { type: 'add', by: 10 * by })
        const one = await me.ask(me.ref(Counter, 'far'), { type: 'total' })
        const other = await me.ask(me.ref(Counter, 'far-durable'), { type: 'total' })
        const failed = await me.ask(me.ref(Counter, 'far-durable'), { type: 'fail' }).then(() => 0, () => 1_000)
        return one + other + failed
      },
    },
  }))
  expect(await stage.pass(desk.ask({ type: 'order', by: 1 }))).toBe(1_011)
  expect(await stage.pass(desk.ask({ type: 'order', by: 2 }))).toBe(1_033)
  expect(seen.by).toEqual([1, 2])
})
