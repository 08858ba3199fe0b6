// Nodes that stop, crash and come back in the middle of what they do for each other.
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { actor, event, protocol, reply, request, stream, type EventsOf, type ReturnAddress, type Troupe } from 'troupe'
import { any, gate, rejection, type Gate } from './stage.js'
import { TwoNodes } from './two-nodes.js'

const Far = protocol({
  put: event(any<{ n: number }>()),
  all: request(null, any<number[]>()),
  wait: request(null, any<string>()),
  odd: request(any<{ bytes: number }>(), any<unknown>()),
  parts: stream(any<object>(), any<unknown>()),
})

/** Keeps what is put; `wait` waits for the gate. */
function far(durable: boolean, { waits = gate<string>(), begun = [], signals = [] }: { waits?: Gate<string>; begun?: string[]; signals?: string[] } = {}) {
  return actor(Far, {
    durable,
    state: () => ({ all: [] as number[] }),
    on: {
      put: ({ n }, me) => void me.state.all.push(n),
      all: (_, me) => me.state.all,
      wait: async (_, me) => {
        begun.push('wait')
        me.signal.addEventListener('abort', () => signals.push((me.signal.reason as { code: string }).code))
        return Promise.race([waits.passed, new Promise<string>((_resolve, reject) => me.signal.addEventListener('abort', () => reject(me.signal.reason as Error)))])
      },
      odd: ({ bytes }) => new Uint8Array(bytes),
      parts: async function* () {
        yield 1
        yield new Uint8Array(16 * 2 ** 20 - 20)
      },
    },
  })
}

const Near = protocol({
  flood: event(any<{ from: number; count: number }>()),
  ask: event(any<{ to?: string }>()),
  heard: request(null, any<string[]>()),
})
/** A durable actor that floods far, or asks it and keeps what it heard. */
function near(timeout: 'none' | number = 'none') {
  return actor(Near, {
    durable: true,
    state: () => ({ heard: [] as string[] }),
    on: {
      flood: ({ from, count }, me) => {
        for (let n = from; n < from + count; n++) me.tell(me.ref(Far, 'far'), { type: 'put', n })
      },
      ask: async ({ to = 'far' }, me) => {
        const asked = me.ask(me.ref(Far, to), { type: 'wait' }, { timeout })
        me.state.heard.push(await asked.catch((error: { code: string }) => error.code))
      },
      heard: (_, me) => me.state.heard,
    },
  })
}
const heard = (stage: TwoNodes, a: Troupe, name = 'near'): Promise<string[]> => stage.pass(a.ref(Near, name).ask({ type: 'heard' }))
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test('mail of a durable actor that comes while its node stops is handled in that node’s next life', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  const from = a.spawn('near', near())
  b.spawn('far', far(true))
  // A volatile handler that does not heed its signal: the other actors have ended long before the node has.
  const Deaf = protocol({ hold: event() })
  const end = gate()
  b.spawn('far-deaf', actor(Deaf, { on: { hold: () => end.passed } }))
  void b.ref(Deaf, 'far-deaf').tell({ type: 'hold' })
  await stage.clock.advance(5)
  const stopped = b.stop({ within: '1s' })
  for (let n = 0; n < 40; n++) {
    void from.tell({ type: 'flood', from: n, count: 1 })
    await stage.clock.advance(100)
  }
  end.open()
  await stage.pass(stopped)
  const next = await stage.node('b')
  const ref = next.spawn('far', far(true))
  await stage.clock.advance(10_000)
  expect(await stage.pass(ref.ask({ type: 'all' }))).toEqual(numbers(40))
})

test.each([true, false])('a node stops while its durable actor waits for one on another node (durable: %s): the next life hears of it', async (durable) => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  const waits = gate<string>()
  b.spawn('far', far(durable, { waits }))
  void a.spawn('near', near()).tell({ type: 'ask' })
  await stage.clock.advance(50)
  await stage.pass(a.stop({ within: '1s' }))
  await stage.clock.advance(50)
  waits.open('done')
  const next = await stage.node('a')
  next.spawn('near', near())
  await stage.clock.advance(10_000)
  // What a volatile actor knew is lost with the life that it would have told.
  expect(await heard(stage, next)).toEqual([durable ? 'done' : 'Interrupted'])
})

test('two stops in a row: a durable actor that has only waited since its restart does not call its ask off', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  const waits = gate<string>()
  const signals: string[] = []
  b.spawn('far', far(true, { waits, signals }))
  void a.spawn('near', near()).tell({ type: 'ask' })
  await stage.clock.advance(50)
  for (let life = 0; life < 2; life++) {
    const next = await stage.node('a')
    next.spawn('near', near())
    await stage.clock.advance(500)
    await stage.pass(next.stop({ within: '1s' }))
  }
  waits.open('done')
  const last = await stage.node('a')
  last.spawn('near', near())
  await stage.clock.advance(10_000)
  expect([await heard(stage, last), signals]).toEqual([['done'], []])
})

test('the end of the asked node is no end of the asker: its durable handler hears Interrupted and goes on', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  b.spawn('far', far(false))
  void a.spawn('near', near()).tell({ type: 'ask' })
  await stage.clock.advance(50)
  await stage.pass(b.stop({ within: '1s' }))
  await stage.clock.advance(100)
  expect(await heard(stage, a)).toEqual(['Interrupted'])
})

test('a node without a store is not given again what its former life may have done', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const begun: string[] = []
  const volatile = { store: undefined as never }
  const b = await stage.node('b', volatile)
  b.spawn('far', far(false, { begun }))
  void a.spawn('near', near()).tell({ type: 'ask' })
  await stage.clock.advance(500)
  expect(begun).toEqual(['wait'])
  const next = await stage.node('b', volatile)
  next.spawn('far', far(false, { begun }))
  await stage.clock.advance(10_000)
  expect([begun, await heard(stage, a)]).toEqual([['wait'], ['Interrupted']])
})

test('a flood to a durable actor that is slow arrives in full and in order; the sender is held back meanwhile', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  const slow = gate()
  const ref = b.spawn('far', actor(Far, {
    durable: true,
    state: () => ({ all: [] as number[] }),
    on: {
      put: async ({ n }, me) => {
        if (n === 0) await slow.passed
        me.state.all.push(n)
      },
      all: (_, me) => me.state.all,
      wait: () => '',
      odd: () => null,
      parts: async function* () {},
    },
  }))
  const from = a.spawn('near', near())
  for (let n = 0; n < 6_000; n += 1_000) void from.tell({ type: 'flood', from: n, count: 1_000 })
  await stage.clock.advance(5_000)
  slow.open()
  await stage.clock.advance(20_000)
  expect(b.deadLetters.list()).toEqual([])
  expect(await stage.pass(ref.ask({ type: 'all' }))).toEqual(numbers(6_000))
})

test('an actor that cannot be woken keeps no mail from others', async () => {
  const stage = new TwoNodes()
  const first = await stage.node('b')
  await stage.pass(first.keyed('far', far(true))('x').tell({ type: 'put', n: 1 }))
  await stage.clock.advance(5)
  await stage.pass(first.stop())
  const store = await (stage.stores['b'] as NonNullable<(typeof stage.stores)[string]>)()
  await store.commit([{ kind: 'put', key: ['actor', 'far/x'], value: Uint8Array.of(0xc1, 1, 2, 3, 4, 5, 6) }])
  const a = await stage.node('a')
  const b = await stage.node('b')
  const fars = b.keyed('far', far(true))
  const Sender = protocol({ go: event() })
  const from = a.spawn('sender', actor(Sender, {
    durable: true,
    on: {
      go: (_, me) => {
        me.tell(me.ref(Far, 'far/x'), { type: 'put', n: 2 })
        me.tell(me.ref(Far, 'far/y'), { type: 'put', n: 3 })
      },
    },
  }))
  const asker = a.spawn('near', near())
  void asker.tell({ type: 'ask', to: 'far/x' })
  void from.tell({ type: 'go' })
  await stage.clock.advance(1_000)
  expect(await stage.pass(fars('y').ask({ type: 'all' }))).toEqual([3])
  expect(await heard(stage, a)).toEqual(['StoreCorrupt'])
})

const Desk = protocol({ wait: request(null, any<string>()), open: event(), nothing: event() })
interface Waiting {
  readonly who: readonly ReturnAddress<string>[]
}
const desk = actor(Desk, setup({ types: { events: {} as EventsOf<typeof Desk>, context: {} as Waiting } }).createMachine({
  context: { who: [] },
  on: {
    nothing: { actions: assign({}) },
    wait: { actions: assign({ who: ({ context, event }) => [...context.who, event.from] }) },
    open: { actions: [reply('welcome', { to: ({ context }: { context: Waiting }) => context.who[0] }), assign({ who: ({ context }) => context.who.slice(1) })] },
  },
}), { durable: true })

test('a durable chart answers a durable asker of another node in a later step, and in a later life', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  let door = b.spawn('far', desk)
  for (const name of ['near', 'near-too']) void a.spawn(name, near()).tell({ type: 'ask' })
  await stage.clock.advance(100)
  void door.tell({ type: 'nothing' })
  void door.tell({ type: 'open' })
  await stage.clock.advance(100)
  expect(await heard(stage, a)).toEqual(['welcome'])
  door = (await stage.node('b')).spawn('far', desk)
  await stage.clock.advance(1_000)
  void door.tell({ type: 'nothing' })
  void door.tell({ type: 'open' })
  await stage.clock.advance(1_000)
  expect(await heard(stage, a, 'near-too')).toEqual(['welcome'])
})

test('what cannot be packed, or is too large for the way, fails its asker and nobody else', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  b.spawn('far', far(false))
  const ref = a.ref(Far, 'far')
  expect(await stage.pass(rejection(ref.ask({ type: 'odd', bytes: 16 * 2 ** 20 - 20 })))).toMatchObject({ code: 'InvalidMessage' })
  const read = async (): Promise<void> => {
    for await (const _ of ref.stream({ type: 'parts' }));
  }
  expect(await stage.pass(rejection(read()))).toMatchObject({ code: 'InvalidMessage' })
  expect(await stage.pass(ref.ask({ type: 'all' }))).toEqual([])
})

test('an ask that is called off at once is called off there too', async () => {
  const stage = new TwoNodes()
  const a = await stage.node('a')
  const b = await stage.node('b')
  stage.slow('b', 20)
  const signals: string[] = []
  b.spawn('far', far(false, { signals }))
  b.spawn('far-durable', far(true, { signals }))
  for (const to of ['far', 'far-durable']) void a.spawn(`near-${to}`, near(10)).tell({ type: 'ask', to })
  await stage.clock.advance(3_000)
  for (const to of ['far', 'far-durable']) expect(await heard(stage, a, `near-${to}`)).toEqual(['DeadlineExceeded'])
  for (const to of ['far', 'far-durable']) expect(await stage.pass(b.ref(Far, to).ask({ type: 'all' }, { timeout: 500 }))).toEqual([])
})

test.each([['a', ['actor', '@b']], ['b', ['heard', 'a']]] as const)('a damaged record of node %s about the other, %j: it is told, and all that does not need it works', async (whose, key) => {
  const stage = new TwoNodes()
  const lives = [await stage.node('a'), await stage.node('b')] as const
  lives[1].spawn('far', far(true))
  await stage.pass(lives[0].spawn('near', near()).tell({ type: 'flood', from: 0, count: 3 }))
  await stage.clock.advance(1_000)
  await stage.pass(Promise.all(lives.map((troupe) => troupe.stop())))
  const store = await (stage.stores[whose] as NonNullable<(typeof stage.stores)[string]>)()
  expect(store.get(key)).toBeDefined()
  await store.commit([{ kind: 'put', key, value: Uint8Array.of(0xc1, 1, 2, 3, 4, 5, 6) }])
  const a = await stage.node('a')
  const b = await stage.node('b')
  const ref = b.spawn('far', far(true))
  void a.spawn('near', near()).tell({ type: 'flood', from: 3, count: 1 })
  await stage.pass(a.ref(Far, 'far').tell({ type: 'put', n: 10 }))
  await stage.clock.advance(5_000)
  // Once what has come is not known, nothing durable is taken any more: it stays with its sender.
  expect(new Set(await stage.pass(ref.ask({ type: 'all' })))).toEqual(new Set(whose === 'a' ? [0, 1, 2, 3, 10] : [0, 1, 2, 10]))
  expect((await stage.pass(ref.ask({ type: 'all' }))).length).toBe(whose === 'a' ? 5 : 4)
  expect(stage.logged.filter((line) => line.includes('StoreCorrupt') || line.includes('damaged'))).not.toEqual([])
})
