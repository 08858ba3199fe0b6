import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, stream, type Me } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Account = protocol({
  deposit: request(z.object({ cents: z.number() }), z.number()),
  balance: request(null, z.number()),
  note: event(z.object({ text: z.string() })),
  notes: request(null, z.array(z.string())),
})
const account = actor(Account, {
  durable: true,
  state: () => ({ cents: 0, notes: [] as string[] }),
  on: {
    deposit: ({ cents }, me) => (me.state.cents += cents),
    balance: (_, me) => me.state.cents,
    note: ({ text }, me) => void me.state.notes.push(text),
    notes: (_, me) => me.state.notes,
  },
})

test('a durable actor goes on where it was when the troupe is started again', async () => {
  const store = memory()
  const first = await createTroupe({ store })
  const a = first.keyed('account', account)
  await a('1').ask({ type: 'deposit', cents: 5 })
  await a('1').tell({ type: 'note', text: 'one' })
  await a('2').ask({ type: 'deposit', cents: 7 })
  await first.stop()
  const second = await createTroupe({ store })
  const b = second.keyed('account', account)
  expect(await b('1').ask({ type: 'balance' })).toBe(5)
  expect(await b('1').ask({ type: 'notes' })).toEqual(['one'])
  expect(await b('2').ask({ type: 'balance' })).toBe(7)
  await second.stop()
})

test('what was accepted and not handled is handled by the next process, once, in order', async () => {
  const store = memory()
  const gate = actor(Account, { durable: true, state: () => ({ cents: 0, notes: [] as string[] }), on: { deposit: () => new Promise<number>(() => {}), balance: () => 0, note: () => {}, notes: () => [] } })
  const first = await createTroupe({ store, clock: virtualClock() })
  const stuck = first.spawn('account', gate)
  void stuck.ask({ type: 'deposit', cents: 1 }, { timeout: 'none' }).catch(() => {})
  await Promise.all(['a', 'b', 'c'].map((text) => stuck.tell({ type: 'note', text })))
  // The process is gone here: nothing of the first troupe runs any more.
  const second = await createTroupe({ store })
  const ref = second.spawn('account', account)
  expect(second.resumed).toEqual([{ address: 'account', messages: 4 }])
  expect(await ref.ask({ type: 'notes' })).toEqual(['a', 'b', 'c'])
  expect(await ref.ask({ type: 'balance' })).toBe(1)
  await second.stop()
  const third = await createTroupe({ store })
  expect(third.resumed).toEqual([])
  expect(await third.spawn('account', account).ask({ type: 'balance' })).toBe(1)
  await third.stop()
})

test('a failing step changes nothing, is tried again, and is set aside in the end', async () => {
  const Box = protocol({ put: request(z.object({ n: z.number() }), z.number()), sum: request(null, z.number()) })
  let tries = 0
  const box = actor(Box, {
    durable: true,
    state: () => ({ sum: 0 }),
    on: {
      put: ({ n }, me) => {
        me.state.sum += n
        if (n < 0) throw new Error(`try ${++tries}`)
        return me.state.sum
      },
      sum: (_, me) => me.state.sum,
    },
  })
  const troupe = await createTroupe({ store: memory() })
  const ref = troupe.spawn('box', box)
  await ref.ask({ type: 'put', n: 2 })
  await expect(ref.ask({ type: 'put', n: -1 })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(tries).toBe(4)
  expect(await ref.ask({ type: 'sum' })).toBe(2)
  expect(troupe.deadLetters.counts()).toEqual({ failed: 1 })
  await troupe.stop()
})

test('a handler that was cut off gets back the results it had, and pays for nothing twice', async () => {
  const store = memory()
  const Order = protocol({ buy: request(z.object({ item: z.string() }), z.string()) })
  const paid: string[] = []
  let life = 1
  const order = actor(Order, {
    durable: true,
    on: {
      buy: async ({ item }, me) => {
        const price = await me.step('price', () => (paid.push(`price ${item}`), 10))
        const chance = me.random()
        if (life === 1) await new Promise(() => {})
        const receipt = await me.step('pay', ({ idempotencyKey }) => (paid.push(`pay ${price}`), `${idempotencyKey} ${chance === me.random()}`))
        return `${item} ${receipt.length > 0}`
      },
    },
  })
  const first = await createTroupe({ store, clock: virtualClock() })
  void first.spawn('order', order).ask({ type: 'buy', item: 'tea' }, { timeout: 'none' }).catch(() => {})
  while (paid.length < 1) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  const second = await createTroupe({ store })
  second.spawn('order', order)
  while (paid.length < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(paid).toEqual(['price tea', 'pay 10'])
  await second.stop()
})

test('durable actors ask each other across a crash, once', async () => {
  const store = memory()
  const Bank = protocol({ transfer: request(z.object({ from: z.string(), to: z.string(), cents: z.number() }), z.string()) })
  let life = 1
  const bank = actor(Bank, {
    durable: true,
    on: {
      transfer: async ({ from, to, cents }, me) => {
        await me.ask(me.ref(Account, `account/${from}`), { type: 'deposit', cents: -cents })
        if (life === 1) await new Promise(() => {})
        await me.ask(me.ref(Account, `account/${to}`), { type: 'deposit', cents })
        return 'done'
      },
    },
  })
  const first = await createTroupe({ store, clock: virtualClock() })
  const one = first.keyed('account', account)
  await one('a').ask({ type: 'deposit', cents: 100 })
  void first.spawn('bank', bank).ask({ type: 'transfer', from: 'a', to: 'b', cents: 30 }, { timeout: 'none' }).catch(() => {})
  while ((await one('a').ask({ type: 'balance' })) !== 70) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  const second = await createTroupe({ store })
  const two = second.keyed('account', account)
  second.spawn('bank', bank)
  while ((await two('b').ask({ type: 'balance' })) !== 30) await new Promise((resolve) => setImmediate(resolve))
  expect(await two('a').ask({ type: 'balance' })).toBe(70)
  await second.stop()
})

const Chat = protocol({ say: stream(z.object({ text: z.string() }), z.string()), said: request(null, z.array(z.string())) })

test('a stream whose handler fails midway tells its reader, and the next try finishes without one', async () => {
  let tries = 0
  const chat = actor(Chat, {
    durable: true,
    state: () => [] as string[],
    on: {
      say: async function* ({ text }, me) {
        yield 'one'
        if (++tries === 1) throw new Error('broken')
        yield 'two'
        me.state.push(text)
      },
      said: (_, me) => me.state,
    },
  })
  const troupe = await createTroupe({ store: memory() })
  const ref = troupe.spawn('chat', chat)
  const heard: string[] = []
  const reading = (async () => {
    for await (const word of ref.stream({ type: 'say', text: 'hello' })) heard.push(word)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'Interrupted' })
  expect(heard).toEqual(['one'])
  expect(await ref.ask({ type: 'said' })).toEqual(['hello'])
  expect(tries).toBe(2)
  await troupe.stop()
})

test('a stream that a crash cut off is finished by the next process, though nobody reads it', async () => {
  const store = memory()
  let life = 1
  const chat = actor(Chat, {
    durable: true,
    state: () => [] as string[],
    on: {
      say: async function* ({ text }, me) {
        const greeting = await me.step('greet', () => 'hello')
        yield greeting
        if (life === 1) await new Promise(() => {})
        me.state.push(`${greeting} ${text}`)
      },
      said: (_, me) => me.state,
    },
  })
  const first = await createTroupe({ store, clock: virtualClock() })
  const words = first.spawn('chat', chat).stream({ type: 'say', text: 'Ada' })
  expect(await words.next()).toEqual({ done: false, value: 'hello' })
  life = 2
  // The first process is gone here: nothing of it runs any more.
  const second = await createTroupe({ store })
  expect(await second.spawn('chat', chat).ask({ type: 'said' })).toEqual(['hello Ada'])
  await second.stop()
})

const Errand = protocol({ run: event() })
/** Runs an errand in a first life that is stopped, and in a second one; what it said in both. */
async function overAStop(run: (said: string[], me: Me) => Promise<void>): Promise<string[]> {
  const store = memory()
  const clock = virtualClock()
  const said: string[] = []
  const errand = actor(Errand, { durable: true, on: { run: (_, me) => run(said, me as Me) } })
  const first = await createTroupe({ store, clock })
  await first.spawn('errand', errand).tell({ type: 'run' })
  await clock.settle()
  const stopped = first.stop({ within: 0 })
  await clock.advance('10s')
  await stopped
  said.push('stopped')
  const second = await createTroupe({ store, clock })
  second.spawn('errand', errand)
  await clock.advance('3d')
  await second.stop()
  return said
}

test('a handler that a stop cut off in its sleep sleeps on, and is not told of the stop', async () => {
  const said = await overAStop(async (said, me) => {
    const began = await me.step('begin', () => 'began')
    said.push(began)
    await me.sleep('2d')
    said.push('awake')
  })
  // It left memory in its second life too, and so began once more.
  expect(said).toEqual(['began', 'stopped', 'began', 'began', 'awake'])
})

test('the effect whose failure failed the handler runs again with the next try; what went well before does not', async () => {
  let tries = 0
  const Job = protocol({ do: request(null, z.string()) })
  const ran: string[] = []
  const job = actor(Job, {
    durable: true,
    on: {
      do: async (_, me) => {
        await me.step('first', () => void ran.push('first'))
        return me.step('second', () => {
          ran.push('second')
          if (++tries < 3) throw new Error('weather')
          return 'done'
        })
      },
    },
  })
  const troupe = await createTroupe({ store: memory() })
  expect(await troupe.spawn('job', job).ask({ type: 'do' })).toBe('done')
  expect(ran).toEqual(['first', 'second', 'second', 'second'])
  await troupe.stop()
})

test('the parts of a model call are given again after a crash, with what was done between them', async () => {
  const store = memory()
  const Talk = protocol({ talk: event(), said: request(null, z.array(z.string())) })
  const calls: string[] = []
  const steps: string[] = []
  const host = {
    infer: (_task: string, model: string) => {
      calls.push(model)
      const parts = async function* () {
        for (const word of ['a', 'b', 'c']) {
          for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
          yield word
        }
      }
      return Object.assign(Promise.resolve('abc'), { [Symbol.asyncIterator]: parts })
    },
  }
  let life = 1
  const talker = actor(Talk, {
    durable: true,
    state: () => [] as string[],
    on: {
      talk: async (_, me) => {
        for (const model of ['first', 'second']) {
          for await (const word of me.infer<string, string>('generate', model, null)) {
            const kept = await me.step('keep', () => (steps.push(`${model} ${word}`), word.toUpperCase()))
            me.state.push(kept)
            if (life === 1 && model === 'second' && word === 'b') await new Promise(() => {})
          }
        }
      },
      said: (_, me) => me.state,
    },
  })
  const first = await createTroupe({ store, clock: virtualClock(), host })
  await first.spawn('talker', talker).tell({ type: 'talk' })
  while (steps.length < 5) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  const second = await createTroupe({ store, host })
  expect(await second.spawn('talker', talker).ask({ type: 'said' })).toEqual(['A', 'B', 'C', 'A', 'B', 'C'])
  // The first call was complete; the second was not, so it ran again, and what was done between its parts was not.
  expect(calls).toEqual(['first', 'second', 'second'])
  expect(steps).toEqual(['first a', 'first b', 'first c', 'second a', 'second b', 'second c'])
  await second.stop()
})
