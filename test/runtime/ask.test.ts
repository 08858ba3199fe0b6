// An ask and its outcome: in time, too late, called off from either end, or never possible.
import { getEventListeners } from 'node:events'
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, TroupeError, type Me, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { any, gate, rejection, turn, type Gate } from './stage.js'

const Worker = protocol({
  work: request(any<{ for: number | 'ever' }>(), any<string>()),
  quick: request(null, any<string>()),
  go: event(),
  relay: request(any<{ to: string; timeout?: number }>(), any<string>()),
})


/** A worker sleeps as long as it is told, and notes what it did and why it was called off. */
async function stage(): Promise<{ troupe: Troupe; clock: VirtualClock; log: string[]; spawn: (name: string, capacity?: number) => ReturnType<typeof one> }> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const log: string[] = []
  const noteEnd = (me: { readonly id: string; readonly signal: AbortSignal }): void => {
    me.signal.addEventListener('abort', () => log.push(`${me.id} called off: ${String((me.signal.reason as TroupeError).details['reason'])}`))
  }
  const one = (name: string, capacity = 1_024) =>
    troupe.spawn(
      name,
      actor(Worker, {
        mailbox: { capacity },
        on: {
          work: async (message, me) => {
            log.push(`${me.id} begins`)
            noteEnd(me)
            if (message.for === 'ever') await me.waitFor('go')
            else await me.sleep(message.for)
            log.push(`${me.id} is done`)
            return me.id
          },
          quick: (_, me) => `${me.id} is quick`,
          go: () => {},
          relay: async ({ to, timeout }, me) => {
            noteEnd(me)
            return me.ask(me.ref(Worker, to), { type: 'work', for: 'ever' }, timeout === undefined ? {} : { timeout })
          },
        },
      }),
    )
  return { troupe, clock, log, spawn: one }
}

describe('in time', () => {
  test('an ask waits 30 s unless it says otherwise', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const outcome = rejection(spawn('a').ask({ type: 'work', for: 'ever' }))
    await clock.advance('29s')
    expect(log).toEqual(['a begins'])
    await clock.advance('1s')
    expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
    expect(log).toEqual(['a begins', 'a called off: deadline'])
    await troupe.stop()
  })

  test.each([['250ms', 250], ['2s', 2_000], ['5m', 300_000], [40, 40]] as const)('a timeout of %s', async (timeout, ms) => {
    const { troupe, clock, spawn } = await stage()
    let settled = false
    const outcome = rejection(spawn('a').ask({ type: 'work', for: 'ever' }, { timeout })).then((error) => ((settled = true), error))
    await clock.advance(ms - 1)
    expect(settled).toBe(false)
    await clock.advance(1)
    expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
    await troupe.stop()
  })

  test("'none' waits for ever", async () => {
    const { troupe, clock, spawn } = await stage()
    const answer = spawn('a').ask({ type: 'work', for: 3_600_000 * 24 * 60 }, { timeout: 'none' })
    await clock.advance('60d')
    expect(await answer).toBe('a')
    await troupe.stop()
  })

  test('a malformed timeout is refused before anything is sent', async () => {
    const { troupe, spawn } = await stage()
    expect(await rejection(spawn('a').ask({ type: 'quick' }, { timeout: '2 weeks' as never }))).toMatchObject({ code: 'InvalidDefinition' })
    await troupe.stop()
  })

  test('the deadline travels down: an inner ask has no more time than its asker', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const [outer] = [spawn('a'), spawn('b')]
    const outcome = rejection(outer.ask({ type: 'relay', to: 'b', timeout: 60_000 }, { timeout: '3s' }))
    await clock.advance('3s')
    expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
    expect(log.toSorted()).toEqual(['a called off: deadline', 'b begins', 'b called off: deadline'])
    await troupe.stop()
  })

  test('an inner ask may have less time than its asker', async () => {
    const { troupe, clock, spawn } = await stage()
    const [outer] = [spawn('a'), spawn('b')]
    const outcome = rejection(outer.ask({ type: 'relay', to: 'b', timeout: 100 }, { timeout: '3s' }))
    await clock.advance(100)
    // The inner deadline is no cancel of the outer: the handler fails on it.
    expect(await outcome).toMatchObject({ code: 'ActorFailed', cause: { code: 'DeadlineExceeded' } })
    await troupe.stop()
  })

  test('a queued ask whose time is up is never begun, and is a dead letter', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const a = spawn('a')
    const first = a.ask({ type: 'work', for: 5_000 })
    const second = rejection(a.ask({ type: 'work', for: 1 }, { timeout: '1s' }))
    await clock.advance('5s')
    expect(await first).toBe('a')
    expect(await second).toMatchObject({ code: 'DeadlineExceeded' })
    expect(log).toEqual(['a begins', 'a is done'])
    expect(troupe.deadLetters.counts()).toEqual({ expired: 1 })
    await troupe.stop()
  })

  test('a late answer changes nothing', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const late = gate()
    const ref = troupe.spawn('a', actor(protocol({ slow: request(any<{ n: number }>(), any<number>()) }), { concurrency: 10, on: { slow: async ({ n }) => (n === 1 ? (await late.passed, 1) : n) } }))
    const outcome = rejection(ref.ask({ type: 'slow', n: 1 }, { timeout: '1s' }))
    await clock.advance('1s')
    expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
    late.open()
    expect(await ref.ask({ type: 'slow', n: 2 })).toBe(2)
    expect(troupe.why(1)).toMatchObject({ ending: 'cancelled', reason: 'deadline' })
    await troupe.stop()
  })

  test('100,000 open asks, each with a deadline of its own, all end soon after it', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock, check: 'boundary' })
    const ref = troupe.spawn('a', actor(Worker, { mailbox: { capacity: 200_000 }, on: { work: (_, me) => me.sleep('1d').then(() => ''), quick: () => '', go: () => {}, relay: () => '' } }))
    const busy = rejection(ref.ask({ type: 'work', for: 1 }, { timeout: '1h' }))
    let latest = 0
    let expired = 0
    for (let i = 0; i < 100_000; i++) {
      const due = clock.now() + 1_000 + i / 100
      ref.ask({ type: 'quick' }, { timeout: 1_000 + i / 100 }).catch(() => {
        expired++
        latest = Math.max(latest, clock.now() - due)
      })
    }
    await clock.advance('3s')
    expect(expired).toBe(100_000)
    expect(latest).toBeLessThanOrEqual(100)
    await troupe.ref(Worker, 'a').stop()
    expect(await busy).toMatchObject({ code: 'Cancelled' })
    await troupe.stop()
  })
})

describe('called off by the caller', () => {
  test('a signal that has fired already: nothing is sent', async () => {
    const { troupe, spawn, log } = await stage()
    expect(await rejection(spawn('a').ask({ type: 'work', for: 1 }, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    expect(log).toEqual([])
    await troupe.stop()
  })

  test('while queued: the work is never begun', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const a = spawn('a')
    const first = a.ask({ type: 'work', for: 100 })
    const stop = new AbortController()
    const second = rejection(a.ask({ type: 'work', for: 1 }, { signal: stop.signal }))
    await turn()
    stop.abort()
    expect(await second).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    await clock.advance(100)
    expect([await first, log]).toEqual(['a', ['a begins', 'a is done']])
    await troupe.stop()
  })

  test('while it waits for room: its place in the line is free again', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const a = spawn('a', 1)
    const running = a.ask({ type: 'work', for: 100 })
    await turn()
    const queued = a.ask({ type: 'quick' })
    for (let i = 0; i < 3; i++) {
      const stop = new AbortController()
      const waiting = Array.from({ length: 1_024 }, () => rejection(a.ask({ type: 'work', for: 1 }, { signal: stop.signal })))
      expect(await rejection(a.ask({ type: 'quick' }))).toMatchObject({ code: 'Overloaded' })
      stop.abort()
      for (const outcome of await Promise.all(waiting)) expect(outcome).toMatchObject({ code: 'Cancelled' })
    }
    const last = a.ask({ type: 'quick' })
    await clock.advance(100)
    expect([await running, await queued, await last, log]).toEqual(['a', 'a is quick', 'a is quick', ['a begins', 'a is done']])
    await troupe.stop()
  })

  test('while queued: its room is free for others, though the actor is still busy', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const ref = troupe.spawn('a', actor(Worker, { mailbox: { capacity: 100, overflow: 'reject' }, on: { work: (_, me) => me.sleep(100).then(() => 'worked'), quick: () => 'quick', go: () => {}, relay: () => '' } }))
    const busy = ref.ask({ type: 'work', for: 1 })
    await clock.settle()
    for (let round = 0; round < 10; round++) {
      const stop = new AbortController()
      const queued = Array.from({ length: 70 }, () => rejection(ref.ask({ type: 'quick' }, { signal: stop.signal })))
      stop.abort()
      for (const outcome of await Promise.all(queued)) expect(outcome).toMatchObject({ code: 'Cancelled' })
    }
    const answer = ref.ask({ type: 'quick' })
    await clock.advance(100)
    expect([await busy, await answer]).toEqual(['worked', 'quick'])
    await troupe.stop()
  })

  test('while it runs: the handler is told why, its own asks are called off too, and the actor goes on', async () => {
    const { troupe, clock, spawn, log } = await stage()
    const [a, b] = [spawn('a'), spawn('b')]
    const stop = new AbortController()
    const outcome = rejection(a.ask({ type: 'relay', to: 'b' }, { signal: stop.signal }))
    await clock.settle()
    stop.abort()
    expect(await outcome).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    await clock.settle()
    expect(log.toSorted()).toEqual(['a called off: caller', 'b begins', 'b called off: caller'])
    expect([await a.ask({ type: 'quick' }), await b.ask({ type: 'quick' })]).toEqual(['a is quick', 'b is quick'])
    expect(troupe.deadLetters.list()).toEqual([])
    await troupe.stop()
  })

  test.each(['sleep', 'waitFor', 'step', 'ask'] as const)('a handler in %s is reached, and keeps its state', async (where) => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const P = protocol({ wait: request(null, any<string>()), go: event(), count: request(null, any<number>()) })
    const stopped: unknown[] = []
    const stuck = troupe.spawn('stuck', actor(P, { on: { wait: (_, me) => me.sleep('1d').then(() => ''), go: () => {}, count: () => 0 } }))
    const effect = (me: Me<typeof P.specs, { count: number }>): Promise<unknown> => {
      if (where === 'sleep') return me.sleep('1h')
      if (where === 'waitFor') return me.waitFor('go')
      if (where === 'ask') return me.ask(stuck, { type: 'wait' })
      return me.step('fetch', ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))))
    }
    const ref = troupe.spawn(
      'a',
      actor(P, {
        state: () => ({ count: 0 }),
        on: {
          wait: async (_, me) => {
            me.state.count++
            await effect(me).catch((error: unknown) => {
              stopped.push(error)
              throw error
            })
            return 'waited'
          },
          go: () => {},
          count: (_, me) => me.state.count,
        },
      }),
    )
    const stop = new AbortController()
    const outcome = rejection(ref.ask({ type: 'wait' }, { signal: stop.signal }))
    await clock.settle()
    stop.abort()
    expect(await outcome).toMatchObject({ code: 'Cancelled' })
    expect(await ref.ask({ type: 'count' })).toBe(1)
    expect(stopped).toMatchObject([{ code: 'Cancelled', details: { reason: 'caller' } }])
    await troupe.stop({ within: 0 })
  })

  test('no listener stays on a signal that outlives 1,000 asks', async () => {
    const { troupe, clock, spawn } = await stage()
    const a = spawn('a', 4_000)
    const long = new AbortController()
    for (let i = 0; i < 300; i++) await a.ask({ type: 'quick' }, { signal: long.signal })
    await Promise.all(Array.from({ length: 300 }, () => a.ask({ type: 'quick' }, { signal: long.signal })))
    const busy = a.ask({ type: 'work', for: 2_000 }, { signal: long.signal })
    const late = Array.from({ length: 300 }, () => rejection(a.ask({ type: 'quick' }, { signal: long.signal, timeout: 1_000 })))
    const missing = Array.from({ length: 100 }, () => rejection(troupe.ref(Worker, 'nobody').ask({ type: 'quick' }, { signal: long.signal })))
    const most = getEventListeners(long.signal, 'abort').length
    await clock.advance(3_000)
    await Promise.all([busy, ...late, ...missing])
    for (let i = 0; i < 100; i++) await a.tell({ type: 'go' }, { signal: long.signal })
    expect(most).toBe(1)
    expect(getEventListeners(long.signal, 'abort')).toEqual([])
    await troupe.stop()
  })
})

test('why work was called off: its caller, its deadline, a shutdown and a stop are four facts', async () => {
  const { troupe, clock, spawn, log } = await stage()
  const stop = new AbortController()
  const outcomes = [
    rejection(spawn('a').ask({ type: 'work', for: 'ever' }, { signal: stop.signal })),
    rejection(spawn('b').ask({ type: 'work', for: 'ever' }, { timeout: '1s' })),
    rejection(spawn('c').ask({ type: 'work', for: 'ever' })),
    rejection(spawn('d').ask({ type: 'work', for: 'ever' })),
  ]
  await clock.settle()
  stop.abort()
  await clock.advance('1s')
  await troupe.ref(Worker, 'c').stop()
  const stopping = troupe.stop({ within: '1s' })
  await clock.advance('1s')
  await stopping
  expect(await Promise.all(outcomes)).toMatchObject([
    { code: 'Cancelled', details: { reason: 'caller' } },
    { code: 'DeadlineExceeded' },
    { code: 'Cancelled', details: { reason: 'actor-stopped' } },
    { code: 'Cancelled', details: { reason: 'shutting-down' } },
  ])
  expect(log.filter((line) => line.includes('called off'))).toEqual(['a called off: caller', 'b called off: deadline', 'c called off: actor-stopped', 'd called off: shutting-down'])
})

describe('an ask that could never be answered', () => {
  const Ring = protocol({ pass: request(any<{ ring: string[]; at?: number }>(), any<string>()) })
  /** Each asks the next in the ring. */
  const member = actor(Ring, {
    on: {
      pass: async ({ ring, at = 0 }, me) => {
        const next = ring[at + 1]
        return next === undefined ? 'end' : me.ask(me.ref(Ring, next), { type: 'pass', ring, at: at + 1 })
      },
    },
  })
  const chainOf = (error: { cause?: unknown } | undefined): { code?: string; details?: { cycle?: string[] } } => {
    let at = error as { code?: string; details?: { cycle?: string[] }; cause?: unknown }
    while (at.cause !== undefined) at = at.cause as typeof at
    return at
  }

  test.each([
    ['itself', ['a', 'a'], ['a', 'a']],
    ['a ring of two', ['a', 'b', 'a'], ['b', 'a', 'b']],
    ['a ring of three', ['a', 'b', 'c', 'a'], ['c', 'a', 'b', 'c']],
  ])('%s is named', async (_, ring, cycle) => {
    const troupe = await createTroupe()
    for (const name of new Set(ring)) troupe.spawn(name, member)
    const error = chainOf(await rejection(troupe.ref(Ring, 'a').ask({ type: 'pass', ring })))
    expect(error).toMatchObject({ code: 'AskCycle', details: { cycle } })
    await troupe.stop()
  })

  test('two that ask each other at the same time', async () => {
    const troupe = await createTroupe()
    const [a, b] = [troupe.spawn('a', member), troupe.spawn('b', member)]
    const outcomes = await Promise.allSettled([a.ask({ type: 'pass', ring: ['a', 'b'] }), b.ask({ type: 'pass', ring: ['b', 'a'] })])
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [chainOf(outcome.reason as object)] : []))
    expect(errors[0]).toMatchObject({ code: 'AskCycle' })
    await troupe.stop()
  })

  test('a chain is none, nor is asking the same one twice, nor one that answers several at once', async () => {
    const troupe = await createTroupe()
    for (const name of ['a', 'b', 'c']) troupe.spawn(name, member)
    const open: Gate = gate()
    const many = troupe.spawn('many', actor(Ring, { concurrency: 4, on: { pass: async ({ at }, me) => (at === 1 ? 'end' : me.ask(me.ref(Ring, 'many'), { type: 'pass', ring: [], at: 1 })) } }))
    open.open()
    expect(await Promise.all([
      troupe.ref(Ring, 'a').ask({ type: 'pass', ring: ['a', 'b', 'c'] }),
      troupe.ref(Ring, 'b').ask({ type: 'pass', ring: ['b', 'c'] }),
      troupe.ref(Ring, 'a').ask({ type: 'pass', ring: ['a', 'c'] }),
      many.ask({ type: 'pass', ring: [] }),
    ])).toEqual(['end', 'end', 'end', 'end'])
    await troupe.stop()
  })

  test('an ask that a handler did not await makes no cycle', async () => {
    const troupe = await createTroupe()
    const P = protocol({ start: request(null, any<string>()), back: request(null, any<string>()), answer: request(null, any<string>()) })
    const answers: string[] = []
    troupe.spawn('b', actor(P, { on: { start: () => '', answer: () => '', back: (_, me) => me.ask(me.ref(P, 'a'), { type: 'answer' }) } }))
    const a = troupe.spawn('a', actor(P, { on: { start: (_, me) => (void me.ask(me.ref(P, 'b'), { type: 'back' }).then((answer) => answers.push(answer)), 'begun'), back: () => '', answer: () => 'fine' } }))
    expect(await a.ask({ type: 'start' })).toBe('begun')
    expect(await a.ask({ type: 'answer' })).toBe('fine')
    await turn()
    expect(answers).toEqual(['fine'])
    await troupe.stop()
  })
})
