// Every envelope ends in exactly one named way, whatever a program does; and a run can be repeated to the letter.
import * as fc from 'fast-check'
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, stream, type Fact, type Me, type Overflow, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { any } from './stage.js'

/** What a handler does, one thing after another. */
type Deed =
  | { readonly do: 'tell' | 'ask' | 'ask and leave' | 'read' | 'stop other'; readonly to: number; readonly script: readonly Deed[] }
  | { readonly do: 'sleep'; readonly ms: number }
  | { readonly do: 'throw' | 'stop' | 'wait' | 'spawn' | 'publish' | 'watch' | 'deaf' }

const P = protocol({ run: event(any<{ script: readonly Deed[] }>()), answer: request(any<{ script: readonly Deed[] }>(), any<string>()), chunks: stream(any<{ script: readonly Deed[] }>(), any<number>()), go: event(), ended: event() })
type Self = Me<typeof P.specs>
const NAMES = ['a', 'b', 'c/1', 'c/2', 'pool', 'nobody']

const { deeds } = fc.letrec<{ deed: Deed; deeds: readonly Deed[] }>((tie) => ({
  deeds: fc.array(tie('deed'), { maxLength: 3, depthIdentifier: 'deed' }),
  deed: fc.oneof(
    { depthIdentifier: 'deed', maxDepth: 3 },
    fc.oneof(
      fc.record({ do: fc.constant('sleep' as const), ms: fc.constantFrom(1, 50, 8_000) }),
      fc.record({ do: fc.constantFrom('throw' as const, 'stop' as const, 'wait' as const, 'spawn' as const, 'publish' as const, 'watch' as const, 'deaf' as const) }),
    ),
    fc.record({ do: fc.constantFrom('tell' as const, 'tell' as const, 'ask' as const, 'ask and leave' as const, 'read' as const, 'stop other' as const), to: fc.nat(NAMES.length - 1), script: tie('deeds') }),
  ),
}))

async function perform(me: Self, script: readonly Deed[]): Promise<void> {
  for (const deed of script) {
    const to = 'to' in deed ? me.ref(P, NAMES[deed.to] as string) : me.self
    switch (deed.do) {
      case 'tell':
        me.tell(to, { type: 'run', script: deed.script })
        break
      case 'ask':
        await me.ask(to, { type: 'answer', script: deed.script }, { timeout: '3s' })
        break
      case 'ask and leave':
        me.ask(to, { type: 'answer', script: deed.script }, { timeout: '3s' }).catch(() => {})
        break
      case 'read':
        for await (const n of me.stream(to, { type: 'chunks', script: deed.script }, { timeout: '3s' })) if (n === 40) break
        break
      case 'stop other':
        void to.stop()
        break
      case 'sleep':
        await me.sleep(deed.ms)
        break
      case 'throw':
        throw new Error('thrown')
      case 'stop':
        me.stop()
        break
      case 'wait':
        await me.waitFor('go', { timeout: '2s' })
        break
      case 'spawn':
        me.tell(me.spawn('child', player({})), { type: 'run', script: [{ do: 'sleep', ms: 20 }] })
        break
      case 'publish':
        me.publish('all', { type: 'go' })
        break
      case 'watch':
        me.watch(me.ref(P, 'b'), () => ({ type: 'ended' }))
        break
      case 'deaf':
        await new Promise<void>((resolve) => me.signal.addEventListener('abort', () => resolve()))
    }
  }
}

const player = (options: { readonly capacity?: number; readonly overflow?: Overflow; readonly retries?: number }): ReturnType<typeof actor<typeof P.specs>> =>
  actor(P, {
    mailbox: { ...(options.capacity !== undefined && { capacity: options.capacity }), ...(options.overflow !== undefined && { overflow: options.overflow }) },
    retries: options.retries ?? 0,
    supervise: { onFailure: (error) => ((error as { code?: string }).code === undefined ? 'restart' : 'resume'), backoff: { first: 30 }, intensity: { restarts: 2, within: '10s' } },
    on: {
      run: ({ script }, me) => perform(me, script),
      answer: async ({ script }, me) => (await perform(me, script), me.id),
      chunks: async function* ({ script }, me) {
        for (let n = 0; n < 50; n++) yield n
        await perform(me, script)
        yield 50
      },
      go: () => {},
      ended: () => {},
    },
  })

interface Act {
  readonly kind: 'tell' | 'ask' | 'read' | 'cancel' | 'time' | 'stop'
  readonly to: number
  readonly ms: number
  readonly script: readonly Deed[]
}
const act: fc.Arbitrary<Act> = fc.record({ kind: fc.constantFrom('tell', 'tell', 'ask', 'ask', 'read', 'cancel', 'time', 'stop'), to: fc.nat(NAMES.length - 1), ms: fc.constantFrom(0, 1, 100, 4_000), script: deeds })
interface Program {
  readonly acts: readonly Act[]
  readonly capacity: number
  readonly overflow: Overflow
  readonly retries: number
}
const program: fc.Arbitrary<Program> = fc.record({ acts: fc.array(act, { minLength: 1, maxLength: 12 }), capacity: fc.integer({ min: 1, max: 4 }), overflow: fc.constantFrom<Overflow>('wait', 'reject', 'drop-oldest', 'drop-newest'), retries: fc.nat(1) })

/** Runs a program to its end, the troupe's stop included; gives all facts, and how many outcomes its callers learnt. */
async function play({ acts, ...options }: Program): Promise<{ facts: Fact[]; asked: number; settled: number; clock: VirtualClock; troupe: Troupe }> {
  const clock = virtualClock({ seed: 7 })
  const troupe = await createTroupe({ clock, log: () => {} })
  const facts: Fact[] = []
  troupe.inspect((fact) => facts.push(fact))
  const [a, b] = [troupe.spawn('a', player(options)), troupe.spawn('b', player(options))]
  troupe.keyed('c', player(options), { passivateAfter: '5s', residents: 1 })
  troupe.pool('pool', player(options), { size: 2 })
  troupe.subscribe('all', a)
  troupe.subscribe('all', b)
  let asked = 0
  let settled = 0
  const count = (): void => void settled++
  const stops: AbortController[] = []
  for (const { kind, to, ms, script } of acts) {
    const ref = troupe.ref(P, NAMES[to] as string)
    if (kind === 'time') await clock.advance(ms)
    else if (kind === 'stop') void ref.stop()
    else if (kind === 'cancel') stops.pop()?.abort()
    else {
      asked++
      const stop = new AbortController()
      stops.push(stop)
      if (kind === 'tell') void ref.tell({ type: 'run', script }, { signal: stop.signal }).then(count, count)
      if (kind === 'ask') void ref.ask({ type: 'answer', script }, { timeout: 5_000, signal: stop.signal }).then(count, count)
      if (kind === 'read') void (async () => { for await (const n of ref.stream({ type: 'chunks', script }, { timeout: 5_000, signal: stop.signal })) if (n === 45) await clock.settle() })().then(count, count)
    }
  }
  await clock.advance('20s')
  const stopping = troupe.stop({ within: '1s' })
  await clock.advance('7s')
  await stopping
  await clock.advance('10s')
  return { facts, asked, settled, clock, troupe }
}

const ENDS = new Set(['handled', 'refused', 'expired', 'cancelled', 'dead-lettered'])

describe('over random programs', () => {
  test('every envelope ends in exactly one named way, and every caller learns an outcome', async () => {
    await fc.assert(
      fc.asyncProperty(program, async (given) => {
        const { facts, asked, settled, clock } = await play(given)
        const endings = new Map<number, string[]>()
        for (const { kind, id, type, to } of facts) {
          if (kind === 'sent') endings.set(id, [`${type} → ${to}`])
          else if (ENDS.has(kind)) endings.get(id)?.push(kind)
        }
        expect([...endings.values()].filter((story) => story.length !== 2)).toEqual([])
        expect(settled).toBe(asked)
        expect(clock.timers).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  test('the same program, seed and clock give the same facts', async () => {
    await fc.assert(
      fc.asyncProperty(program, async (given) => {
        expect((await play(given)).facts).toEqual((await play(given)).facts)
      }),
      { numRuns: 15 },
    )
  })
})

describe('nobody shares memory', () => {
  const Box = protocol({ keep: event(any<{ list: number[]; bytes: Uint8Array; deep: { map: Map<string, number> } }>()), swap: request(any<{ list: number[] }>(), any<{ list: number[] }>()), kept: request(null, any<{ list: number[]; bytes: number[]; map: number[][] }>()) })
  const box = actor(Box, {
    state: () => ({ list: [] as number[], bytes: new Uint8Array(), map: new Map<string, number>(), own: { list: [1] } }),
    on: {
      keep: ({ list, bytes, deep }, me) => void Object.assign(me.state, { list, bytes, map: deep.map }),
      swap: ({ list }, me) => {
        list.push(99)
        me.state.own.list.push(list.length)
        return me.state.own
      },
      kept: (_, me) => ({ list: me.state.list, bytes: [...me.state.bytes], map: [...me.state.map.values()].map((n) => [n]) }),
    },
  })

  test('what was sent may be changed by its sender', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('box', box)
    const message = { type: 'keep' as const, list: [1, 2], bytes: Buffer.from([1, 2]), deep: { map: new Map([['n', 1]]) } }
    void ref.tell(message)
    message.list.push(3)
    message.bytes[0] = 9
    message.deep.map.set('n', 9)
    expect(await ref.ask({ type: 'kept' })).toEqual({ list: [1, 2], bytes: [1, 2], map: [[1]] })
    await troupe.stop()
  })

  test('what was answered may be changed by either side', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('box', box)
    const list = [1]
    const first = await ref.ask({ type: 'swap', list })
    first.list.push(1_000)
    expect([list, (await ref.ask({ type: 'swap', list })).list]).toEqual([[1], [1, 2, 2]])
    await troupe.stop()
  })

  test('subscribers of one topic do not share what was published', async () => {
    const troupe = await createTroupe()
    const News = protocol({ news: event(any<{ list: number[] }>()), read: request(null, any<number[]>()) })
    const reader = actor(News, { state: () => ({ list: [] as number[] }), on: { news: ({ list }, me) => { list.push(list.length); me.state.list = list }, read: (_, me) => me.state.list } })
    const readers = ['a', 'b', 'c'].map((name) => troupe.spawn(name, reader))
    for (const ref of readers) troupe.subscribe('news', ref)
    await troupe.publish('news', { type: 'news', list: [7] })
    for (const ref of readers) expect(await ref.ask({ type: 'read' })).toEqual([7, 1])
    await troupe.stop()
  })
})
