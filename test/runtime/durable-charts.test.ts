import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, ask, createTroupe, event, memory, protocol, reply, request, stepOnce, type EventsOf, type ReturnAddress } from 'troupe'
import { virtualClock } from 'troupe/testing'

const turns = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}

const Lamp = protocol({ press: event(), look: request(null, z.string()) })
const lamp = setup({ types: { events: {} as EventsOf<typeof Lamp>, context: {} as { presses: number } } }).createMachine({
  context: { presses: 0 },
  initial: 'off',
  on: { look: { actions: reply(({ context }) => `pressed ${context.presses}`) } },
  states: {
    off: { on: { press: { target: 'on', actions: assign({ presses: ({ context }) => context.presses + 1 }) }, look: { actions: reply(({ context }) => `off ${context.presses}`) } } },
    on: { after: { 60_000: 'off' }, on: { press: 'off', look: { actions: reply(({ context }) => `on ${context.presses}`) } } },
  },
})
const durableLamp = actor(Lamp, lamp, { durable: true })

test('a durable chart goes on in the state it was in, and its timer fires at its moment, once', async () => {
  const store = memory()
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  const one = first.spawn('lamp', durableLamp)
  await one.tell({ type: 'press' })
  expect(await one.ask({ type: 'look' })).toBe('on 1')
  await clock.advance('20s')
  await first.stop()
  const second = await createTroupe({ store, clock })
  const two = second.spawn('lamp', durableLamp)
  expect(await two.ask({ type: 'look' })).toBe('on 1')
  await clock.advance('39s')
  expect(await two.ask({ type: 'look' })).toBe('on 1')
  await clock.advance('2s')
  expect(await two.ask({ type: 'look' })).toBe('off 1')
  await second.stop()
})

test('a timer that came due while nobody ran fires at once', async () => {
  const store = memory()
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  await first.keyed('lamp', durableLamp)('a').tell({ type: 'press' })
  await clock.settle()
  await first.stop()
  await clock.advance('1h')
  const second = await createTroupe({ store, clock })
  const lampAt = second.keyed('lamp', durableLamp)
  await clock.settle()
  expect(await lampAt('a').ask({ type: 'look' })).toBe('off 1')
  await second.stop()
})

test.each([['skip', 'on 1'], ['once', 'off 1']] as const)('whether a timer still fires that came due while nobody ran is its definition\'s to say: %s', async (late, shown) => {
  const asked: unknown[] = []
  const store = memory()
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  await first.keyed('lamp', durableLamp)('a').tell({ type: 'press' })
  await clock.settle()
  await first.stop()
  await clock.advance('1h')
  // Once and for all: the next life finds no timer.
  for (let life = 0; life < 2; life++) {
    const troupe = await createTroupe({ store, clock })
    const lampAt = troupe.keyed('lamp', actor(Lamp, lamp, { durable: true, late: (timer) => (asked.push(timer), late) }))
    await clock.settle()
    expect(await lampAt('a').ask({ type: 'look' })).toBe(shown)
    await troupe.stop()
  }
  expect(asked).toEqual([{ event: 'xstate.after.60000.(machine).on', lateMs: 3_540_000 }])
  expect(() => actor(Lamp, lamp, { late: () => late })).toThrow('timers that are not kept')
})

const Shop = protocol({ buy: request(z.object({ item: z.string() }), z.string()) })
const Stock = protocol({ take: request(z.object({ item: z.string() }), z.number()), taken: request(null, z.array(z.string())) })
const stock = actor(Stock, {
  durable: true,
  state: () => ({ taken: [] as string[] }),
  on: {
    take: ({ item }, me) => me.state.taken.push(item),
    taken: (_, me) => me.state.taken,
  },
})

test('an effect that was under way goes on with what it had, and pays for nothing twice', async () => {
  const store = memory()
  const paid: string[] = []
  let life = 1
  const shop = setup({
    types: { events: {} as EventsOf<typeof Shop>, context: {} as { item: string; customer: ReturnAddress<string> | undefined } },
    actors: {
      take: ask({ protocol: Stock, address: 'stock' }, 'take'),
      pay: stepOnce('pay', async (item: string, work) => {
        const left = await work.ask({ protocol: Stock, address: 'stock' }, { type: 'take', item: `fee for ${item}` })
        if (life === 1) await new Promise(() => {})
        paid.push(item)
        return `paid ${left}`
      }),
    },
  }).createMachine({
    context: { item: '', customer: undefined },
    initial: 'open',
    states: {
      open: { on: { buy: { target: 'taking', actions: assign({ item: ({ event }) => event.item, customer: ({ event }) => event.from }) } } },
      taking: { invoke: { src: 'take', input: ({ context }) => ({ item: context.item }), onDone: 'paying' } },
      paying: { invoke: { src: 'pay', input: ({ context }) => context.item, onDone: { target: 'open', actions: reply(({ event }) => event.output, { to: ({ context }) => context.customer }) } } },
    },
  })
  const first = await createTroupe({ store, clock: virtualClock() })
  const one = first.spawn('stock', stock)
  void first.spawn('shop', actor(Shop, shop, { durable: true })).ask({ type: 'buy', item: 'tea' }, { timeout: 'none' }).catch(() => {})
  await turns(async () => (await one.ask({ type: 'taken' })).length === 2)
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  // The first process is gone here: nothing of it runs any more.
  const second = await createTroupe({ store })
  const two = second.spawn('stock', stock)
  second.spawn('shop', actor(Shop, shop, { durable: true }))
  await turns(() => paid.length === 1)
  expect(await two.ask({ type: 'taken' })).toEqual(['tea', 'fee for tea'])
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  await second.stop()
  const third = await createTroupe({ store })
  third.spawn('shop', actor(Shop, shop, { durable: true }))
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
  expect(paid).toEqual(['tea'])
  await third.stop()
})

test('a state that the machine no longer has is told, and the others go on', async () => {
  const store = memory()
  const first = await createTroupe({ store })
  await first.spawn('lamp', durableLamp).tell({ type: 'press' })
  await first.stop()
  const renamed = setup({ types: { events: {} as EventsOf<typeof Lamp> } }).createMachine({ initial: 'dark', states: { dark: { on: { press: {}, look: { actions: reply('dark') } } } } })
  const second = await createTroupe({ store })
  const ref = second.spawn('lamp', actor(Lamp, renamed, { durable: true }))
  const ending = await ref.watch()
  expect(ending).toMatchObject({ kind: 'failed', error: { code: 'Incompatible' } })
  await second.stop()
  const third = await createTroupe({ store, clock: virtualClock() })
  expect(await third.spawn('lamp', durableLamp).ask({ type: 'look' })).toBe('on 1')
  await third.stop()
})
