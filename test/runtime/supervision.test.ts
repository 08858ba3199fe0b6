// What a failure means: to the message, to the actor, to its family and to those who watch.
import { expect, test, describe } from 'vitest'
import * as fc from 'fast-check'
import { actor, createTroupe, event, protocol, request, type ActorEnding, type Definition, type Ref, type SupervisionPolicy, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { affected, decide, type RestartHistory } from '../../src/runtime/supervision.js'
import { any, rejection } from './stage.js'

const Counter = protocol({ add: request(null, any<number>()), fail: request(any<{ how?: string }>(), any<string>()), crash: event(), read: request(null, any<number>()) })

/** Counts; fails on demand; notes its starts and stops. */
const counter = (log: string[] = []): Definition<typeof Counter.specs> =>
  actor(Counter, {
    state: () => ({ count: 0 }),
    started: (me) => void log.push(`${me.id} started`),
    stopped: (me) => void log.push(`${me.id} stopped`),
    on: {
      add: (_, me) => ++me.state.count,
      fail: ({ how = 'failed' }, me) => {
        me.state.count += 100
        throw new Error(how)
      },
      crash: () => {
        throw new Error('crashed')
      },
      read: (_, me) => me.state.count,
    },
  })

async function stage(policy?: SupervisionPolicy): Promise<{ troupe: Troupe; clock: VirtualClock; log: string[]; ref: Ref<typeof Counter.specs> }> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock, log: () => {} })
  const log: string[] = []
  return { troupe, clock, log, ref: troupe.spawn('a', counter(log), policy === undefined ? {} : { supervise: policy }) }
}

describe('one actor', () => {
  test('restart, the default: fresh state, mail kept, the asker told', async () => {
    const { troupe, log, ref } = await stage()
    await ref.ask({ type: 'add' })
    const outcomes = [rejection(ref.ask({ type: 'fail' })), ref.ask({ type: 'add' })]
    expect(await Promise.all(outcomes)).toMatchObject([{ code: 'ActorFailed', cause: { message: 'failed' } }, 1])
    expect(log).toEqual(['a started', 'a stopped', 'a started'])
    expect(troupe.deadLetters.list()).toMatchObject([{ reason: 'failed', type: 'fail', error: { message: 'failed' } }])
    await troupe.stop()
  })

  test('resume: the state stays, changes before the throw included', async () => {
    const { troupe, log, ref } = await stage({ onFailure: 'resume' })
    await ref.ask({ type: 'add' })
    await rejection(ref.ask({ type: 'fail' }))
    expect([await ref.ask({ type: 'read' }), log]).toEqual([101, ['a started']])
    await troupe.stop()
  })

  test('stop: watchers are told of the failure, mail becomes dead letters', async () => {
    const { troupe, log, ref } = await stage({ onFailure: 'stop' })
    const ending = ref.watch()
    const outcomes = [rejection(ref.ask({ type: 'fail', how: 'gone' })), rejection(ref.ask({ type: 'add' }))]
    expect(await Promise.all(outcomes)).toMatchObject([{ code: 'ActorFailed' }, { code: 'NoSuchActor' }])
    expect(await ending).toMatchObject({ kind: 'failed', error: { message: 'gone' } })
    expect(log).toEqual(['a started', 'a stopped'])
    expect(await rejection(ref.ask({ type: 'add' }))).toMatchObject({ code: 'NoSuchActor' })
    await troupe.stop()
  })

  test('a policy that chooses by the error, and one that throws itself', async () => {
    const { troupe, ref } = await stage({ onFailure: (error) => ((error as Error).message === 'small' ? 'resume' : 'restart') })
    await ref.ask({ type: 'add' })
    await rejection(ref.ask({ type: 'fail', how: 'small' }))
    expect(await ref.ask({ type: 'read' })).toBe(101)
    await rejection(ref.ask({ type: 'fail', how: 'large' }))
    expect(await ref.ask({ type: 'read' })).toBe(0)
    const other = troupe.spawn('b', counter(), { supervise: { onFailure: () => { throw new Error('no idea') } } })
    const ending = other.watch()
    await rejection(other.ask({ type: 'fail' }))
    expect(await ending).toMatchObject({ kind: 'failed' })
    await troupe.stop()
  })

  test('a backoff doubles up to its most, less a seeded jitter, and mail waits meanwhile', async () => {
    const { troupe, clock, log, ref } = await stage({ backoff: { first: 100, most: 400, jitter: 0 }, intensity: { restarts: 100, within: '1h' } })
    const starts: number[] = []
    const began = clock.now()
    for (let i = 0; i < 5; i++) {
      await rejection(ref.ask({ type: 'fail' }))
      const from = clock.now()
      const answer = ref.ask({ type: 'add' })
      for (let ms = 0; ms < 500 && log.filter((line) => line === 'a started').length < i + 2; ms += 50) await clock.advance(50)
      starts.push(clock.now() - from)
      expect(await answer).toBe(1)
    }
    expect(starts).toEqual([100, 200, 400, 400, 400])
    expect(clock.now() - began).toBe(1_500)
    await troupe.stop()
  })

  test('more restarts than its intensity allows end it', async () => {
    const { troupe, clock, log, ref } = await stage({ intensity: { restarts: 2, within: '10s' } })
    const ending = ref.watch()
    for (let i = 0; i < 2; i++) await rejection(ref.ask({ type: 'fail' }))
    await clock.advance('11s')
    for (let i = 0; i < 3; i++) await rejection(ref.ask({ type: 'fail' }))
    expect(await ending).toMatchObject({ kind: 'failed' })
    expect(log.filter((line) => line === 'a started')).toHaveLength(5)
    await troupe.stop()
  })

  test.each(['restart', 'resume'] as const)('one that cannot start gives up after its intensity, under %s too', async (onFailure) => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    let starts = 0
    const definition = actor(Counter, { supervise: { onFailure, intensity: { restarts: 3, within: '1m' } }, started: () => { starts++; throw new Error('cold') }, on: { add: () => 1, fail: () => '', crash: () => {}, read: () => 0 } })
    const ref = troupe.spawn('a', definition)
    const outcome = rejection(ref.ask({ type: 'add' }))
    expect(await ref.watch()).toMatchObject({ kind: 'failed', error: { message: 'cold' } })
    expect([starts, (await outcome).code]).toEqual([4, 'NoSuchActor'])
    await troupe.stop()
  })

  test('one whose start fails at first handles the mail that waited', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    let tries = 0
    const ref = troupe.spawn('a', actor(Counter, { state: () => { if (++tries < 3) throw new Error('not yet'); return { count: 5 } }, on: { add: (_, me) => ++me.state.count, fail: () => '', crash: () => {}, read: () => 0 } }))
    expect(await ref.ask({ type: 'add' })).toBe(6)
    await troupe.stop()
  })

  test('an asynchronous start that fails, and one that is stopped while it starts', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    let tries = 0
    const definition = actor(Counter, { started: async (me) => { await me.sleep(10); if (++tries === 1) throw new Error('not yet') }, on: { add: () => 1, fail: () => '', crash: () => {}, read: () => 0 } })
    const ref = troupe.spawn('a', definition)
    const answer = ref.ask({ type: 'add' })
    await clock.advance(20)
    expect([await answer, tries]).toEqual([1, 2])
    const other = troupe.spawn('b', definition)
    await clock.settle()
    // No clock is advanced: the stop calls the start off instead of waiting for it.
    await other.stop()
    await troupe.stop()
  })

  test('a throwing `stopped` keeps neither its end nor its restart', async () => {
    const clock = virtualClock()
    const logged: string[] = []
    const troupe = await createTroupe({ clock, log: (address, words) => logged.push(`${address} ${String(words[0])}`) })
    const ref = troupe.spawn('a', actor(Counter, { stopped: () => { throw new Error('cannot let go') }, on: { add: () => 1, fail: () => { throw new Error('x') }, crash: () => {}, read: () => 0 } }))
    await rejection(ref.ask({ type: 'fail' }))
    expect(await ref.ask({ type: 'add' })).toBe(1)
    await ref.stop()
    expect(logged).toEqual(['a stopped() failed:', 'a stopped() failed:'])
    await troupe.stop()
  })

  test('what `stopped` tells still leaves', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const Heir = protocol({ will: event(any<{ count: number }>()), read: request(null, any<number[]>()) })
    const heir = troupe.spawn('heir', actor(Heir, { state: () => [] as number[], on: { will: ({ count }, me) => void me.state.push(count), read: (_, me) => me.state } }))
    const ref = troupe.spawn('a', actor(Counter, { state: () => ({ count: 3 }), stopped: (me) => me.tell(heir, { type: 'will', count: me.state.count }), on: { add: () => 1, fail: () => '', crash: () => {}, read: () => 0 } }))
    await ref.stop()
    expect(await heir.ask({ type: 'read' })).toEqual([3])
    await troupe.stop()
  })
})

describe('retries', () => {
  const Job = protocol({ job: request(any<{ n: number }>(), any<number>()) })
  const worker = (tried: number[], failing: number, failures: number, options: { readonly retries?: number } = {}) =>
    actor(Job, {
      ...options,
      on: {
        job: ({ n }) => {
          tried.push(n)
          if (n === failing && tried.filter((one) => one === n).length <= failures) throw new Error(`job ${n}`)
          return n
        },
      },
    })

  test('a failing message keeps its place at the head until it succeeds', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const tried: number[] = []
    const ref = troupe.spawn('w', worker(tried, 2, 2, { retries: 2 }))
    expect(await Promise.all([1, 2, 3].map((n) => ref.ask({ type: 'job', n })))).toEqual([1, 2, 3])
    expect([tried, troupe.deadLetters.list()]).toEqual([[1, 2, 2, 2, 3], []])
    await troupe.stop()
  })

  test('poison is set aside after n retries: ActorFailed, a dead letter, and the actor goes on', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const tried: number[] = []
    const ref = troupe.spawn('w', worker(tried, 2, 99, { retries: 3 }))
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => ref.ask({ type: 'job', n })))
    expect(outcomes).toMatchObject([{ value: 1 }, { reason: { code: 'ActorFailed' } }, { value: 3 }])
    expect([tried, troupe.deadLetters.list().map(({ message }) => message)]).toEqual([[1, 2, 2, 2, 2, 3], [{ type: 'job', n: 2 }]])
    await troupe.stop()
  })

  test('without retries a failing message is not tried again', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const tried: number[] = []
    const ref = troupe.spawn('w', worker(tried, 1, 99))
    await rejection(ref.ask({ type: 'job', n: 1 }))
    expect(tried).toEqual([1])
    await troupe.stop()
  })
})

describe('a family', () => {
  const Parent = protocol({ ready: request(null, any<string>()), children: request(null, any<string[]>()) })
  const family = (log: string[], strategy: 'one-for-one' | 'one-for-all' | 'rest-for-one', childPolicy: SupervisionPolicy = {}) =>
    actor(Parent, {
      strategy,
      started: (me) => {
        log.push('parent started')
        for (const name of ['x', 'y', 'z']) me.spawn(name, counter(log), { supervise: childPolicy })
      },
      stopped: () => void log.push('parent stopped'),
      on: { ready: () => 'yes', children: () => [] },
    })
  const childOf = (troupe: Troupe, name: string) => troupe.ref(Counter, `parent>${name}`)

  test.each([
    ['one-for-one', ['parent>y stopped', 'parent>y started']],
    ['one-for-all', ['parent>z stopped', 'parent>y stopped', 'parent>x stopped', 'parent>x started', 'parent>y started', 'parent>z started']],
    ['rest-for-one', ['parent>z stopped', 'parent>y stopped', 'parent>y started', 'parent>z started']],
  ] as const)('%s', async (strategy, expected) => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    troupe.spawn('parent', family(log, strategy))
    log.length = 0
    await childOf(troupe, 'y').tell({ type: 'crash' })
    await clock.settle()
    expect(log).toEqual(expected)
    for (const name of ['x', 'y', 'z']) expect(await childOf(troupe, name).ask({ type: 'add' })).toBe(1)
    await troupe.stop()
  })

  test('children stop with their parent, the last first, before it', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const log: string[] = []
    const parent = troupe.spawn('parent', family(log, 'one-for-one'))
    log.length = 0
    const ending = childOf(troupe, 'x').watch()
    await parent.stop()
    expect(log).toEqual(['parent>z stopped', 'parent>y stopped', 'parent>x stopped', 'parent stopped'])
    expect(await ending).toEqual({ kind: 'stopped' })
    await troupe.stop()
  })

  test('escalate: the parent fails in place of its child, and starts its children anew', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    const parent = troupe.spawn('parent', family(log, 'one-for-one', { onFailure: 'escalate' }))
    const ending = childOf(troupe, 'y').watch()
    log.length = 0
    await childOf(troupe, 'y').tell({ type: 'crash' })
    await clock.settle()
    expect(await ending).toMatchObject({ kind: 'failed', error: { message: 'crashed' } })
    expect(log[0]).toBe('parent>y stopped')
    expect(log.slice(-4)).toEqual(['parent started', 'parent>x started', 'parent>y started', 'parent>z started'])
    expect(await parent.ask({ type: 'ready' })).toBe('yes')
    await troupe.stop()
  })

  test('a child beyond its restart intensity escalates', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    troupe.spawn('parent', family(log, 'one-for-one', { intensity: { restarts: 1, within: '1m' } }))
    for (let i = 0; i < 2; i++) {
      await childOf(troupe, 'y').tell({ type: 'crash' })
      await clock.settle()
    }
    expect(log.filter((line) => line === 'parent started')).toHaveLength(2)
    await troupe.stop()
  })

  test('10,000 children stop in a moment', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const small = actor(Counter, { on: { add: () => 1, fail: () => '', crash: () => {}, read: () => 0 } })
    const parent = troupe.spawn('parent', actor(Parent, { started: (me) => { for (let i = 0; i < 10_000; i++) me.spawn(`c${i}`, small) }, on: { ready: () => 'yes', children: () => [] } }))
    const endings: ActorEnding[] = []
    for (let i = 0; i < 10_000; i += 1_000) void childOf(troupe, `c${i}`).watch().then((ending) => endings.push(ending))
    await parent.stop()
    expect(endings).toHaveLength(10)
    await troupe.stop()
  })
})

describe('the decision is pure', () => {
  test('a backoff never passes its most, never falls below its jitter share, and restarts never pass the intensity', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 20_000 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 40 }), (first, most, jitter, failures) => {
        const policy: SupervisionPolicy = { backoff: { first, most, jitter }, intensity: { restarts: 5, within: '1m' } }
        const history: RestartHistory = []
        const restarts: number[] = []
        let now = 0
        for (const [later, chance] of failures) {
          now += later
          const decision = decide(policy, history, new Error('x'), now, chance)
          const recent = restarts.filter((at) => at > now - 60_000)
          expect(decision.kind).toBe(recent.length < 5 ? 'restart' : 'escalate')
          if (decision.kind !== 'restart') continue
          const full = Math.min(most, first * 2 ** recent.length)
          expect(decision.delayMs).toBeLessThanOrEqual(full)
          expect(decision.delayMs).toBeGreaterThanOrEqual(full * (1 - jitter) - 1e-9)
          restarts.push(now)
          expect(history.length).toBeLessThanOrEqual(5)
        }
      }),
    )
  })

  test('whom a restart takes along', () => {
    const siblings = ['a', 'b', 'c']
    expect(affected('one-for-one', siblings, 'b')).toEqual(['b'])
    expect(affected('one-for-all', siblings, 'b')).toEqual(['a', 'b', 'c'])
    expect(affected('rest-for-one', siblings, 'b')).toEqual(['b', 'c'])
  })
})
