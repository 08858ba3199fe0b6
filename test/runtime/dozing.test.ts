// A durable handler that only waits leaves memory, its actor with it; whatever wakes it, it goes on as if it had stayed.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request } from 'troupe'
import { virtualClock } from 'troupe/testing'

const DAY = 86_400_000
const Sleeper = protocol({
  sleep: event(z.object({ ms: z.number() })),
  nap: request(z.object({ ms: z.number() }), z.string()),
  await: request(z.object({ timeout: z.string().optional() }), z.string()),
  paid: event(z.object({ cents: z.number() })),
  note: event(z.object({ word: z.string() })),
  noted: request(null, z.array(z.string())),
})

/** An actor whose handlers wait; `began` tells how often a handler has begun, and `steps` how often a step has run. */
function sleepers() {
  const told = { began: 0, steps: 0, woke: [] as string[] }
  const clock = virtualClock()
  const start = clock.now()
  const at = (): string => `${(clock.now() - start) / 1_000}s`
  const definition = actor(Sleeper, {
    durable: true,
    state: () => ({ notes: [] as string[] }),
    on: {
      sleep: async ({ ms }, me) => {
        told.began++
        await me.step('begin', () => told.steps++)
        await me.sleep(ms)
        await me.step('end', () => told.steps++)
        told.woke.push(`${me.id} ${at()}`)
      },
      nap: async ({ ms }, me) => {
        told.began++
        try {
          await me.sleep(ms)
          return `slept until ${at()}`
        } catch (error) {
          me.state.notes.push((error as { details: { reason: string } }).details.reason)
          return 'nobody hears this'
        }
      },
      await: async ({ timeout }, me) => {
        told.began++
        const paid = await me.waitFor('paid', timeout === undefined ? {} : { timeout: timeout as '1d' }).then(({ cents }) => `${cents}`, (error: { code: string }) => error.code)
        me.state.notes.push(paid)
        return `${paid} at ${at()}`
      },
      paid: () => {},
      note: ({ word }, me) => void me.state.notes.push(word),
      noted: (_, me) => me.state.notes,
    },
  })
  return { told, clock, at, definition, store: memory() }
}

test('2,000 actors asleep for three days leave memory after a second, and all wake at their moment', async () => {
  const { told, clock, definition, store } = sleepers()
  const troupe = await createTroupe({ store, clock })
  // With room for 50 only, the next actors could not even start if those that sleep stayed.
  const sleeper = troupe.keyed('sleeper', definition, { residents: 50 })
  for (let batch = 0; batch < 40; batch++) {
    await Promise.all(Array.from({ length: 50 }, (_, i) => sleeper(`${batch * 50 + i}`).tell({ type: 'sleep', ms: 3 * DAY })))
    await clock.advance('2s')
  }
  expect(told).toEqual({ began: 2_000, steps: 2_000, woke: [] })
  await clock.advance(3 * DAY - 81_000)
  expect(told).toEqual({ began: 2_000, steps: 2_000, woke: [] })
  await clock.advance('81s')
  const days = Array.from({ length: 2_000 }, (_, i) => `sleeper/${i} ${3 * 86_400 + 2 * Math.floor(i / 50)}s`)
  expect(told.woke.toSorted()).toEqual(days.toSorted())
  expect(told).toMatchObject({ began: 4_000, steps: 4_000 })
  await troupe.stop()
})

test.each(['keyed', 'spawned'])('one asleep is asked, and answers when it wakes (%s)', async (how) => {
  const { told, clock, definition, store } = sleepers()
  const troupe = await createTroupe({ store, clock })
  const ref = how === 'keyed' ? troupe.keyed('sleeper', definition)('a') : troupe.spawn('sleeper', definition)
  const slept = ref.ask({ type: 'nap', ms: DAY }, { timeout: 'none' })
  await clock.advance('1h')
  if (how === 'spawned') expect(() => troupe.spawn('sleeper', definition)).toThrow('is taken')
  await clock.advance('1d')
  expect([await slept, told.began]).toEqual(['slept until 86400s', 2])
  await troupe.stop()
})

test('the event that one asleep awaits wakes it, and other mail waits until its handler has ended', async () => {
  const { told, clock, definition, store } = sleepers()
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.keyed('sleeper', definition)('a')
  const paid = ref.ask({ type: 'await' }, { timeout: 'none' })
  await clock.advance('5s')
  await ref.tell({ type: 'note', word: 'early' }, { priority: 'high' })
  await clock.advance('5s')
  const noted = ref.ask({ type: 'noted' })
  await clock.advance('5s')
  await ref.tell({ type: 'paid', cents: 7 })
  expect([await paid, await noted]).toEqual([expect.stringContaining('7 at'), ['7', 'early']])
  expect(told.began).toBe(4)
  await troupe.stop()
})

test.each([
  ['its deadline', { timeout: '1h' }, 'DeadlineExceeded', 'deadline'],
  ['its caller', { timeout: 'none' }, 'Cancelled', 'caller'],
] as const)('an ask that %s calls off reaches one asleep, which deals with it and takes mail again', async (_, options, code, reason) => {
  const { told, clock, definition, store } = sleepers()
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.keyed('sleeper', definition)('a')
  const abort = new AbortController()
  const slept = ref.ask({ type: 'nap', ms: DAY }, { ...options, signal: abort.signal }).catch((error: { code: string }) => error.code)
  await clock.advance('59m')
  if (reason === 'caller') abort.abort()
  await clock.advance('2m')
  expect([await slept, await ref.ask({ type: 'noted' }), told.began]).toEqual([code, [reason], 2])
  await clock.advance('2d')
  expect(told.began).toBe(2)
  await troupe.stop()
})

test('an order stops one asleep: its asker is told, and no alarm wakes it; after a restart it goes on', async () => {
  const { told, clock, definition, store } = sleepers()
  const first = await createTroupe({ store, clock })
  const ref = first.keyed('sleeper', definition)('a')
  await ref.tell({ type: 'sleep', ms: DAY })
  const noted = ref.ask({ type: 'noted' }, { timeout: 'none' }).catch((error: { code: string }) => error.code)
  await clock.advance('1m')
  await ref.stop()
  expect(await noted).toBe('NoSuchActor')
  await clock.advance('2d')
  expect(told).toEqual({ began: 1, steps: 1, woke: [] })
  await first.stop()
  const second = await createTroupe({ store, clock })
  second.keyed('sleeper', definition)
  await clock.advance('1s')
  expect(told).toEqual({ began: 2, steps: 2, woke: ['sleeper/a 172860s'] })
  await second.stop()
})

test('a restart while they sleep changes nothing', async () => {
  const { told, clock, at, definition, store } = sleepers()
  const first = await createTroupe({ store, clock })
  const ref = first.keyed('sleeper', definition)
  await ref('a').tell({ type: 'sleep', ms: 3 * DAY })
  void ref('b').ask({ type: 'await', timeout: '2d' }, { timeout: 'none' }).catch(() => undefined)
  await clock.advance('1d')
  const stopped = first.stop()
  await clock.advance('10s')
  await stopped
  const second = await createTroupe({ store, clock })
  const again = second.keyed('sleeper', definition)
  await clock.advance('23h')
  const noted = again('b').ask({ type: 'noted' }, { timeout: 'none' })
  void noted.then(() => told.woke.push(`b ${at()}`))
  await clock.advance('2d')
  expect(await noted).toEqual(['DeadlineExceeded'])
  expect(told).toMatchObject({ steps: 2, woke: ['b 172800s', 'sleeper/a 259200s'] })
  await second.stop()
})

test('one that sleeps between its tries is set aside after as many as one that does not', async () => {
  const clock = virtualClock()
  const troupe = await createTroupe({ store: memory(), clock })
  let tries = 0
  const Poison = protocol({ go: event() })
  const ref = troupe.spawn('poison', actor(Poison, { durable: true, on: { go: async (_, me) => {
    await me.sleep('1h')
    await me.step('break', () => { tries++; throw new Error('broken') })
  } } }))
  await ref.tell({ type: 'go' })
  await clock.advance('2d')
  expect([tries, troupe.deadLetters.list().map(({ reason }) => reason)]).toEqual([4, ['failed']])
  await troupe.stop()
})

test("'its caller called it off' and 'the process went down' are different facts in the log", async () => {
  const clock = virtualClock()
  const store = memory()
  const Wait = protocol({ wait: request(z.object({ ms: z.number() }), z.string()) })
  const waiting = actor(Wait, { durable: true, history: true, on: { wait: ({ ms }, me) => me.sleep(ms).then(() => 'slept', (error: { details: { reason: string } }) => error.details.reason) } })
  const first = await createTroupe({ store, clock })
  const abort = new AbortController()
  const ended: string[] = []
  first.inspect(({ kind, to, reason }) => void (reason !== undefined && ended.push(`${to} ${kind} ${reason}`)))
  const one = first.keyed('waiting', waiting)
  const outcomes = ['a', 'b'].map((key) => one(key).ask({ type: 'wait', ms: DAY }, { timeout: 'none', ...(key === 'a' && { signal: abort.signal }) }).catch((error: { details: { reason: string } }) => error.details.reason))
  await clock.advance('1m')
  abort.abort()
  await clock.advance('1m')
  const stopped = first.stop()
  await clock.advance('10s')
  await stopped
  expect([await Promise.all(outcomes), ended]).toEqual([['caller', 'shutting-down'], ['waiting/a cancelled caller']])

  const second = await createTroupe({ store, clock })
  second.keyed('waiting', waiting)
  await clock.advance('2d')
  const logged = (key: string): unknown => second.history(`waiting/${key}`).steps.flatMap(({ effects }) => effects.map(({ outcome }) => (outcome.ok ? 'slept' : (outcome.error as { details: { reason: string } }).details.reason)))
  expect([logged('a'), logged('b')]).toEqual([['caller'], ['slept']])
  await second.stop()
})
