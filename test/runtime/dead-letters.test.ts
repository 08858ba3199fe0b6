// What nobody will process is kept to a bound, counted, and may be tried again; why tells the chain.
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, type Fact } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { any, gate, rejection } from './stage.js'

const P = protocol({ put: event(any<{ n?: number; text?: string }>()), sum: request(null, any<number>()), relay: request(any<{ hops: number }>(), any<string>()), fail: request(null, any<string>()) })
const adder = (options: { readonly capacity?: number; readonly overflow?: 'reject' | 'drop-oldest' | 'drop-newest' } = {}) =>
  actor(P, {
    mailbox: options,
    state: () => ({ sum: 0 }),
    supervise: { onFailure: 'resume' },
    on: {
      put: ({ n = 0 }, me) => void (me.state.sum += n),
      sum: (_, me) => me.state.sum,
      relay: async ({ hops }, me) => (hops === 0 ? 'end' : me.ask(me.ref(P, `r${hops - 1}`), { type: 'relay', hops: hops - 1 })),
      fail: () => {
        throw new Error('no')
      },
    },
  })

describe('dead letters', () => {
  test('are the last 1,000; their counts by reason stay', async () => {
    const troupe = await createTroupe()
    const nobody = troupe.ref(P, 'nobody')
    for (let n = 0; n < 1_500; n++) void nobody.tell({ type: 'put', n })
    const list = troupe.deadLetters.list()
    expect([list.length, list[0]?.message, list.at(-1)?.message, troupe.deadLetters.counts()]).toEqual([1_000, { type: 'put', n: 500 }, { type: 'put', n: 1_499 }, { 'no-such-actor': 1_500 }])
    await troupe.stop()
  })

  test('are bounded in bytes too', async () => {
    const troupe = await createTroupe()
    const text = 'x'.repeat(1_024 * 1_024)
    for (let n = 0; n < 40; n++) void troupe.ref(P, 'nobody').tell({ type: 'put', n, text })
    expect(troupe.deadLetters.list().length).toBe(15)
    expect(troupe.deadLetters.counts()).toEqual({ 'no-such-actor': 40 })
    await troupe.stop()
  })

  test('say what was thrown, where they went and where they came from', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('r1', adder())
    await rejection(ref.ask({ type: 'fail' }))
    await rejection(ref.ask({ type: 'relay', hops: 1 }))
    expect(troupe.deadLetters.list()).toMatchObject([
      { reason: 'failed', to: 'r1', from: '', type: 'fail', message: { type: 'fail' }, error: { message: 'no' } },
      { reason: 'no-such-actor', to: 'r0', from: 'r1', type: 'relay' },
      { reason: 'failed', to: 'r1', from: '', type: 'relay' },
    ])
    await troupe.stop()
  })

  test('may be replayed once somebody is there, and are kept while nobody is', async () => {
    const troupe = await createTroupe()
    for (let n = 1; n <= 3; n++) void troupe.ref(P, 'late').tell({ type: 'put', n })
    const [first, second, third] = troupe.deadLetters.list().map(({ id }) => id) as [number, number, number]
    expect(await rejection(troupe.deadLetters.replay(first))).toMatchObject({ code: 'NoSuchActor' })
    expect(troupe.deadLetters.list()).toHaveLength(3)
    const late = troupe.spawn('late', adder())
    expect(await Promise.all([first, first, third].map((id) => troupe.deadLetters.replay(id)))).toEqual([true, false, true])
    expect(await troupe.deadLetters.replay(first)).toBe(false)
    expect([await late.ask({ type: 'sum' }), troupe.deadLetters.list().map(({ id }) => id)]).toEqual([4, [second]])
    await troupe.stop()
    expect(await rejection(troupe.deadLetters.replay(second))).toMatchObject({ code: 'Cancelled' })
  })
})

describe('a full mailbox', () => {
  test.each(['reject', 'drop-newest', 'drop-oldest'] as const)('with 10,000 callers at once, overflow %s: each learns its outcome', async (overflow) => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', adder({ capacity: 100, overflow }))
    const outcomes = await Promise.allSettled(Array.from({ length: 10_000 }, () => ref.ask({ type: 'sum' })))
    const answered = outcomes.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected' && (outcome.reason as { code: string }).code === 'Overloaded')
    expect([answered.length, refused.length]).toEqual([100, 9_900])
    expect(answered[0]).toBe(overflow === 'drop-oldest' ? 9_900 : 0)
    expect(troupe.deadLetters.counts()).toEqual({ [overflow === 'reject' ? 'overloaded' : 'dropped']: 9_900 })
    await troupe.stop()
  })

  test('with 10,000 callers at once, overflow wait: 1,024 wait, the next are Overloaded, with a hint when to try again', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', adder({ capacity: 100 }))
    const outcomes = await Promise.allSettled(Array.from({ length: 10_000 }, () => ref.ask({ type: 'sum' })))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1_124)
    expect(outcomes.at(-1)).toMatchObject({ reason: { code: 'Overloaded', details: { retryAfterMs: 100 } } })
    await troupe.stop()
  })

  test('refuses nobody else: a tell that was not awaited is no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listen)
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', adder({ capacity: 1 }))
    for (let n = 0; n < 3_000; n++) void ref.tell({ type: 'put', n: 1 })
    expect((await rejection(ref.tell({ type: 'put', n: 1 }))).code).toBe('Overloaded')
    await new Promise((resolve) => setImmediate(resolve))
    expect(await ref.ask({ type: 'sum' })).toBe(1_025)
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
    await troupe.stop()
  })

  test.each(['wait', 'reject', 'drop-oldest', 'drop-newest'] as const)('a message larger than the whole mailbox is invalid, and displaces nobody (%s)', async (overflow) => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', actor(P, { mailbox: { bytes: 1_000, overflow }, on: { put: () => {}, sum: () => 7, relay: () => '', fail: () => '' } }))
    const answer = ref.ask({ type: 'sum' })
    expect(await rejection(ref.tell({ type: 'put', text: 'x'.repeat(2_000) }))).toMatchObject({ code: 'InvalidMessage' })
    expect([await answer, troupe.deadLetters.counts()]).toEqual([7, { invalid: 1 }])
    await troupe.stop()
  })
})

describe('why', () => {
  test('tells the chain that led to an envelope, and what it caused', async () => {
    const troupe = await createTroupe()
    for (const hop of [0, 1, 2]) troupe.spawn(`r${hop}`, adder())
    await troupe.ref(P, 'r2').ask({ type: 'relay', hops: 2 })
    expect(troupe.why(3)).toEqual({
      id: 3, type: 'relay', from: 'r1', to: 'r0', ending: 'handled',
      because: [
        { id: 1, type: 'relay', from: '', to: 'r2', ending: 'handled' },
        { id: 2, type: 'relay', from: 'r2', to: 'r1', ending: 'handled' },
      ],
      caused: [],
    })
    expect(troupe.why(1)).toMatchObject({ because: [], caused: [{ id: 2, to: 'r1' }] })
    await troupe.stop()
  })

  test('knows how each ended, and why', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const ref = troupe.spawn('a', adder())
    await rejection(ref.ask({ type: 'fail' }))
    await rejection(ref.ask({ type: 'sum' }, { signal: AbortSignal.abort() }))
    await rejection(troupe.ref(P, 'nobody').tell({ type: 'put' }))
    expect([1, 2, 3].map((id) => troupe.why(id))).toMatchObject([{ ending: 'dead-lettered', reason: 'failed' }, { ending: 'cancelled', reason: 'caller' }, { ending: 'dead-lettered', reason: 'no-such-actor' }])
    expect(troupe.why(4)).toBeUndefined()
    await troupe.stop()
  })

  test('forgets the oldest of more than 65,536, and confuses none with another', async () => {
    const troupe = await createTroupe({ check: 'boundary' })
    const ref = troupe.spawn('a', adder())
    for (let n = 0; n < 70_000; n++) {
      const told = ref.tell({ type: 'put', n })
      if (n % 500 === 0) await told
    }
    await ref.ask({ type: 'sum' })
    expect([troupe.why(1), troupe.why(70_000 - 65_536), troupe.why(0), troupe.why(-1), troupe.why(0.5)]).toEqual([undefined, undefined, undefined, undefined, undefined])
    expect(troupe.why(70_001)).toMatchObject({ id: 70_001, type: 'sum', ending: 'handled' })
    expect(troupe.why(10_000)).toMatchObject({ id: 10_000, type: 'put' })
    await troupe.stop()
  })

  test('an inspector sees each fact; one that throws changes nothing; one that left sees no more', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const facts: Fact[] = []
    const done = gate()
    troupe.inspect(() => {
      throw new Error('blind')
    })
    const leave = troupe.inspect((fact) => facts.push(fact))
    const ref = troupe.spawn('a', adder())
    expect(await ref.ask({ type: 'sum' })).toBe(0)
    leave()
    done.open()
    await ref.ask({ type: 'sum' })
    expect(facts).toEqual([
      { kind: 'sent', id: 1, type: 'sum', from: '', to: 'a', cause: 0 },
      { kind: 'handled', id: 1, type: 'sum', from: '', to: 'a', cause: 0 },
    ])
    await troupe.stop()
  })
})
