// The child machines of a durable chart survive restarts with their state, their mail and their timers.
import { describe, expect, test } from 'vitest'
import { assign, enqueueActions, sendParent, sendTo, setup } from 'xstate'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, reply, request, type Change, type EventsOf, type MessageOf, type OpenStore, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'

async function ended(troupe: Troupe, clock: VirtualClock): Promise<void> {
  const stopped = troupe.stop()
  await clock.advance('10s')
  await stopped
}

const Order = protocol({ begin: event(), item: event(z.object({ n: z.number() })), look: request(null, z.string()) })
type Packed = { readonly type: 'packed'; readonly n: number } | { readonly type: 'slow' }

/** Packs until it has three things, and tells its parent of each, and that it is slow when that takes an hour. */
const packing = setup({ types: { events: {} as { type: 'item'; n: number }, context: {} as { items: number[]; box: string }, input: {} as { box: string }, output: {} as string } }).createMachine({
  context: ({ input }) => ({ items: [], box: input.box }),
  initial: 'packing',
  states: {
    packing: {
      after: { 3_600_000: { actions: sendParent({ type: 'slow' }) } },
      on: { item: { actions: [assign({ items: ({ context, event: { n } }) => [...context.items, n] }), sendParent(({ event: { n } }) => ({ type: 'packed', n }))] } },
      always: { guard: ({ context }) => new Set(context.items).size >= 3, target: 'packed' },
    },
    packed: { type: 'final' },
  },
  output: ({ context }) => `${context.box}: ${context.items.join(' ')}`,
})

const orders = (logic: typeof packing = packing) =>
  actor(
    Order,
    setup({ types: { events: {} as EventsOf<typeof Order> | Packed, context: {} as { told: number[]; slow: number; box: string } }, actors: { packing: logic } }).createMachine({
      context: { told: [], slow: 0, box: '' },
      initial: 'open',
      on: {
        look: { actions: reply(({ context: { told, slow, box } }) => `${told.join(' ')}, slow ${slow}, ${box}`) },
        packed: { actions: assign({ told: ({ context, event: { n } }) => [...context.told, n] }) },
        slow: { actions: assign({ slow: ({ context }) => context.slow + 1 }) },
      },
      states: {
        open: { on: { begin: 'packing' } },
        packing: {
          invoke: { src: 'packing', id: 'pack', input: { box: 'red' }, onError: 'packed', onDone: { target: 'packed', actions: assign({ box: ({ event: { output } }) => output }) } },
          on: { item: { actions: sendTo('pack', ({ event: { n } }) => ({ type: 'item' as const, n })) } },
        },
        packed: { on: { item: {} } },
      },
    }),
    { durable: true },
  )

test('an invoked machine goes on in its state, with its mail, and its timer keeps its moment', async () => {
  const store = memory()
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  const one = first.keyed('order', orders())('a')
  await one.tell({ type: 'begin' })
  await one.tell({ type: 'item', n: 1 })
  await clock.advance('50m')
  await ended(first, clock)

  const second = await createTroupe({ store, clock })
  const two = second.keyed('order', orders())('a')
  await two.tell({ type: 'item', n: 2 })
  await clock.advance('5m')
  expect(await two.ask({ type: 'look' })).toBe('1 2, slow 0, ')
  await ended(second, clock)
  await clock.advance('10m')

  // Its timer came due meanwhile: that brings the whole family back, though nobody sends anything.
  const third = await createTroupe({ store, clock })
  const three = third.keyed('order', orders())('a')
  await clock.advance('1s')
  expect(await three.ask({ type: 'look' })).toBe('1 2, slow 1, ')
  await three.tell({ type: 'item', n: 3 })
  await clock.settle()
  expect(await three.ask({ type: 'look' })).toBe('1 2 3, slow 1, red: 1 2 3')
  await ended(third, clock)
})

test("a child's alarm wakes its keyed family at its moment after a restart", async () => {
  const store = memory()
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  await first.keyed('order', orders())('a').tell({ type: 'begin' })
  await clock.advance('1m')
  await ended(first, clock)
  const second = await createTroupe({ store, clock })
  const heard: string[] = []
  second.inspect(({ kind, type, to }) => void (kind === 'sent' && heard.push(`${type} to ${to}`)))
  second.keyed('order', orders())
  await clock.advance('50m')
  expect(heard).toEqual([])
  await clock.advance('10m')
  expect(heard).toEqual(['slow to order/a'])
  await ended(second, clock)
})

// ── crashes ─────────────────────────────────────────────────────────────────────────────────────

/** A store that notes what is committed, batch by batch. */
function noted(): { readonly store: OpenStore; readonly batches: (readonly Change[])[] } {
  const batches: (readonly Change[])[] = []
  const open = memory()
  const store: OpenStore = async () => {
    const inner = await open()
    return { commit: (changes) => (batches.push(changes.map((change) => (change.kind === 'put' ? { ...change, value: change.value.slice() } : change))), inner.commit(changes)), get: (key) => inner.get(key), range: (from, to) => inner.range(from, to), close: () => inner.close() }
  }
  return { store, batches }
}

/** The store as a crash after so many batches leaves it. */
async function after(batches: readonly (readonly Change[])[], count: number): Promise<OpenStore> {
  const open = memory()
  const store = await open()
  for (const changes of batches.slice(0, count)) await store.commit(changes)
  return open
}

test('a crash after every single commit: each thing is packed and told of once, and the order is packed', async () => {
  const clock = virtualClock()
  const { store, batches } = noted()
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.keyed('order', orders())('a')
  /** How many commits there were when each message was accepted. */
  const acceptedAt: number[] = []
  await ref.tell({ type: 'begin' })
  acceptedAt.push(batches.length)
  for (const n of [1, 2, 3]) {
    await ref.tell({ type: 'item', n })
    acceptedAt.push(batches.length)
  }
  await clock.settle()
  expect(await ref.ask({ type: 'look' })).toBe('1 2 3, slow 0, red: 1 2 3')
  const all = batches.length
  await ended(troupe, clock)

  for (let crash = acceptedAt[0] as number; crash <= all; crash++) {
    const later = virtualClock({ start: clock.now() })
    const again = await createTroupe({ store: await after(batches, crash), clock: later })
    const second = again.keyed('order', orders())('a')
    await later.settle()
    const accepted = acceptedAt.filter((at) => at <= crash).length - 1
    for (let n = accepted + 1; n <= 3; n++) await second.tell({ type: 'item', n })
    await later.settle()
    const [told = '', , box = ''] = (await second.ask({ type: 'look' })).split(', ')
    const once = (list: string, n: number): number => list.split(' ').filter((word) => word === `${n}`).length
    for (const n of [1, 2, 3].slice(0, accepted)) expect([crash, n, once(told, n), once(box, n)]).toEqual([crash, n, 1, 1])
    expect([crash, box]).toEqual([crash, expect.stringMatching(/^red: .*3$/)])
    await ended(again, later)
  }
})

describe('a child that its chart lets go', () => {
  const Desk = protocol({ open: event(z.object({ name: z.string() })), close: event(z.object({ name: z.string() })), note: event(z.object({ to: z.string(), word: z.string() })), look: event(z.object({ to: z.string() })), seen: request(null, z.array(z.string())) })
  const page = setup({ types: { events: {} as { type: 'note'; word: string } | { type: 'look' }, context: {} as { words: string[] } } }).createMachine({
    context: { words: [] },
    on: { note: { actions: assign({ words: ({ context, event: { word } }) => [...context.words, word] }) }, look: { actions: sendParent(({ context }) => ({ type: 'page', words: context.words.join(' ') })) } },
  })
  const folder = setup({ types: { events: {} as { type: 'note'; word: string } | { type: 'look' } | { type: 'page'; words: string } }, actors: { page } }).createMachine({
    invoke: { src: 'page', id: 'page' },
    on: { note: { actions: sendTo('page', ({ event }) => event) }, look: { actions: sendTo('page', ({ event }) => event) }, page: { actions: sendParent(({ event }) => event) } },
  })
  const desk = actor(
    Desk,
    setup({ types: { events: {} as EventsOf<typeof Desk> | { type: 'page'; words: string }, context: {} as { seen: string[] } }, actors: { folder } }).createMachine({
      context: { seen: [] },
      on: {
        open: { actions: enqueueActions(({ event: { name }, enqueue }) => enqueue.spawnChild('folder', { id: name })) },
        close: { actions: enqueueActions(({ event: { name }, enqueue }) => enqueue.stopChild(name)) },
        note: { actions: sendTo(({ event: { to } }) => to, ({ event: { word } }) => ({ type: 'note', word })) },
        look: { actions: sendTo(({ event: { to } }) => to, { type: 'look' }) },
        page: { actions: assign({ seen: ({ context, event: { words } }) => [...context.seen, words] }) },
        seen: { actions: reply(({ context }) => context.seen) },
      },
    }),
    { durable: true },
  )

  test('a grandchild too survives; a namesake begins anew, also after a restart, and nothing stays in the store', async () => {
    const store = memory()
    const clock = virtualClock()
    const tell = async (messages: readonly MessageOf<typeof Desk.specs, 'open' | 'close' | 'note' | 'look'>[]): Promise<string[]> => {
      const troupe = await createTroupe({ store, clock })
      const ref = troupe.spawn('desk', desk)
      for (const message of messages) {
        await ref.tell(message)
        await clock.settle()
      }
      const seen = await ref.ask({ type: 'seen' })
      await ended(troupe, clock)
      return seen
    }
    const kept = async (): Promise<string[]> => [...(await store()).range(['actor'], ['actos'])].map(({ key }) => `${key[1]}`)
    await tell([{ type: 'open', name: 'a' }, { type: 'note', to: 'a', word: 'one' }])
    expect(await tell([{ type: 'note', to: 'a', word: 'two' }, { type: 'look', to: 'a' }])).toEqual(['one two'])
    expect(await kept()).toEqual(['desk', 'desk>a', 'desk>a>page'])
    await tell([{ type: 'close', name: 'a' }])
    expect(await kept()).toEqual(['desk'])
    await tell([{ type: 'open', name: 'a' }])
    expect(await tell([{ type: 'note', to: 'a', word: 'three' }, { type: 'look', to: 'a' }])).toEqual(['one two', 'three'])
    // One that is closed and opened without a restart in between.
    expect(await tell([{ type: 'close', name: 'a' }, { type: 'open', name: 'a' }, { type: 'note', to: 'a', word: 'four' }, { type: 'look', to: 'a' }])).toEqual(['one two', 'three', 'four'])
    await tell([{ type: 'close', name: 'a' }])
    expect(await kept()).toEqual(['desk'])
  })

  test('a crash after every commit of that: a namesake never has what was the first one\'s', async () => {
    const clock = virtualClock()
    const { store, batches } = noted()
    const troupe = await createTroupe({ store, clock })
    const ref = troupe.spawn('desk', desk)
    const messages = [{ type: 'open', name: 'a' }, { type: 'note', to: 'a', word: 'old' }, { type: 'close', name: 'a' }, { type: 'open', name: 'a' }] as const
    const acceptedAt: number[] = []
    for (const message of messages) {
      await ref.tell(message)
      acceptedAt.push(batches.length)
      if (message.type === 'note') await clock.settle()
    }
    await clock.settle()
    const all = batches.length
    await ended(troupe, clock)
    for (let crash = acceptedAt[3] as number; crash <= all; crash++) {
      const later = virtualClock({ start: clock.now() })
      const open = await after(batches, crash)
      const again = await createTroupe({ store: open, clock: later })
      const second = again.spawn('desk', desk)
      await second.tell({ type: 'note', to: 'a', word: 'new' })
      await second.tell({ type: 'look', to: 'a' })
      await later.settle()
      expect([crash, await second.ask({ type: 'seen' })]).toEqual([crash, ['new']])
      await second.tell({ type: 'close', name: 'a' })
      await later.settle()
      await ended(again, later)
      expect([crash, [...(await open()).range(['actor'], ['actos'])].map(({ key }) => key[1])]).toEqual([crash, ['desk']])
    }
  })

  test('many of them leave nothing behind once the log has forgotten their mail', { timeout: 60_000 }, async () => {
    const store = memory()
    const troupe = await createTroupe({ store })
    const ref = troupe.spawn('desk', desk)
    for (let i = 0; i < 1_100; i++) {
      await ref.tell({ type: 'open', name: `c${i}` })
      await ref.tell({ type: 'note', to: `c${i}`, word: 'x' })
      await ref.ask({ type: 'seen' })
      await ref.tell({ type: 'close', name: `c${i}` })
    }
    await ref.ask({ type: 'seen' })
    await troupe.stop()
    const inner = await store()
    const graves = [...inner.range(['grave'], ['gravf'])].length
    const log = [...inner.range(['log'], ['loh'])].length
    expect(log).toBeLessThan(2 * 4_096)
    expect(graves).toBeLessThan(2 * 4_096 / 5 * 2)
    expect([...inner.range(['actor'], ['actos'])].map(({ key }) => key[1])).toEqual(['desk'])
  })
})

describe('a child that cannot go on', () => {
  async function begun(): Promise<{ readonly store: OpenStore; readonly clock: VirtualClock }> {
    const store = memory()
    const clock = virtualClock()
    const first = await createTroupe({ store, clock })
    const orderOf = first.keyed('order', orders())
    for (const key of ['a', 'b']) {
      await orderOf(key).tell({ type: 'begin' })
      if (key === 'a') await orderOf(key).tell({ type: 'item', n: 1 })
      await clock.settle()
    }
    await ended(first, clock)
    return { store, clock }
  }

  test('for its code holds its family back, and goes on with the code that it had', async () => {
    const { store, clock } = await begun()
    const renamed = setup({ types: { events: {} as { type: 'item'; n: number }, context: {} as { items: number[]; box: string }, input: {} as { box: string }, output: {} as string } }).createMachine({ context: { items: [], box: '' }, initial: 'boxing', states: { boxing: {} } })
    const second = await createTroupe({ store, clock })
    const watched = second.keyed('order', orders(renamed as unknown as typeof packing))('a')
    expect(await watched.ask({ type: 'look' }).catch((error: unknown) => error)).toMatchObject({ code: 'Incompatible', message: expect.stringContaining('order/a>pack') as string })
    await ended(second, clock)
    const third = await createTroupe({ store, clock })
    const ref = third.keyed('order', orders())('a')
    await ref.tell({ type: 'item', n: 2 })
    await clock.settle()
    expect(await ref.ask({ type: 'look' })).toBe('1 2, slow 0, ')
    await ended(third, clock)
  })

  test('for damage is told by name, and other families go on', async () => {
    const { store, clock } = await begun()
    const inner = await store()
    const value = (inner.get(['actor', 'order/a>pack']) as Uint8Array).slice()
    value[20] = (value[20] as number) ^ 1
    await inner.commit([{ kind: 'put', key: ['actor', 'order/a>pack'], value }])
    const second = await createTroupe({ store, clock })
    const orderOf = second.keyed('order', orders())
    expect(await orderOf('a').ask({ type: 'look' }).catch((error: unknown) => error)).toMatchObject({ code: 'StoreCorrupt', details: { address: 'order/a>pack' } })
    await orderOf('b').tell({ type: 'item', n: 7 })
    await clock.settle()
    expect(await orderOf('b').ask({ type: 'look' })).toBe('7, slow 0, ')
    await ended(second, clock)
  })
})

test('a request that a child answers has its answer once, over a crash after every commit', async () => {
  const Till = protocol({ price: request(z.object({ item: z.string() }), z.number()) })
  const pricing = setup({ types: { events: {} as EventsOf<typeof Till>, context: {} as { asked: number } } }).createMachine({
    context: { asked: 0 },
    on: { price: { actions: [assign({ asked: ({ context }) => context.asked + 1 }), reply(({ context }) => context.asked)] } },
  })
  const till = actor(Till, setup({ types: { events: {} as EventsOf<typeof Till> }, actors: { pricing } }).createMachine({ invoke: { src: 'pricing', id: 'pricing' }, on: { price: { actions: sendTo('pricing', ({ event }) => event) } } }), { durable: true })
  const Customer = protocol({ go: event(), prices: request(null, z.array(z.number())) })
  const customer = actor(Customer, { durable: true, state: () => ({ prices: [] as number[] }), on: {
    go: async (_, me) => void me.state.prices.push(await me.ask(me.ref(Till, 'till'), { type: 'price', item: 'tea' }, { timeout: 'none' })),
    prices: (_, me) => me.state.prices,
  } })
  const clock = virtualClock()
  const { store, batches } = noted()
  const life = async (open: OpenStore, go: boolean): Promise<readonly number[]> => {
    const troupe = await createTroupe({ store: open, clock })
    troupe.spawn('till', till)
    const ref = troupe.spawn('customer', customer)
    if (go) await ref.tell({ type: 'go' })
    await clock.settle()
    const prices = await ref.ask({ type: 'prices' })
    await ended(troupe, clock)
    return prices
  }
  expect(await life(store, true)).toEqual([1])
  const from = batches.findIndex((changes) => changes.some(({ kind, key }) => kind === 'put' && key[0] === 'log')) + 1
  const all = batches.length
  for (let crash = from; crash <= all; crash++) {
    const open = await after(batches, crash)
    const accepted = [...(await open()).range(['log'], ['loh'])].length > 0
    expect([crash, accepted, await life(open, false)]).toEqual([crash, true, [1]])
  }
})
