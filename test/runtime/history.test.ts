import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, reply, request, stepOnce, type ChartState, type EventsOf } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Cart = protocol({ add: request(z.object({ item: z.string() }), z.number()), list: request(null, z.array(z.string())) })
const cartWith = (history: true | { keep: number }, priced: string[] = []) =>
  actor(Cart, {
    durable: true,
    history,
    state: () => ({ items: [] as string[] }),
    on: {
      add: async ({ item }, me) => {
        const price = await me.step('price', () => (priced.push(item), item.length))
        me.state.items.push(item)
        return price
      },
      list: (_, me) => me.state.items,
    },
  })
interface Items {
  readonly items: readonly string[]
}

test('a history tells each step: what it handled, what came of its effects, and the state after it', async () => {
  const store = memory()
  const clock = virtualClock({ start: 1_000 })
  const priced: string[] = []
  const first = await createTroupe({ store, clock })
  const cartOf = first.keyed('cart', cartWith(true, priced))
  await cartOf('ada').ask({ type: 'add', item: 'tea' })
  await clock.advance('1s')
  await cartOf('ada').ask({ type: 'add', item: 'milk' })
  await first.stop()
  const second = await createTroupe({ store, clock })
  const history = second.history<Items>('cart/ada')
  expect(history.steps).toEqual([
    { n: 1, time: 1_000, type: 'add', from: '', message: { type: 'add', item: 'tea' }, effects: [{ name: 'step price', outcome: { ok: true, value: 3 } }] },
    { n: 2, time: 2_000, type: 'add', from: '', message: { type: 'add', item: 'milk' }, effects: [{ name: 'step price', outcome: { ok: true, value: 4 } }] },
  ])
  expect([history.at(1), history.at(2)]).toEqual([{ items: ['tea'] }, { items: ['tea', 'milk'] }])
  expect(() => history.at(3)).toThrow(expect.objectContaining({ code: 'Gone' }) as Error)
  expect(priced).toEqual(['tea', 'milk'])
  await second.stop()
})

test('a fork begins where the other was after a step, and from then on each goes its way', async () => {
  const store = memory()
  const troupe = await createTroupe({ store })
  const cartOf = troupe.keyed('cart', cartWith(true))
  for (const item of ['tea', 'milk', 'bread']) await cartOf('ada').ask({ type: 'add', item })
  await troupe.history('cart/ada').fork(2, 'cart/bob')
  await cartOf('bob').ask({ type: 'add', item: 'jam' })
  expect(await cartOf('bob').ask({ type: 'list' })).toEqual(['tea', 'milk', 'jam'])
  expect(await cartOf('ada').ask({ type: 'list' })).toEqual(['tea', 'milk', 'bread'])
  expect(troupe.history('cart/bob').steps.map(({ type, from }) => [type, from])).toEqual([['forked', 'cart/ada'], ['add', ''], ['list', '']])
  await expect(troupe.history('cart/ada').fork(2, 'cart/bob')).rejects.toMatchObject({ code: 'InvalidDefinition' })
  await troupe.stop()
  const later = await createTroupe({ store })
  expect(await later.keyed('cart', cartWith(true))('bob').ask({ type: 'list' })).toEqual(['tea', 'milk', 'jam'])
  await later.stop()
})

test('a history keeps its bound, also over restarts', async () => {
  const store = memory()
  for (let life = 0; life < 3; life++) {
    const troupe = await createTroupe({ store })
    const cart = troupe.keyed('cart', cartWith({ keep: 100 }))('ada')
    for (let i = 0; i < 80; i++) await cart.ask({ type: 'add', item: `${life}/${i}` })
    await troupe.stop()
  }
  const troupe = await createTroupe({ store })
  const history = troupe.history<Items>('cart/ada')
  expect(history.steps.map(({ n }) => n)).toEqual(Array.from({ length: 100 }, (_, i) => 141 + i))
  expect(history.at(141).items).toHaveLength(141)
  expect(() => history.at(140)).toThrow(expect.objectContaining({ code: 'Gone' }) as Error)
  const raw = await store()
  expect([...raw.range(['history'], ['historz'])].length).toBeLessThan(164)
  await troupe.stop()
})

test('the last 1,000 steps are kept unless the definition says otherwise', async () => {
  const Bell = protocol({ ring: request(null, z.number()) })
  const bell = actor(Bell, { durable: true, history: true, state: () => ({ rung: 0 }), on: { ring: (_, me) => ++me.state.rung } })
  const troupe = await createTroupe({ store: memory() })
  const ref = troupe.spawn('bell', bell)
  await Promise.all(Array.from({ length: 1_010 }, () => ref.ask({ type: 'ring' })))
  expect([troupe.history('bell').steps.length, troupe.history('bell').at(1_010)]).toEqual([1_000, { rung: 1_010 }])
  await troupe.stop()
})

const Lamp = protocol({ press: event(), look: request(null, z.string()) })
const lamp = setup({
  types: { events: {} as EventsOf<typeof Lamp>, context: {} as { presses: number; bulbs: number } },
  actors: { change: stepOnce('change', (bulbs: number) => Promise.resolve(bulbs + 1)) },
}).createMachine({
  context: { presses: 0, bulbs: 0 },
  initial: 'off',
  on: { look: { actions: reply(({ context }) => `pressed ${context.presses}, bulb ${context.bulbs}`) } },
  states: {
    off: { on: { press: { target: 'on', actions: assign({ presses: ({ context }) => context.presses + 1 }) } } },
    on: { after: { 60_000: 'changing' }, on: { press: 'off' } },
    changing: { invoke: { src: 'change', input: ({ context }) => context.bulbs, onDone: { target: 'off', actions: assign({ bulbs: ({ event }) => event.output }) } } },
  },
})

test('the history of a chart tells its events from within too, and a fork has its timers and effects', async () => {
  const store = memory()
  const clock = virtualClock()
  const troupe = await createTroupe({ store, clock })
  const lampAt = troupe.keyed('lamp', actor(Lamp, lamp, { durable: true, history: true }))
  await lampAt('a').tell({ type: 'press' })
  await clock.advance('61s')
  const history = troupe.history<ChartState<{ presses: number }>>('lamp/a')
  expect(history.steps.map(({ n, type }) => [n, type.replace(/^xstate\.(\w+).*$/, '$1')])).toEqual([[1, 'init'], [2, 'press'], [3, 'after'], [4, 'done']])
  expect([1, 2, 3, 4].map((n) => history.at(n).value)).toEqual(['off', 'on', 'changing', 'off'])
  await history.fork(2, 'lamp/b')
  await history.fork(3, 'lamp/c')
  expect(await lampAt('b').ask({ type: 'look' })).toBe('pressed 1, bulb 0')
  await lampAt('c').ask({ type: 'look' })
  await clock.advance('61s')
  expect(await Promise.all(['a', 'b', 'c'].map((key) => lampAt(key).ask({ type: 'look' })))).toEqual(['pressed 1, bulb 1', 'pressed 1, bulb 1', 'pressed 1, bulb 1'])
  await troupe.stop()
})

test('a history without durable is a definition error', () => {
  expect(() => actor(Cart, { history: true, on: { add: () => 0, list: () => [] } })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }) as Error)
})

test('a fork has the version of the definition that wrote its step', async () => {
  const store = memory()
  const Purse = protocol({ put: request(z.object({ cents: z.number() }), z.number()) })
  const purse = actor(Purse, { durable: true, history: true, version: 1, upcast: { state: ({ euros }: { euros: number }) => ({ cents: euros * 100 }) }, state: () => ({ cents: 0 }), on: { put: ({ cents }, me) => (me.state.cents += cents) } })
  const troupe = await createTroupe({ store })
  const purseOf = troupe.keyed('purse', purse)
  await purseOf('a').ask({ type: 'put', cents: 5 })
  await troupe.history('purse/a').fork(1, 'purse/b')
  expect(await purseOf('b').ask({ type: 'put', cents: 1 })).toBe(6)
  await troupe.stop()
})
