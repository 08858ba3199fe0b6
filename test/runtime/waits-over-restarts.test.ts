// What waits when the process ends waits on in the next: in the log and not in memory, and until the same moment.
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, ask, createTroupe, event, memory, protocol, request, type OpenStore, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { gate } from './stage.js'

const DAY = 86_400_000

/** Ends a process as a deploy does. */
async function ended(troupe: Troupe, clock: VirtualClock): Promise<void> {
  const stopped = troupe.stop()
  await clock.advance('10s')
  await stopped
}

const Sleeper = protocol({ sleep: event(z.object({ ms: z.number() })), paid: event(), pay: event(), note: event(), notes: request(null, z.number()) })
function sleepers() {
  const told = { began: [] as string[], woke: 0, paid: 0 }
  const definition = actor(Sleeper, {
    durable: true,
    state: () => ({ notes: 0 }),
    on: {
      sleep: async ({ ms }, me) => {
        told.began.push(me.id)
        await me.step('begin', () => 1)
        await me.sleep(ms)
        told.woke++
      },
      pay: async (_, me) => {
        told.began.push(me.id)
        await me.waitFor('paid')
        told.paid++
      },
      paid: () => {},
      note: (_, me) => void me.state.notes++,
      notes: (_, me) => me.state.notes,
    },
  })
  return { told, definition }
}

test('of 2,000 actors asleep none is in memory after a restart until it is due, or something comes for it', async () => {
  const store = memory()
  const clock = virtualClock()
  const { told, definition } = sleepers()
  const first = await createTroupe({ store, clock })
  const one = first.keyed('sleeper', definition)
  await Promise.all(Array.from({ length: 2_000 }, (_, i) => one(`${i}`).tell({ type: 'sleep', ms: (i < 1_000 ? 3 : 5) * DAY })))
  await clock.advance('5s')
  await ended(first, clock)
  told.began.length = 0

  const second = await createTroupe({ store, clock })
  // Had they been woken, all but one would have been refused.
  const two = second.keyed('sleeper', definition, { residents: 1_000 })
  await clock.advance('1d')
  expect([told.began, second.resumed.length]).toEqual([[], 2_000])
  await two('7').tell({ type: 'note' })
  await clock.advance('5s')
  expect(told.began).toEqual(['sleeper/7'])
  await clock.advance('2d')
  expect([told.woke, told.began.length]).toEqual([1_000, 1_001])
  expect(await two('7').ask({ type: 'notes' })).toBe(1)
  await clock.advance('2d')
  expect([told.woke, told.began.length]).toEqual([2_000, 2_001])
  await ended(second, clock)
})

test('a spawned one sleeps on too, and what comes for it wakes it', async () => {
  const store = memory()
  const clock = virtualClock()
  const { told, definition } = sleepers()
  const first = await createTroupe({ store, clock })
  await first.spawn('sleeper', definition).tell({ type: 'pay' })
  await clock.advance('5s')
  await ended(first, clock)
  const second = await createTroupe({ store, clock })
  const ref = second.spawn('sleeper', definition)
  expect(() => second.spawn('sleeper', definition)).toThrow('is taken')
  await clock.advance('30d')
  expect(told.began).toHaveLength(1)
  await ref.tell({ type: 'paid' })
  await clock.settle()
  expect([told.began.length, told.paid]).toEqual([2, 1])
  await ended(second, clock)
})

test('mail that was on its way to one that fell asleep wakes it after a crash', async () => {
  const clock = virtualClock()
  const inner = memory()
  const told = gate()
  // The store has the sender's step, and has not said so when the process dies.
  const slow: OpenStore = async () => {
    const store = await inner()
    const isMail = (value: Uint8Array): boolean => Buffer.from(value).includes('sleeper/a') && Buffer.from(value).includes('paid')
    return {
      commit: async (changes) => {
        await store.commit(changes)
        if (changes.some((change) => change.kind === 'put' && change.key[0] === 'log' && isMail(change.value))) await told.passed
      },
      get: (key) => store.get(key),
      range: (from, to) => store.range(from, to),
      close: () => store.close(),
    }
  }
  const { told: seen, definition } = sleepers()
  const Payer = protocol({ go: event() })
  const payer = actor(Payer, { durable: true, on: { go: (_, me) => me.tell(me.ref(Sleeper, 'sleeper/a'), { type: 'paid' }) } })
  const first = await createTroupe({ store: slow, clock })
  await first.keyed('sleeper', definition)('a').tell({ type: 'pay' })
  await clock.settle()
  await first.spawn('payer', payer).tell({ type: 'go' })
  await clock.advance('5s')
  // The first process is gone here: nothing of it runs any more.
  const later = virtualClock({ start: clock.now() })
  const second = await createTroupe({ store: inner, clock: later })
  second.keyed('sleeper', definition)
  await later.advance('1s')
  expect(seen.paid).toBe(1)
  await ended(second, later)
})

const Office = protocol({ sign: request(null, z.string()), days: event(z.object({ days: z.number() })) })
const Clerk = protocol({ begin: event(), outcome: request(null, z.string()) })

/** An office that never answers, and a clerk that asks it for seven days. */
function clerks(durableOffice: boolean) {
  const office = actor(Office, { durable: durableOffice, on: { sign: () => new Promise<string>(() => {}), days: () => {} } })
  const clerk = actor(Clerk, {
    durable: true,
    state: () => ({ outcome: 'none' }),
    on: {
      begin: async (_, me) => {
        me.state.outcome = await me.ask(me.ref(Office, 'office'), { type: 'sign' }, { timeout: '7d' }).catch((error: { code: string }) => `${error.code} on day ${Math.floor(me.clock.now() / DAY)}`)
      },
      outcome: (_, me) => me.state.outcome,
    },
  })
  return { office, clerk }
}

test.each([['a durable', true], ['a volatile', false]] as const)("the patience of a handler's ask to %s actor is counted from when it first asked, over restarts", async (_, durableOffice) => {
  const store = memory()
  const clock = virtualClock({ start: 0 })
  const { office, clerk } = clerks(durableOffice)
  for (let day = 0; day < 3; day++) {
    const troupe = await createTroupe({ store, clock })
    troupe.spawn('office', office)
    const ref = troupe.spawn('clerk', clerk)
    if (day === 0) await ref.tell({ type: 'begin' })
    await clock.advance('2d')
    await ended(troupe, clock)
  }
  const last = await createTroupe({ store, clock })
  last.spawn('office', office)
  const outcome = last.spawn('clerk', clerk).ask({ type: 'outcome' }, { timeout: 'none' })
  await clock.advance('2d')
  expect(await outcome).toBe('DeadlineExceeded on day 7')
  await ended(last, clock)
})

test("an ask whose patience ended while nobody ran has failed when its handler is back, and whom it asked is told", async () => {
  const store = memory()
  const clock = virtualClock({ start: 0 })
  const { office, clerk } = clerks(true)
  const first = await createTroupe({ store, clock })
  first.spawn('office', office)
  await first.spawn('clerk', clerk).tell({ type: 'begin' })
  await clock.advance('1d')
  await ended(first, clock)
  await clock.advance('9d')
  const second = await createTroupe({ store, clock })
  const ended2: string[] = []
  second.inspect(({ kind, to, reason }) => void (to === 'office' && reason !== undefined && ended2.push(`${kind} ${reason}`)))
  second.spawn('office', office)
  const ref = second.spawn('clerk', clerk)
  expect(await ref.ask({ type: 'outcome' })).toMatch('DeadlineExceeded')
  expect(ended2).toEqual(['cancelled deadline'])
  await ended(second, clock)
})

test("an effect's ask in a chart keeps its patience over restarts too", async () => {
  const store = memory()
  const clock = virtualClock({ start: 0 })
  const { office } = clerks(true)
  const Waiter = protocol({ begin: event() })
  let failed = -1
  const machine = setup({ types: { context: {} as { day: number } }, actors: { sign: ask({ protocol: Office, address: 'office' }, 'sign', { timeout: '7d' }) } }).createMachine({
    context: { day: -1 },
    initial: 'idle',
    states: {
      idle: { on: { begin: 'asking' } },
      asking: { invoke: { src: 'sign', onError: { target: 'late', actions: assign({ day: () => (failed = Math.floor(clock.now() / DAY)) }) } } },
      late: {},
    },
  })
  const waiter = actor(Waiter, machine, { durable: true })
  for (let life = 0; life < 4; life++) {
    const troupe = await createTroupe({ store, clock })
    troupe.spawn('office', office)
    const ref = troupe.spawn('waiter', waiter)
    if (life === 0) await ref.tell({ type: 'begin' })
    await clock.advance('2d')
    await ended(troupe, clock)
  }
  expect(failed).toBe(7)
})

test('what failed by its own time has that time again when its message is tried again', async () => {
  const clock = virtualClock({ start: 0 })
  const Wait = protocol({ go: event(), paid: event() })
  const waiting = actor(Wait, { durable: true, retries: 2, on: { go: async (_, me) => void (await me.waitFor('paid', { timeout: '1d' })), paid: () => {} } })
  const troupe = await createTroupe({ store: memory(), clock })
  await troupe.spawn('waiting', waiting).tell({ type: 'go' })
  await clock.advance('71h')
  expect(troupe.deadLetters.list()).toEqual([])
  await clock.advance('2h')
  expect(troupe.deadLetters.list().map(({ type, reason }) => `${type} ${reason}`)).toEqual(['go failed'])
  await ended(troupe, clock)
})

test('an actor whose code no longer matches does not hold up a stop, nor do those who ask it', async () => {
  const store = memory()
  const clock = virtualClock()
  const Job = protocol({ run: request(null, z.string()) })
  const job = (step: string) => actor(Job, { durable: true, on: { run: async (_, me) => {
    await me.step(step, () => 1)
    await me.sleep('1d')
    return 'done'
  } } })
  const first = await createTroupe({ store, clock })
  void first.spawn('job', job('old')).ask({ type: 'run' }).catch(() => {})
  await clock.settle()
  await ended(first, clock)
  const second = await createTroupe({ store, clock, log: () => {} })
  const ref = second.spawn('job', job('new'))
  await clock.settle()
  const asked = ref.ask({ type: 'run' }, { timeout: 'none' }).catch((error: { code: string; details: unknown }) => error)
  await clock.settle()
  const before = clock.now()
  await second.stop()
  expect(clock.now()).toBe(before)
  expect(await asked).toMatchObject({ code: 'Cancelled', details: { reason: 'shutting-down' } })
})
