// Two versions of a program over one store.
import { describe, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, reply, request, type EventsOf, type Me } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Old = protocol({ pay: event(z.object({ amount: z.number() })), total: request(null, z.string()) })
const New = protocol({ pay: event(z.object({ cents: z.number() })), total: request(null, z.string()) })
const till = actor(Old, { durable: true, state: () => ({ amount: 0 }), on: { pay: ({ amount }, me) => void (me.state.amount += amount), total: (_, me) => `${me.state.amount}` } })
const stuckTill = actor(Old, { durable: true, state: () => ({ amount: 0 }), on: { pay: () => new Promise<void>(() => {}), total: () => '' } })
const newTill = actor(New, {
  durable: true,
  version: 1,
  upcast: { state: ({ amount }: { amount: number }) => ({ cents: amount * 100 }), messages: { pay: ({ amount }: { amount: number }) => ({ cents: amount * 100 }) } },
  state: () => ({ cents: 0 }),
  on: { pay: ({ cents }, me) => void (me.state.cents += cents), total: (_, me) => `${me.state.cents} cents` },
})

describe('what an older version left', () => {
  test('a state becomes one of this version, once, and is left as it was until the next step', async () => {
    const store = memory()
    const first = await createTroupe({ store })
    await first.spawn('till', till).tell({ type: 'pay', amount: 3 })
    await first.stop()
    for (let i = 0; i < 2; i++) {
      const second = await createTroupe({ store })
      const ref = second.spawn('till', newTill)
      expect(await ref.ask({ type: 'total' })).toBe('300 cents')
      await second.stop()
    }
  })

  test('so does mail that was accepted and not handled', async () => {
    const store = memory()
    const first = await createTroupe({ store, clock: virtualClock() })
    const stuck = first.spawn('till', stuckTill)
    await stuck.tell({ type: 'pay', amount: 1 })
    await stuck.tell({ type: 'pay', amount: 2 })
    const second = await createTroupe({ store })
    expect(await second.spawn('till', newTill).ask({ type: 'total' })).toBe('300 cents')
    await second.stop()
  })

  test('a later version is Incompatible to the one before, and harmed by nothing', async () => {
    const store = memory()
    const first = await createTroupe({ store })
    const ref = first.spawn('till', newTill)
    await ref.tell({ type: 'pay', cents: 5 })
    await ref.ask({ type: 'total' })
    await first.stop()
    const second = await createTroupe({ store })
    expect(() => second.spawn('till', till)).toThrow(expect.objectContaining({ code: 'Incompatible' }) as Error)
    await second.stop()
    const third = await createTroupe({ store })
    expect(await third.spawn('till', newTill).ask({ type: 'total' })).toBe('5 cents')
    await third.stop()
  })

  test('a chart goes on in a state that was renamed', async () => {
    const Lamp = protocol({ press: event(), look: request(null, z.string()) })
    const store = memory()
    const lamp = setup({ types: { events: {} as EventsOf<typeof Lamp>, context: {} as { presses: number } } }).createMachine({
      context: { presses: 0 },
      initial: 'off',
      states: { off: { on: { press: { target: 'on', actions: assign({ presses: ({ context }) => context.presses + 1 }) } } }, on: { on: { press: 'off', look: { actions: reply('on') } } } },
    })
    const first = await createTroupe({ store })
    await first.spawn('lamp', actor(Lamp, lamp, { durable: true })).tell({ type: 'press' })
    await first.stop()
    const renamed = setup({ types: { events: {} as EventsOf<typeof Lamp>, context: {} as { count: number } } }).createMachine({
      context: { count: 0 },
      initial: 'dark',
      states: { dark: { on: { press: 'bright' } }, bright: { on: { press: 'dark', look: { actions: reply(({ context }) => `bright ${context.count}`) } } } },
    })
    const second = await createTroupe({ store })
    const newLamp = actor(Lamp, renamed, {
      durable: true,
      version: 1,
      upcast: { state: ({ value, context }: { value: string; context: { presses: number } }) => ({ value: value === 'on' ? 'bright' : 'dark', context: { count: context.presses } }) },
    })
    expect(await second.spawn('lamp', newLamp).ask({ type: 'look' })).toBe('bright 1')
    await second.stop()
  })
})

describe('a handler under way whose code has changed', () => {
  const Order = protocol({ place: event() })
  const orderOf = (place: (me: Me) => Promise<void>) => actor(Order, { durable: true, on: { place: (_, me) => place(me as Me) } })

  /** Places an order that the first code brings to its end or to where it never ends; what the second code, and the second again, did. */
  async function changed(before: (me: Me) => Promise<void>, after: (me: Me, life: number) => Promise<void>): Promise<void> {
    const store = memory()
    const first = await createTroupe({ store, clock: virtualClock() })
    await first.spawn('order', orderOf(before)).tell({ type: 'place' })
    for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
    for (const life of [2, 3]) {
      const clock = virtualClock()
      const later = await createTroupe({ store, clock })
      later.spawn('order', orderOf((me) => after(me, life)))
      await clock.settle()
    }
  }

  test('goes the old way where it has been, and the new way where it has not, each time that it runs', async () => {
    const ways: string[] = []
    await changed(
      async (me) => {
        await me.step('charge', () => 1)
        await me.step('pack', () => 2)
        await new Promise(() => {})
      },
      async (me, life) => {
        const checks = me.changed('check first')
        if (checks) await me.step('check', () => 0)
        await me.step('charge', () => 1)
        await me.step('pack', () => 2)
        const letters = me.changed('letters')
        if (letters) await me.step('letter', () => 3)
        ways.push(`${life} ${checks} ${letters}`)
        if (life === 2) await new Promise(() => {})
      },
    )
    expect(ways).toEqual(['2 false true', '3 false true'])
  })
})

test('a message whose handler no longer matches its journal stays, for the code that began it', async () => {
  const Order = protocol({ buy: request(z.object({ item: z.string() }), z.string()), look: request(null, z.string()) })
  const store = memory()
  const clock = virtualClock()
  const paid: string[] = []
  const orders = (pay: string) =>
    actor(Order, {
      durable: true,
      on: {
        buy: async ({ item }, me) => {
          await me.step(pay, () => paid.push(pay))
          await me.sleep('1d')
          return item
        },
        look: () => 'open',
      },
    })
  const first = await createTroupe({ store, clock })
  first.keyed('order', orders('pay'))('a').ask({ type: 'buy', item: 'tea' }, { timeout: 'none' }).catch(() => {})
  await clock.settle()
  const logged: unknown[] = []
  const second = await createTroupe({ store, clock, log: (_, words) => void logged.push(words[1]) })
  const look = second.keyed('order', orders('charge'))('a').ask({ type: 'look' }, { timeout: '1h' }).catch((error: { code: string }) => error.code)
  await clock.advance('2h')
  // What came after it waits too: it was accepted later.
  expect(await look).toBe('DeadlineExceeded')
  expect([logged, second.deadLetters.counts().failed]).toEqual([[expect.objectContaining({ code: 'Incompatible' })], undefined])
  const third = await createTroupe({ store, clock })
  const ref = third.keyed('order', orders('pay'))('a')
  const open = ref.ask({ type: 'look' }, { timeout: 'none' })
  await clock.advance('2d')
  expect([await open, paid]).toEqual(['open', ['pay']])
  await third.stop()
})
