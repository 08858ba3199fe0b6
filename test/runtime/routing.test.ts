// Where a message goes: pools, keyed actors, topics, and the interceptors it passes.
import * as fc from 'fast-check'
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, stream, TroupeError, type Clock, type Interceptor, type Route, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { Topics } from '../../src/runtime/topics.js'
import { any, gate, rejection, turn } from './stage.js'

const Member = protocol({ who: request(any<{ key?: string; ms?: number }>(), any<string>()), note: event(any<{ bytes: Uint8Array }>()), notes: request(null, any<number[][]>()), each: stream(null, any<string>()), die: event() })
const member = (log: string[] = []) =>
  actor(Member, {
    supervise: { onFailure: 'stop' },
    state: () => [] as Uint8Array[],
    on: {
      who: async ({ ms }, me) => {
        me.signal.addEventListener('abort', () => log.push(`${me.id} ${String((me.signal.reason as TroupeError).details['reason'])}`))
        if (ms !== undefined) await me.sleep(ms * Number(me.id.slice(-1)))
        return me.id
      },
      note: ({ bytes }, me) => {
        me.state.push(bytes)
        bytes[0] = 100 + me.state.length
      },
      notes: (_, me) => me.state.map((bytes) => [...bytes]),
      each: function* (_, me) {
        yield me.id
      },
      die: () => {
        throw new Error('died')
      },
    },
  })

describe('a pool', () => {
  async function pool(route: Route, size = 3): Promise<{ troupe: Troupe; clock: VirtualClock; ref: ReturnType<typeof make>; log: string[] }> {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    const make = () => troupe.pool('pool', member(log), { size, route })
    return { troupe, clock, ref: make(), log }
  }

  test('round robin gives each its turn', async () => {
    const { troupe, ref } = await pool('round-robin')
    const answers = await Promise.all(Array.from({ length: 6 }, () => ref.ask({ type: 'who' })))
    expect(answers).toEqual(['pool>1', 'pool>2', 'pool>3', 'pool>1', 'pool>2', 'pool>3'])
    await troupe.stop()
  })

  test('least loaded picks the one with the least to do', async () => {
    const { troupe, clock, ref } = await pool('least-loaded')
    const slow = [ref.ask({ type: 'who', ms: 100 }), ref.ask({ type: 'who', ms: 100 })]
    await clock.settle()
    expect(await Promise.all([ref.ask({ type: 'who' }), Promise.resolve()])).toEqual(['pool>3', undefined])
    await clock.advance('1s')
    expect(await Promise.all(slow)).toEqual(['pool>1', 'pool>2'])
    await troupe.stop()
  })

  test('broadcast tells all, none of whom shares memory, and wants no answers', async () => {
    const { troupe, ref, clock } = await pool('broadcast')
    await ref.tell({ type: 'note', bytes: new Uint8Array([1, 2]) })
    await clock.settle()
    for (const n of [1, 2, 3]) expect(await troupe.ref(Member, `pool>${n}`).ask({ type: 'notes' })).toEqual([[101, 2]])
    expect(await rejection(ref.ask({ type: 'who' }))).toMatchObject({ code: 'InvalidMessage' })
    await troupe.stop()
  })

  test('a broadcast that nobody awaits is nobody’s unhandled rejection', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const unhandled: unknown[] = []
    const listen = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listen)
    const P = protocol({ n: event(any<{ n: number }>()) })
    const ref = troupe.pool('pool', actor(P, { mailbox: { capacity: 1, overflow: 'reject' }, on: { n: () => {} } }), { size: 2, route: 'broadcast' })
    for (let n = 0; n < 3; n++) void ref.tell({ type: 'n', n })
    void troupe.publish('no topic *', { type: 'n' })
    await turn()
    await turn()
    process.off('unhandledRejection', listen)
    expect([unhandled, troupe.deadLetters.counts()]).toEqual([[], { overloaded: 4 }])
    await troupe.stop()
  })

  test('first reply: the first wins, the others are called off', async () => {
    const { troupe, clock, ref, log } = await pool('first-reply')
    const answer = ref.ask({ type: 'who', ms: 100 })
    await clock.advance(100)
    expect(await answer).toBe('pool>1')
    expect(log).toEqual(['pool>2 answered-elsewhere', 'pool>3 answered-elsewhere'])
    expect(await rejection(ref.ask({ type: 'who' }, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    await troupe.stop()
  })

  test('consistent hash: one key, one member; a member that leaves moves only its own keys', async () => {
    const { troupe, ref } = await pool({ hash: (message) => String(message['key']) }, 5)
    const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`)
    const where = (): Promise<string[]> => Promise.all(keys.map((key) => ref.ask({ type: 'who', key })))
    const before = await where()
    expect(await where()).toEqual(before)
    for (const n of [1, 2, 3, 4, 5]) expect(before.filter((name) => name === `pool>${n}`).length).toBeGreaterThan(50)
    await troupe.ref(Member, 'pool>3').stop()
    const after = await where()
    expect(keys.filter((_, i) => before[i] !== after[i] && before[i] !== 'pool>3')).toEqual([])
    expect(after).not.toContain('pool>3')
    await troupe.stop()
  })

  test('a member that dies is passed over; without members it is nobody, and what it is sent a dead letter', async () => {
    const { troupe, clock, ref } = await pool('round-robin', 2)
    const ended = ref.watch()
    await troupe.ref(Member, 'pool>1').tell({ type: 'die' })
    await clock.settle()
    expect(await Promise.all([ref.ask({ type: 'who' }), ref.ask({ type: 'who' })])).toEqual(['pool>2', 'pool>2'])
    await troupe.ref(Member, 'pool>2').tell({ type: 'die' })
    await clock.settle()
    expect(await ended).toMatchObject({ kind: 'failed' })
    const before = troupe.deadLetters.list().length
    expect(await rejection(ref.ask({ type: 'who' }))).toMatchObject({ code: 'NoSuchActor' })
    expect(troupe.deadLetters.list().slice(before)).toMatchObject([{ reason: 'no-such-actor', to: 'pool' }])
    await troupe.stop()
  })

  test('streams from one member, and stops with all', async () => {
    const { troupe, ref } = await pool('round-robin')
    for await (const name of ref.stream({ type: 'each' })) expect(name).toBe('pool>1')
    await ref.stop()
    expect(await rejection(ref.ask({ type: 'who' }))).toMatchObject({ code: 'NoSuchActor' })
    expect(() => troupe.pool('pool', member(), { size: 1 })).not.toThrow()
    expect(() => troupe.pool('pool', member(), { size: 1 })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
    await troupe.stop()
  })
})

describe('keyed actors', () => {
  const Seat = protocol({ sit: request(any<{ n: number }>(), any<number[]>()), wait: request(any<{ ms: number }>(), any<string>()), listen: event(), child: event(), ask: event(any<{ to: string }>()), news: event(), sleep: event(any<{ ms: number }>()) })
  const seat = (log: string[] = []) =>
    actor(Seat, {
      state: () => [] as number[],
      started: async (me) => {
        log.push(`${me.id} wakes`)
        await me.sleep(10)
      },
      stopped: (me) => void log.push(`${me.id} rests`),
      on: {
        sit: ({ n }, me) => (me.state.push(n), me.state),
        wait: async ({ ms }, me) => (await me.sleep(ms), 'waited'),
        listen: (_, me) => me.subscribe('news'),
        child: (_, me) => void me.spawn('child', actor(Seat, { on: { sit: () => [], wait: () => '', listen: () => {}, child: () => {}, ask: () => {}, news: () => {}, sleep: () => {} } })),
        ask: ({ to }, me) => void me.ask(me.ref(Seat, to), { type: 'wait', ms: 100_000 }, { timeout: 'none' }).catch(() => {}),
        news: () => {},
        sleep: ({ ms }, me) => void me.sleep(ms).catch(() => {}),
      },
    })
  async function hall(options: { readonly passivateAfter?: number; readonly residents?: number } = {}): Promise<{ troupe: Troupe; clock: VirtualClock; log: string[]; at: ReturnType<typeof make> }> {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    const make = () => troupe.keyed('seat', seat(log), options)
    return { troupe, clock, log, at: make() }
  }

  test('wake with their first message, and take what came meanwhile in order', async () => {
    const { troupe, clock, log, at } = await hall()
    expect(log).toEqual([])
    const answers = [1, 2, 3].map((n) => at('a').ask({ type: 'sit', n }))
    await clock.advance(10)
    expect(await Promise.all(answers)).toEqual([[1], [1, 2], [1, 2, 3]])
    expect(log).toEqual(['seat/a wakes'])
    await troupe.stop()
  })

  test('never rest unless told to; then their watchers learn that they were forgotten', async () => {
    const { troupe, clock, log, at } = await hall({ passivateAfter: 1_000 })
    const first = at('a').ask({ type: 'sit', n: 1 })
    await clock.advance(10)
    await first
    const ending = at('a').watch()
    await clock.advance(2_000)
    expect([await ending, log]).toEqual([{ kind: 'forgotten' }, ['seat/a wakes', 'seat/a rests']])
    const second = at('a').ask({ type: 'sit', n: 2 })
    await clock.advance(10)
    expect(await second).toEqual([2])
    await troupe.stop()
  })

  test.each(['mail', 'a handler', 'an open ask', 'a child', 'a subscription', 'a sleep that was not awaited'] as const)('with %s they do not rest', async (what) => {
    const { troupe, clock, log, at } = await hall({ passivateAfter: 1_000 })
    const a = at('a')
    void a.tell({ type: 'news' })
    await clock.advance(10)
    if (what === 'mail' || what === 'a handler') {
      a.ask({ type: 'wait', ms: 50_000 }, { timeout: 'none' }).catch(() => {})
      if (what === 'mail') void a.tell({ type: 'news' })
    }
    if (what === 'an open ask') void a.tell({ type: 'ask', to: 'seat/b' })
    if (what === 'a child') void a.tell({ type: 'child' })
    if (what === 'a subscription') void a.tell({ type: 'listen' })
    if (what === 'a sleep that was not awaited') void a.tell({ type: 'sleep', ms: 20_000 })
    await clock.advance('10s')
    expect(log).not.toContain('seat/a rests')
    const stopping = troupe.stop({ within: 0 })
    await clock.advance(0)
    await stopping
  })

  test('at the cap the least recently used idle one leaves', async () => {
    const { troupe, clock, log, at } = await hall({ residents: 2 })
    for (const key of ['a', 'b', 'a', 'c']) {
      const answer = at(key).ask({ type: 'sit', n: 1 })
      await clock.advance(10)
      await answer
    }
    expect(log).toEqual(['seat/a wakes', 'seat/b wakes', 'seat/b rests', 'seat/c wakes'])
    await troupe.stop()
  })

  test('at the cap with nobody idle an activation is Overloaded, for asks, tells and inside an actor', async () => {
    const { troupe, clock, at } = await hall({ residents: 2 })
    const busy = ['a', 'b'].map((key) => at(key).ask({ type: 'wait', ms: 1_000 }))
    await clock.advance(10)
    expect(await rejection(at('c').ask({ type: 'sit', n: 1 }))).toMatchObject({ code: 'Overloaded' })
    expect(await rejection(at('c').tell({ type: 'news' }))).toMatchObject({ code: 'Overloaded' })
    await clock.advance('1s')
    await Promise.all(busy)
    const answer = at('c').ask({ type: 'sit', n: 1 })
    await clock.advance(10)
    expect(await answer).toEqual([1])
    await troupe.stop()
  })

  test('a sweep over 100,000 keys leaves nobody behind', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock, check: 'boundary' })
    const P = protocol({ touch: event() })
    const residents = new Set<string>()
    let woken = 0
    const at = troupe.keyed('k', actor(P, { started: (me) => void (woken++, residents.add(me.id)), stopped: (me) => void residents.delete(me.id), on: { touch: () => {} } }), { passivateAfter: '1m' })
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 10_000; i++) void at(`${round}-${i}`).tell({ type: 'touch' })
      await clock.settle()
      expect(residents.size).toBe(10_000)
      await clock.advance('2m')
      expect(residents.size).toBe(0)
    }
    expect([woken, clock.timers]).toEqual([100_000, 0])
    await troupe.stop()
  })

  test('callers who wake actors faster than timers fire do not outrun the sweep', async () => {
    const clock = virtualClock()
    let now = 0
    const starved: Clock = { now: () => now, elapsed: () => now, random: () => clock.random(), nextTurn: (run) => clock.nextTurn(run), timer: () => ({ cancel: () => {} }) }
    const troupe = await createTroupe({ clock: starved, check: 'boundary' })
    const P = protocol({ touch: event() })
    const residents = new Set<string>()
    let most = 0
    const at = troupe.keyed('k', actor(P, { started: (me) => void residents.add(me.id), stopped: (me) => void residents.delete(me.id), on: { touch: () => {} } }), { passivateAfter: 100 })
    for (; now < 10_000; now++) {
      void at(`${now}`).tell({ type: 'touch' })
      await clock.settle()
      most = Math.max(most, residents.size)
    }
    expect(most).toBeLessThanOrEqual(110)
    await troupe.stop()
  })

  test('once the troupe has stopped nobody wakes', async () => {
    const { troupe, at, log, clock } = await hall()
    const stopping = troupe.stop()
    await clock.settle()
    await stopping
    expect(await rejection(at('a').ask({ type: 'sit', n: 1 }))).toMatchObject({ code: 'Cancelled', details: { reason: 'shutting-down' } })
    expect(log).toEqual([])
  })
})

describe('topics', () => {
  const token = fc.constantFrom('a', 'b', 'c', '__proto__')
  const topic = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => tokens.join('.'))
  const pattern = fc.tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 0, maxLength: 3 }), fc.boolean()).map(([tokens, rest]) => (rest || tokens.length === 0 ? [...tokens, '>'] : tokens).join('.'))

  test('match as a regular expression would, while subscriptions come and go', () => {
    const command = fc.oneof(fc.record({ add: fc.boolean(), pattern, who: fc.constantFrom('x', 'y', 'z') }), fc.record({ forget: fc.constantFrom('x', 'y', 'z') }))
    fc.assert(
      fc.property(fc.array(command, { maxLength: 30 }), fc.array(topic, { minLength: 1, maxLength: 6 }), (commands, wanted) => {
        const topics = new Topics()
        let twin: { who: string; pattern: string }[] = []
        for (const one of commands) {
          if ('forget' in one) {
            topics.forget(one.forget)
            twin = twin.filter(({ who }) => who !== one.forget)
            continue
          }
          const { who, pattern } = one
          twin = twin.filter((other) => other.who !== who || other.pattern !== pattern)
          if (one.add) {
            topics.subscribe(pattern, who)
            twin.push({ who, pattern })
          } else topics.unsubscribe(pattern, who)
        }
        for (const name of wanted) {
          const expected = twin.filter(({ pattern }) => new RegExp(`^${pattern.split('.').map((part) => (part === '*' ? '[^.]+' : part === '>' ? '.+' : part)).join('\\.')}$`).test(name)).map(({ who }) => who)
          expect([...topics.match(name)].toSorted()).toEqual([...new Set(expected)].toSorted())
        }
        for (const who of ['x', 'y', 'z']) expect(topics.has(who)).toBe(twin.some((one) => one.who === who))
      }),
    )
  })

  test.each(['', '.', 'a..b', 'a b', 'a.>.b', '>a', 'a*'])('refuse the pattern %j', (bad) => {
    expect(() => new Topics().subscribe(bad, 'x')).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
  })

  test('reach subscribers until they unsubscribe or end; one that cannot take the message keeps it from nobody', async () => {
    const clock = virtualClock()
    const P = protocol({ news: event(any<{ n: number }>()), seen: request(null, any<number[]>()) })
    const Picky = protocol({ news: event({ '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'never' }] }) } }) })
    const troupe = await createTroupe({ clock })
    const reader = actor(P, { state: () => [] as number[], on: { news: ({ n }, me) => void me.state.push(n), seen: (_, me) => me.state } })
    const [a, b] = [troupe.spawn('a', reader), troupe.spawn('b', reader)]
    const picky = troupe.spawn('picky', actor(Picky, { on: { news: () => {} } }))
    const none = troupe.spawn('none', actor(protocol({ other: event() }), { on: { other: () => {} } }))
    troupe.subscribe('news.>', picky)
    troupe.subscribe('news.>', none)
    const subscription = troupe.subscribe('news.*', a)
    troupe.subscribe('news.>', a)
    troupe.subscribe('news.>', b)
    await troupe.publish('news.today', { type: 'news', n: 1 })
    await clock.settle()
    expect([await a.ask({ type: 'seen' }), await b.ask({ type: 'seen' })]).toEqual([[1], [1]])
    expect(troupe.deadLetters.list().map(({ to, reason }) => `${to} ${reason}`)).toEqual(['picky refused', 'none unhandled'])
    subscription.unsubscribe()
    await b.stop()
    await troupe.publish('news.today', { type: 'news', n: 2 })
    expect(await a.ask({ type: 'seen' })).toEqual([1, 2])
    await troupe.stop()
  })
})

describe('interceptors', () => {
  const P = protocol({ put: event(any<{ n: number }>()), get: request(any<{ n: number }>(), any<number>()), relay: request(any<{ n: number }>(), any<number>()) })
  async function guarded(interceptors: readonly Interceptor[]): Promise<{ troupe: Troupe; store: ReturnType<typeof spawn>; relay: ReturnType<typeof spawn>; put: number[] }> {
    const troupe = await createTroupe({ clock: virtualClock(), interceptors })
    const put: number[] = []
    const spawn = (name: string) => troupe.spawn(name, actor(P, { on: { put: ({ n }) => void put.push(n), get: ({ n }) => n, relay: ({ n }, me) => me.ask(me.ref(P, 'store'), { type: 'get', n }) } }))
    return { troupe, put, store: spawn('store'), relay: spawn('relay') }
  }

  test('may change a message on its way out and in, in their order', async () => {
    const add = (n: number, on: 'send' | 'receive'): Interceptor => ({ [on]: (message: { type: string; n: number }) => ({ ...message, n: message.n * 10 + n }) })
    const { troupe, store } = await guarded([add(1, 'send'), add(2, 'receive'), add(3, 'send'), add(4, 'receive')])
    expect(await store.ask({ type: 'get', n: 7 })).toBe(71324)
    await troupe.stop()
  })

  test.each(['send', 'receive'] as const)('may refuse by sender, on %s: Unauthorized', async (on) => {
    const { troupe, store, relay } = await guarded([{ [on]: (_message: unknown, { from, to }: { from: string; to: string }) => {
      if (from === '' && to === 'store') throw new TroupeError('Unauthorized', 'the store takes nothing from outside', 'ask the relay')
    } }])
    expect(await rejection(store.ask({ type: 'get', n: 1 }))).toMatchObject({ code: 'Unauthorized' })
    expect(await relay.ask({ type: 'relay', n: 2 })).toBe(2)
    await troupe.stop()
  })

  test('that throws harms only the message', async () => {
    const { troupe, store, put } = await guarded([{ receive: (message) => { if (message['n'] === 13) throw new Error('unlucky') } }])
    for (const n of [12, 13, 14]) void store.tell({ type: 'put', n })
    expect(await rejection(store.ask({ type: 'get', n: 13 }))).toMatchObject({ code: 'InvalidMessage', cause: { message: 'unlucky' } })
    expect([put, troupe.deadLetters.counts()]).toEqual([[12, 14], { refused: 2 }])
    await troupe.stop()
  })

  test('may not change the type', async () => {
    const { troupe, store } = await guarded([{ send: (message) => ({ ...message, type: 'put' }) }])
    expect(await rejection(store.ask({ type: 'get', n: 1 }))).toMatchObject({ code: 'InvalidDefinition' })
    await troupe.stop()
  })

  test('may record who says what to whom', async () => {
    const said: string[] = []
    const open = gate()
    const { troupe, relay } = await guarded([{ send: (message, { from, to }) => void said.push(`${from || 'outside'} → ${to}: ${message.type}`) }])
    open.open()
    await relay.ask({ type: 'relay', n: 1 })
    expect(said).toEqual(['outside → relay: relay', 'relay → store: get'])
    await troupe.stop()
  })
})
