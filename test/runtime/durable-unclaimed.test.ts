// What is for a durable actor that is not back yet after a restart waits for it.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Account = protocol({ add: request(z.object({ cents: z.number() }), z.number()) })
const account = actor(Account, { durable: true, state: () => ({ cents: 0 }), on: { add: ({ cents }, me) => (me.state.cents += cents) } })
const Book = protocol({ enter: event(z.object({ line: z.string() })), lines: request(null, z.array(z.string())) })
const book = actor(Book, { durable: true, state: () => ({ lines: [] as string[] }), on: { enter: ({ line }, me) => void me.state.lines.push(line), lines: (_, me) => me.state.lines } })

/** Pays into an account, and enters that in the book; in its first life it stops short of either. */
const Teller = protocol({ pay: event(), paid: request(null, z.string()) })
const teller = (life: () => number, { timeout = 'none' }: { timeout?: 'none' | '10s' } = {}) =>
  actor(Teller, {
    durable: true,
    state: () => ({ paid: '' }),
    on: {
      pay: async (_, me) => {
        await me.step('count', () => 1)
        if (life() === 1) await new Promise(() => {})
        me.tell(me.ref(Book, 'book'), { type: 'enter', line: 'begins' })
        me.state.paid = await me.ask(me.ref(Account, 'account/a'), { type: 'add', cents: 5 }, { timeout }).then(String, (error: { code: string }) => error.code)
        me.tell(me.ref(Book, 'book'), { type: 'enter', line: `has ${me.state.paid}` })
      },
      paid: (_, me) => me.state.paid,
    },
  })

async function restarted(options: { timeout?: 'none' | '10s' } = {}) {
  const store = memory()
  let life = 1
  const clock = virtualClock()
  const first = await createTroupe({ store, clock })
  first.keyed('account', account)
  first.spawn('book', book)
  await first.keyed('teller', teller(() => life, options))('t').tell({ type: 'pay' })
  await clock.settle()
  // The first process is gone here: nothing of it runs any more.
  life = 2
  const troupe = await createTroupe({ store, clock })
  const tellerOf = troupe.keyed('teller', teller(() => life, options))
  await clock.settle()
  return { troupe, clock, store, tellerOf }
}

test('what a resumed actor sends and asks waits for those that are registered later', async () => {
  const { troupe, clock, tellerOf } = await restarted()
  expect(troupe.unclaimed).toEqual([{ address: 'book', messages: 1 }])
  await clock.advance('1h')
  troupe.keyed('account', account)
  await clock.settle()
  const ref = troupe.spawn('book', book)
  expect(await tellerOf('t').ask({ type: 'paid' })).toBe('5')
  expect(await ref.ask({ type: 'lines' })).toEqual(['begins', 'has 5'])
  expect(troupe.unclaimed).toEqual([])
  expect(troupe.resumed).toContainEqual({ address: 'book', messages: 2 })
  expect(troupe.deadLetters.counts()).toEqual({})
  await troupe.stop()
})

test('it waits over another restart too', async () => {
  const { store } = await restarted()
  const clock = virtualClock()
  const third = await createTroupe({ store, clock })
  expect(third.unclaimed).toContainEqual({ address: 'book', messages: 1 })
  third.keyed('account', account)
  third.keyed('teller', teller(() => 3))
  await clock.settle()
  expect(await third.spawn('book', book).ask({ type: 'lines' })).toEqual(['begins', 'has 5'])
  await third.stop()
})

test('an ask waits no longer than its asker does', async () => {
  const { troupe, clock, tellerOf } = await restarted({ timeout: '10s' })
  await clock.advance('11s')
  expect(await tellerOf('t').ask({ type: 'paid' })).toBe('NoSuchActor')
  await troupe.stop()
})

test('at most a mailbox full of mail waits for one that is not back; the rest are dead letters', async () => {
  const store = memory()
  const Loud = protocol({ go: event() })
  const loud = actor(Loud, { durable: true, on: { go: (_, me) => {
    for (let n = 0; n < 300; n++) me.tell(me.ref(Book, 'book'), { type: 'enter', line: String(n) })
  } } })
  const first = await createTroupe({ store })
  first.spawn('book', book)
  await first.stop()
  const clock = virtualClock()
  const second = await createTroupe({ store, clock })
  const ref = second.spawn('loud', loud)
  for (let n = 0; n < 5; n++) await ref.tell({ type: 'go' })
  await clock.settle()
  // Each step looks before it sends, so the last one may pass the bound by what it sends.
  expect(second.unclaimed).toEqual([{ address: 'book', messages: 1_200 }])
  expect(second.deadLetters.counts()).toEqual({ 'no-such-actor': 300 })
  await second.stop()
})

test('mail for somebody that no durable actor ever was is a dead letter at once', async () => {
  const clock = virtualClock()
  const troupe = await createTroupe({ store: memory(), clock })
  const Lost = protocol({ go: event() })
  const lost = troupe.spawn('lost', actor(Lost, { durable: true, on: { go: (_, me) => me.tell(me.ref(Book, 'bok'), { type: 'enter', line: '' }) } }))
  await lost.tell({ type: 'go' })
  await clock.settle()
  expect(troupe.deadLetters.counts()).toEqual({ 'no-such-actor': 1 })
  await troupe.stop()
})

test('an actor whose record is damaged harms nobody else: its senders are told, the others go on', async () => {
  const open = memory()
  const first = await createTroupe({ store: open, clock: virtualClock() })
  const one = first.keyed('account', account)
  await one('a').ask({ type: 'add', cents: 1 })
  await one('b').ask({ type: 'add', cents: 2 })
  const store = await open()
  const record = store.get(['actor', 'account/a'])?.slice() as Uint8Array
  record[10] = (record[10] as number) ^ 1
  await store.commit([{ kind: 'put', key: ['actor', 'account/a'], value: record }, { kind: 'put', key: ['log', 1_000], value: (store.get(['log', 1]) as Uint8Array).slice() }])
  const logged: string[] = []
  const second = await createTroupe({ store: open, log: (address) => void logged.push(address) })
  const two = second.keyed('account', account)
  expect(logged).toEqual(['account/a'])
  await expect(two('a').ask({ type: 'add', cents: 1 })).rejects.toMatchObject({ code: 'StoreCorrupt', details: { address: 'account/a' } })
  expect(await two('b').ask({ type: 'add', cents: 2 })).toBe(4)
  await second.stop()
})
