import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TroupeError } from '../../src/ground/errors.js'
import type { InferOptions } from '../../src/models/kernel.js'
import { Cores } from '../../src/models/cores.js'
import { Pool, type PoolOptions } from '../../src/models/pool.js'
import type { Thread } from '../../src/models/replica.js'
import { Resident } from '../../src/models/resident.js'
import { Strip, type Parts, type Reply, type Task, type WorkerData } from '../../src/models/wire.js'
import { ManualClock } from './manual-clock.js'

type Pending = { task: Task; reply: (reply: Reply) => void; die: () => void }

/** Threads that answer only when the test says so, except for loading. */
class Stage {
  readonly clock = new ManualClock()
  readonly threads: { pending: Pending[]; parts: (message: Parts) => void; closed: boolean; strip: Strip }[] = []
  readonly pool: Pool
  lost = 0
  loads: 'answer' | 'fail' | 'die' = 'answer'

  constructor(options: Partial<PoolOptions> = {}, replicas = 1) {
    const spec = { name: 'fake', folder: '', graph: '', graphs: {}, wordless: false, bytes: 1, config: {}, threads: 1 }
    this.pool = new Pool({ model: 'fake', place: () => Promise.resolve({ spec, replicas }), clock: this.clock, cores: new Cores(8, this.clock), callsMax: 100, charsMax: 10_000, callerMax: Infinity, watchdogMs: 60_000, makeRoom: () => Promise.resolve(undefined), resident: new Resident(this.clock), onProgress: () => undefined, onLost: () => this.lost++, openThread: (data, parts) => this.#open(data, parts), ...options })
  }

  #open({ shared }: WorkerData, parts: (message: Parts) => void): Thread {
    const thread = { pending: [] as Pending[], parts, closed: false, strip: new Strip(shared) }
    this.threads.push(thread)
    const run = (task: Task): Promise<Reply> => {
      if (task.kind === 'wake') return Promise.resolve({ kind: 'woken' })
      if (task.kind === 'load' && this.loads === 'answer') return Promise.resolve({ kind: 'loaded', ms: 1 })
      if (task.kind === 'load' && this.loads === 'fail') return Promise.resolve({ kind: 'failed', error: new TroupeError('ModelFailed', 'no', 'no').toData() })
      if (task.kind === 'load') return Promise.reject(new Error('died'))
      return new Promise((reply, reject) => thread.pending.push({ task, reply, die: () => reject(new Error('died')) }))
    }
    return { run, close: () => Promise.resolve(void (thread.closed = true)) }
  }

  get pending(): Pending[] {
    return this.threads.flatMap(({ pending }) => pending)
  }
  /** Lets everything that is under way come to rest. */
  async settle(): Promise<void> {
    for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => this.clock.nextTurn(resolve))
  }
  /** Answers the oldest open pass with the inputs themselves. */
  async answer(): Promise<readonly unknown[]> {
    await this.settle()
    const thread = this.threads.find(({ pending }) => pending.length > 0)
    const next = thread?.pending.shift()
    if (next === undefined) return []
    if (next.task.kind !== 'pass') throw new Error('not a pass')
    const inputs = next.task.inputs
    next.reply({ kind: 'passed', values: inputs.map((input) => ({ was: input })), tokens: 10, ms: 1 })
    await this.settle()
    return inputs
  }
  pass(inputs: unknown[], how: InferOptions = {}): PromiseLike<unknown> {
    return this.pool.pass('echo', inputs, undefined, how)
  }
}

const caught = async (work: PromiseLike<unknown>): Promise<unknown> => {
  try {
    return await work
  } catch (error) {
    return error
  }
}

describe('a placed model', () => {
  test('gathers what comes while its thread is busy, and answers each caller with his own', async () => {
    const stage = new Stage()
    const first = stage.pass(['a'])
    await stage.settle()
    const second = stage.pass(['b'])
    await stage.settle()
    const rest = ['c', 'd', 'e'].map((text) => stage.pass([text, `${text}2`]))
    expect(await stage.answer()).toEqual(['a'])
    expect(await stage.answer()).toHaveLength(7)
    expect(await Promise.all([first, second, ...rest])).toEqual([[{ was: 'a' }], [{ was: 'b' }], ...['c', 'd', 'e'].map((text) => [{ was: text }, { was: `${text}2` }])])
  })

  test('starts a second thread only when there is more than the first can take', async () => {
    const stage = new Stage({}, 2)
    const one = stage.pass(['a'])
    await stage.answer()
    await one
    expect(stage.threads).toHaveLength(1)
    const more = Array.from({ length: 4 }, (_, i) => stage.pool.pass(`task ${i}`, ['a'], undefined, {}))
    await stage.settle()
    expect(stage.threads).toHaveLength(2)
    for (let i = 0; i < 4; i++) await stage.answer()
    await Promise.all(more)
  })

  test('never computes what was cancelled, or what is too late, while it waited', async () => {
    const stage = new Stage()
    const busy = [stage.pass(['a']), stage.pool.pass('other', ['b'], undefined, {})]
    await stage.settle()
    const controller = new AbortController()
    const left = caught(stage.pass(['left'], { signal: controller.signal }))
    const late = caught(stage.pass(['late'], { deadline: stage.clock.now() + 50 }))
    const kept = stage.pass(['kept'], { deadline: stage.clock.now() + 500, signal: controller.signal })
    void caught(kept)
    stage.clock.advance(60)
    expect(await late).toMatchObject({ code: 'DeadlineExceeded' })
    const own = stage.pass(['own'])
    controller.abort()
    expect(await left).toMatchObject({ code: 'Cancelled' })
    await stage.answer()
    await stage.answer()
    expect(await stage.answer()).toEqual(['own'])
    expect([await own, await Promise.all(busy)]).toHaveLength(2)
    expect([stage.clock.timers, stage.pool.quiet]).toEqual([0, true])
  })

  test('tells a thread to go no further when nobody wants its pass any more, and not before', async () => {
    const stage = new Stage()
    const [one, two] = [new AbortController(), new AbortController()]
    const calls = [caught(stage.pass(['a'], { signal: one.signal })), caught(stage.pass(['b'], { signal: two.signal }))]
    await stage.settle()
    const next = stage.pending[0] as Pending
    const { inputs, slot } = next.task as Extract<Task, { kind: 'pass' }>
    const isCancelled = (): boolean | undefined => stage.threads[0]?.strip.cancelled(slot)
    expect([inputs, isCancelled()]).toEqual([['a', 'b'], false])
    one.abort()
    expect(isCancelled()).toBe(false)
    two.abort()
    expect(isCancelled()).toBe(true)
    expect(await Promise.all(calls)).toMatchObject([{ code: 'Cancelled' }, { code: 'Cancelled' }])
    stage.threads[0]?.pending.shift()?.reply({ kind: 'failed', error: new TroupeError('Cancelled', 'no', 'no').toData() })
    await stage.settle()
    const after = stage.pass(['c'])
    await stage.settle()
    expect(isCancelled()).toBe(false)
    await stage.answer()
    expect(await after).toEqual([{ was: 'c' }])
  })

  test('refuses what comes already cancelled or too late, at once', async () => {
    const stage = new Stage()
    stage.clock.advance(10)
    expect(await caught(stage.pass(['a'], { signal: AbortSignal.abort() }))).toMatchObject({ code: 'Cancelled' })
    expect(await caught(stage.pass(['a'], { deadline: 10 }))).toMatchObject({ code: 'DeadlineExceeded' })
    await stage.settle()
    expect(stage.threads).toHaveLength(0)
  })

  test('answers a crowd with Overloaded and when to come again, and goes on for those it took', async () => {
    const stage = new Stage({ callsMax: 3 })
    const taken = ['a', 'b', 'c'].map((text) => stage.pass([text]))
    expect(await caught(stage.pass(['d']))).toMatchObject({ code: 'Overloaded', details: { model: 'fake', calls: 3, retryAfterMs: expect.any(Number) as number } })
    await stage.answer()
    await stage.answer()
    await stage.answer()
    await Promise.all(taken)
    const again = stage.pass(['d'])
    await stage.answer()
    expect(await again).toEqual([{ was: 'd' }])
    expect(stage.pool.metrics().overloads).toBe(1)
  })

  test('bounds the text that waits, but takes one call of any size', async () => {
    const stage = new Stage({ charsMax: 10 })
    const large = stage.pass(['x'.repeat(100)])
    expect(await caught(stage.pass(['y']))).toMatchObject({ code: 'Overloaded' })
    await stage.answer()
    await large
  })

  test('holds no more of one caller in its threads than it may, a retry included, and lets others past', async () => {
    const stage = new Stage({ callerMax: 2 }, 2)
    const inThreads = (): unknown[] => stage.pending.flatMap(({ task }) => (task.kind === 'pass' ? task.inputs : []))
    const much = stage.pass(['a', 'b', 'c', 'd', 'e'], { caller: 'x' })
    await stage.settle()
    expect(inThreads()).toEqual(['a', 'b'])
    const other = stage.pass(['y'], { caller: 'y' })
    await stage.settle()
    expect(inThreads()).toEqual(['a', 'b', 'y'])
    for (const { die } of stage.threads[0]?.pending.splice(0) ?? []) die()
    await stage.settle()
    expect(inThreads().filter((input) => input !== 'y')).toEqual(['a', 'b'])
    for (let i = 0; i < 6; i++) {
      await stage.answer()
      expect(inThreads().length).toBeLessThanOrEqual(2)
    }
    expect([await much, await other]).toEqual([['a', 'b', 'c', 'd', 'e'].map((was) => ({ was })), [{ was: 'y' }]])
  })

  test('tells how many tokens a second it reads, idle time left out', async () => {
    const stage = new Stage()
    for (const idle of [0, 5_000]) {
      stage.clock.advance(idle)
      const work = stage.pass(['a'])
      await stage.settle()
      stage.clock.advance(100)
      await stage.answer()
      await work
    }
    expect(stage.pool.metrics()).toMatchObject({ tokens: 20, tokensReadPerSecond: 100, tokensWrittenPerSecond: 0 })
  })

  test('tells how many tokens a second it writes, all streams together', async () => {
    const stage = new Stage()
    const write = (): PromiseLike<unknown> => stage.pool.sequence({ prompt: 'p' }, {}, (_, later) => later)
    const end = (tokens: number): void => stage.pending.length > 0 ? stage.threads[0]?.pending.shift()?.reply({ kind: 'generated', result: { text: 't', usage: { promptTokens: 1, completionTokens: tokens }, finishReason: 'stop' } }) : undefined
    const both = [write(), write()]
    await stage.settle()
    stage.clock.advance(1_000)
    end(30)
    await both[0]
    stage.clock.advance(1_000)
    end(50)
    await both[1]
    expect(stage.pool.metrics()).toMatchObject({ tokensWritten: 80, tokensWrittenPerSecond: 40, tokensReadPerSecond: 0 })
  })

  test('loses the answer of one batch when its kernel fails, and no other', async () => {
    const stage = new Stage()
    const bad = stage.pool.pass('bad', ['a'], undefined, {})
    const good = stage.pass(['b'])
    await stage.settle()
    stage.threads[0]?.pending.shift()?.reply({ kind: 'failed', error: new TroupeError('ModelFailed', 'no', 'no').toData() })
    expect(await caught(bad)).toMatchObject({ code: 'ModelFailed' })
    await stage.answer()
    expect(await good).toEqual([{ was: 'b' }])
  })

  test('refuses one input of a batch, by its place in its own call', async () => {
    const stage = new Stage()
    const [fine, wrong] = [stage.pass(['a']), stage.pass(['b', 'c'])]
    await stage.settle()
    const next = stage.pending[0] as Pending
    const inputs = (next.task as Extract<Task, { kind: 'pass' }>).inputs
    const refused = [{ index: inputs.indexOf('c'), error: new TroupeError('InvalidMessage', 'no', 'no').toData() }]
    next.reply({ kind: 'passed', values: inputs, refused, tokens: 1, ms: 1 })
    expect(await fine).toEqual(['a'])
    expect(await caught(wrong)).toMatchObject({ code: 'InvalidMessage', details: { index: 1 } })
  })

  test('replaces a thread that dies, tries its work once more, and then says so', async () => {
    const stage = new Stage()
    const work = stage.pass(['a'])
    await stage.settle()
    stage.pending[0]?.die()
    await stage.settle()
    expect(stage.threads).toHaveLength(2)
    expect(stage.threads[0]?.closed).toBe(true)
    stage.threads[0]?.pending.splice(0)
    stage.threads[1]?.pending[0]?.die()
    expect(await caught(work)).toMatchObject({ code: 'ModelFailed', details: { reason: 'thread-died' } })
    expect(stage.pool.metrics().threadDeaths).toBe(2)
  })

  test('gives up a model whose threads all die while they load', async () => {
    const stage = new Stage()
    stage.loads = 'die'
    expect(await caught(stage.pass(['a']))).toMatchObject({ code: 'ModelFailed' })
    expect(stage.threads).toHaveLength(3)
    stage.loads = 'fail'
    expect(await caught(stage.pass(['a']))).toMatchObject({ code: 'ModelFailed' })
    expect(stage.lost).toBe(2)
    expect(await caught(stage.pool.warm())).toMatchObject({ code: 'ModelFailed' })
  })

  test('gives a thread up that hangs in native code, and ends it only if it comes back', async () => {
    const stage = new Stage()
    const work = stage.pass(['a'])
    await stage.settle()
    const [hanging] = stage.threads
    const stuck = hanging?.pending.shift()
    hanging?.strip.enter()
    stage.clock.advance(60_000)
    stage.clock.advance(60_000)
    await stage.settle()
    expect([stage.threads.length, hanging?.closed]).toEqual([2, false])
    expect(await stage.answer()).toEqual(['a'])
    expect(await work).toEqual([{ was: 'a' }])
    expect(stage.pool.metrics()).toMatchObject({ threadDeaths: 1, threadsAbandoned: 1 })
    stuck?.reply({ kind: 'passed', values: ['late'], tokens: 1, ms: 1 })
    await stage.settle()
    expect(hanging?.closed).toBe(true)
  })

  test('stops only when its threads are outside native code', async () => {
    const stage = new Stage()
    const work = caught(stage.pass(['a']))
    await stage.settle()
    let stopped = false
    const stopping = stage.pool.stop(new TroupeError('Cancelled', 'over', 'over')).then(() => (stopped = true))
    expect(await work).toMatchObject({ code: 'Cancelled' })
    await stage.settle()
    expect([stopped, stage.threads[0]?.closed]).toEqual([false, false])
    await stage.answer()
    await stopping
    expect(stage.threads[0]?.closed).toBe(true)
    expect(await caught(stage.pass(['b']))).toMatchObject({ code: 'Cancelled' })
  })

  test('answers every call exactly once with its own, whatever is cancelled and whoever dies', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('call' as const), size: fc.integer({ min: 0, max: 5 }), urgency: fc.constantFrom('interactive' as const, 'normal' as const, 'bulk' as const), caller: fc.constantFrom('x', 'y') }) },
      { weight: 3, arbitrary: fc.constant({ kind: 'answer' as const }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), at: fc.nat(30) }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'die' as const }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.constantFrom(1, 2, Infinity), async (steps, callerMax) => {
        const stage = new Stage({ callerMax }, 2)
        const calls: { inputs: string[]; controller: AbortController; outcome: Promise<unknown> }[] = []
        for (const each of steps) {
          if (each.kind === 'call') {
            const controller = new AbortController()
            const inputs = Array.from({ length: each.size }, (_, i) => `${calls.length}:${'x'.repeat(i * 20)}`)
            calls.push({ inputs, controller, outcome: caught(stage.pass(inputs, { signal: controller.signal, urgency: each.urgency, caller: each.caller })) })
          } else if (each.kind === 'answer') await stage.answer()
          else if (each.kind === 'cancel') calls[each.at]?.controller.abort()
          else {
            await stage.settle()
            for (const { die } of stage.threads.find(({ pending }) => pending.length > 0)?.pending.splice(0) ?? []) die()
          }
        }
        // Also what threads still hold of calls that were left: the watch over a thread ends with its last answer.
        for (let i = 0; i < 200 && (!stage.pool.quiet || stage.pending.length > 0); i++) await stage.answer()
        await stage.settle()
        expect(stage.pool.quiet).toBe(true)
        for (const { inputs, controller, outcome } of calls) {
          const got = await outcome
          if (got instanceof TroupeError) expect(got.code).toBe(controller.signal.aborted ? got.code : 'ModelFailed')
          else expect(got).toEqual(inputs.map((input) => ({ was: input })))
        }
        expect([stage.pool.metrics().waiting, stage.clock.timers]).toEqual([0, 0])
      }),
      { numRuns: 60 },
    )
  })
})
