// What a durable handler that failed does when it is tried again, and what it does after a crash.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, TroupeError, type Me, type OpenStore, type Store } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Order = protocol({ buy: request(z.object({ item: z.string() }), z.string()) })
const orderOf = (buy: (me: Me<never>) => Promise<string>) => actor(Order, { durable: true, on: { buy: (_, me) => buy(me as never) } })

/** Calls a handler once, in a troupe of its own. */
async function bought(buy: (me: Me<never>) => Promise<string>): Promise<string> {
  await using troupe = await createTroupe({ store: memory() })
  return troupe.spawn('order', orderOf(buy)).ask({ type: 'buy', item: 'tea' })
}

test('a step that failed runs again when its message is tried again; what had succeeded does not', async () => {
  const ran: string[] = []
  const receipt = await bought(async (me) => {
    const price = await me.step('price', () => ran.push('price'))
    const paid = await me.step('pay', () => {
      ran.push('pay')
      if (ran.length < 4) throw new Error('the bank is down')
      return 'paid'
    })
    return `${price} ${paid}`
  })
  expect(receipt).toBe('1 paid')
  expect(ran).toEqual(['price', 'pay', 'pay', 'pay'])
})

test('a failure that trying again does not mend is told at once', async () => {
  await using troupe = await createTroupe({ store: memory(), log: () => {} })
  let tries = 0
  const order = actor(Order, {
    durable: true,
    retryWhen: (error) => !(error instanceof RangeError),
    on: {
      buy: ({ item }) => {
        tries++
        throw item === 'tea' ? new RangeError('sold out') : new Error('the bank is down')
      },
    },
  })
  const ref = troupe.spawn('order', order)
  await expect(ref.ask({ type: 'buy', item: 'tea' })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(tries).toBe(1)
  await expect(ref.ask({ type: 'buy', item: 'milk' })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(tries).toBe(1 + 4)
})

test('a failure that the handler got over is its result for good', async () => {
  const ran: string[] = []
  const receipt = await bought(async (me) => {
    const vendor = await me.step('first vendor', () => {
      ran.push('first')
      throw new Error('sold out')
    }).catch(() => me.step('second vendor', () => (ran.push('second'), 'second')))
    await me.step('pay', () => {
      if (ran.push('pay') < 4) throw new Error('the bank is down')
    })
    return vendor
  })
  expect(receipt).toBe('second')
  expect(ran).toEqual(['first', 'second', 'pay', 'pay'])
})

test.each<[string, (me: Me<never>, ship: () => string) => Promise<string>]>([
  ['all at once', (me, ship) => Promise.all([me.step('pay', () => 'paid'), me.step('ship', ship)]).then(String)],
  ['all settled, the other leg going on', async (me, ship) => {
    const legs = await Promise.allSettled([me.step('ship', ship), me.step('pay', () => 1).then(() => me.step('receipt', () => 'receipt'))])
    for (const leg of legs) if (leg.status === 'rejected') throw leg.reason
    return 'all'
  }],
  ['as the cause of another', (me, ship) => me.step('ship', ship).catch((cause: unknown) => { throw new Error('not shipped', { cause }) })],
  ['as an error that names no cause', (me, ship) => me.step('ship', ship).catch(() => { throw new Error('not shipped') })],
  ['after making amends', async (me, ship) => {
    const paid = await me.step('pay', () => 'paid')
    await me.step('ship', ship).catch(async (error: unknown) => {
      await me.step('refund', () => 'refunded')
      throw error
    })
    return me.step('receipt', () => `${paid}, shipped`)
  }],
])('a failure that the handler did not get over runs again, and nothing else does (%s)', async (_, buy) => {
  let ships = 0
  const others: string[] = []
  const counted = (me: Me<never>): Me<never> => ({ step: (name: string, run: () => unknown) => me.step(name, () => (name === 'ship' || others.push(name), run())) }) as Me<never>
  await bought((me) => buy(counted(me), () => {
    if (++ships < 3) throw new Error('no carrier')
    return 'shipped'
  }))
  expect(ships).toBe(3)
  expect(new Set(others).size).toBe(others.length)
})

test('a refused ask is asked again, with an ask of its own', async () => {
  const Stock = protocol({ take: request(null, z.number()) })
  let takes = 0
  const stock = actor(Stock, { durable: true, retries: 0, on: { take: () => {
    if (++takes < 3) throw new Error('busy')
    return takes
  } } })
  await using troupe = await createTroupe({ store: memory() })
  troupe.spawn('stock', stock)
  expect(await troupe.spawn('order', orderOf(async (me) => String(await me.ask(me.ref(Stock, 'stock'), { type: 'take' })))).ask({ type: 'buy', item: 'tea' })).toBe('3')
})

test('an ask that was under way when its handler failed is called off, and asked again', async () => {
  const Stock = protocol({ take: request(null, z.number()) })
  const begun: (() => void)[] = []
  const stock = actor(Stock, { durable: true, on: { take: (_, me) => new Promise<number>((resolve, reject) => {
    me.signal.addEventListener('abort', () => reject(me.signal.reason as Error))
    begun.push(() => resolve(begun.length))
  }) } })
  await using troupe = await createTroupe({ store: memory() })
  troupe.spawn('stock', stock)
  let tries = 0
  const order = orderOf(async (me) => {
    const pay = me.step('pay', async () => {
      tries++
      while (begun.length < tries) await new Promise((resolve) => setImmediate(resolve))
      if (tries === 1) throw new Error('the bank is down')
      begun[1]?.()
    })
    const [taken] = await Promise.all([me.ask(me.ref(Stock, 'stock'), { type: 'take' }), pay])
    return String(taken)
  })
  expect(await troupe.spawn('order', order).ask({ type: 'buy', item: 'tea' })).toBe('2')
})

test('after a crash a recorded failure is given back, and then tried again', async () => {
  const store = memory()
  const ran: string[] = []
  let life = 1
  const order = orderOf(async (me) => {
    const seen = await me.step('pay', () => {
      ran.push(`pay in life ${life}`)
      if (ran.length === 1) throw new Error('the bank is down')
      return 'paid'
    }).catch(async (error: unknown) => {
      ran.push(`failed in life ${life}`)
      if (life === 1) await new Promise(() => {})
      throw error
    })
    return seen
  })
  const first = await createTroupe({ store, clock: virtualClock() })
  void first.spawn('order', order).ask({ type: 'buy', item: 'tea' }, { timeout: 'none' }).catch(() => {})
  while (ran.length < 2) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  await using second = await createTroupe({ store })
  second.spawn('order', order)
  while (ran.length < 4) await new Promise((resolve) => setImmediate(resolve))
  expect(ran).toEqual(['pay in life 1', 'failed in life 1', 'failed in life 2', 'pay in life 2'])
})

// ── mail that a handler waits for ───────────────────────────────────────────────────────────────

const Permit = protocol({ apply: event(), grant: event(z.object({ by: z.string() })), granted: request(null, z.array(z.string())) })

/** A store that refuses what it is told to refuse. */
function picky(refuses: () => boolean): OpenStore {
  const inner = memory()
  return async () => {
    const store = await inner()
    const full = (): Error => new TroupeError('Overloaded', 'full', 'make room', { store: true })
    return { commit: (changes) => (refuses() ? Promise.reject(full()) : store.commit(changes)), get: (key) => store.get(key), range: (from, to) => store.range(from, to), close: () => store.close() } satisfies Store
  }
}

test('a handler sees no awaited event that could not be logged, and its sender is told', async () => {
  const clock = virtualClock()
  let full = false
  const seen: string[] = []
  const facts: string[] = []
  const troupe = await createTroupe({ clock, store: picky(() => full) })
  const permit = troupe.spawn('permit', actor(Permit, {
    durable: true,
    state: () => ({ granted: [] as string[] }),
    on: {
      apply: async (_, me) => {
        const { by } = await me.waitFor('grant')
        seen.push(by)
        me.state.granted.push(by)
      },
      grant: () => {},
      granted: (_, me) => me.state.granted,
    },
  }))
  await permit.tell({ type: 'apply' })
  await clock.settle()
  troupe.inspect(({ kind, type }) => void (type === 'grant' && facts.push(kind)))
  full = true
  await expect(permit.tell({ type: 'grant', by: 'Ada' })).rejects.toMatchObject({ code: 'Overloaded' })
  await clock.settle()
  expect({ seen, facts }).toEqual({ seen: [], facts: ['sent', 'refused'] })
  full = false
  await clock.advance('2s')
  await permit.tell({ type: 'grant', by: 'Bob' })
  expect(await permit.ask({ type: 'granted' })).toEqual(['Bob'])
  await troupe.stop()
})
