// The simulator itself: the same run for the same seed, what survives a crash, and what a failure tells.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, event, protocol, request } from 'troupe'
import { simulate, type Fault, type SimulationReport } from 'troupe/testing'
import { bank, type Bank } from './bank.js'

const Counter = protocol({ add: event(z.object({ n: z.number() })), sum: request(null, z.number()), wait: request(z.object({ ms: z.number() }), z.number()) })
const counter = (durable: boolean) =>
  actor(Counter, {
    durable,
    state: () => ({ sum: 0 }),
    on: {
      add: ({ n }, me) => void (me.state.sum += n),
      sum: (_, me) => me.state.sum,
      wait: async ({ ms }, me) => {
        await me.sleep(ms)
        return me.clock.now()
      },
    },
  })

test('the same seed is the same run, byte for byte; another seed is another', async () => {
  const run = (seed: number): Promise<SimulationReport<Bank>> => simulate({ ...bank(3), seed, faults: { crashes: 2, slowDisks: 1, fullDisks: 1, clockJumps: 1 } })
  const [first, again, other] = [await run(7), await run(7), await run(8)]
  expect(again.trace).toEqual(first.trace)
  expect(again.digest).toBe(first.digest)
  expect(other.digest).not.toBe(first.digest)
  expect(first.lives).toBeGreaterThan(1)
})

test('different seeds let actors take turns in different orders', async () => {
  const orders = new Set<string>()
  for (let seed = 1; seed <= 20; seed++) {
    const order: string[] = []
    const Turn = protocol({ go: event() })
    const turn = actor(Turn, { on: { go: (_, me) => void order.push(me.id) } })
    await simulate({
      seed,
      cast: (troupe) => ['a', 'b', 'c'].forEach((name) => troupe.spawn(name, turn)),
      run: async (sim) => void (await Promise.all(['a', 'b', 'c'].map((name) => sim.ref(Turn, name).tell({ type: 'go' })))),
    })
    orders.add(order.join(''))
  }
  expect(orders.size).toBe(6)
})

test('days pass in no time', async () => {
  let woke = 0
  await simulate({
    cast: (troupe) => void troupe.spawn('counter', counter(false)),
    run: async (sim) => {
      const began = sim.now()
      woke = (await sim.ref(Counter, 'counter').ask({ type: 'wait', ms: 30 * 86_400_000 }, { timeout: 'none' })) - began
    },
  })
  expect(woke).toBe(30 * 86_400_000)
})

test.each([
  [true, 3],
  [false, 0],
])('a crash keeps what was accepted where the actor is durable (%s: %i)', async (durable, kept) => {
  let sum = -1
  const report = await simulate({
    cast: (troupe) => void troupe.spawn('counter', counter(durable)),
    faults: [{ kind: 'crash', step: 30, kept: 0, downMs: 100 }],
    run: async (sim) => {
      await sim.ref(Counter, 'counter').tell({ type: 'add', n: 1 })
      await sim.ref(Counter, 'counter').tell({ type: 'add', n: 2 })
      // Long enough for the crash to come.
      while (sim.lives === 1) await sim.sleep('1s')
      sum = await sim.ref(Counter, 'counter').ask({ type: 'sum' })
    },
  })
  expect({ sum, lives: report.lives }).toEqual({ sum: kept, lives: 2 })
})

test('what a crash cuts off rejects with Interrupted, and what is asked meanwhile waits until the process is up', async () => {
  const told: string[] = []
  await simulate({
    cast: (troupe) => void troupe.spawn('counter', counter(true)),
    faults: [{ kind: 'crash', step: 5, kept: 1, downMs: 5_000 }],
    run: async (sim) => {
      const ref = sim.ref(Counter, 'counter')
      const began = sim.now()
      await ref.ask({ type: 'wait', ms: 60_000 }, { timeout: 'none' }).catch((error: { code: string }) => told.push(error.code))
      await ref.ask({ type: 'sum' }, { timeout: 'none' })
      told.push(String(sim.now() - began >= 60_000))
    },
  })
  expect(told).toEqual(['Interrupted', 'true'])
})

test('a failure tells its seed, the faults that it takes, and where its trace is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-simulation-'))
  const noise: Fault[] = [5, 10, 15, 20].map((step) => ({ kind: 'slow-disk', step, ms: 5, forMs: 50 }))
  const crash: Fault = { kind: 'crash', step: 40, kept: 0, downMs: 1 }
  const failed = simulate({
    seed: 3,
    folder,
    cast: (troupe) => void troupe.spawn('counter', counter(false)),
    faults: [...noise, crash],
    invariants: { 'lives for ever': (sim) => { if (sim.lives > 1) throw new Error('it died') } },
    run: (sim) => sim.sleep('1s').then(async () => { for (let i = 0; i < 100; i++) await sim.sleep('1s') }),
  })
  await expect(failed).rejects.toMatchObject({ code: 'SimulationFailed', details: { seed: 3, what: 'lives for ever', faults: [crash] } })
  await expect(failed).rejects.toThrow(/seed 3: lives for ever: Error: it died/)
  expect(await readFile(join(folder, 'troupe-simulation-3.txt'), 'utf8')).toContain('FAILED lives for ever: Error: it died')
  await rm(folder, { recursive: true })
})

test.each([
  ['standstill', () => new Promise<void>(() => {})],
  ['too many steps', async (sim: { sleep(duration: string): Promise<void> }) => { for (;;) await sim.sleep('1ms') }],
  ['the script', () => Promise.reject(new Error('no'))],
  ['an unhandled rejection', async (sim: { sleep(duration: string): Promise<void> }) => { void Promise.reject(new Error('nobody heard')); await sim.sleep('1s') }],
])('%s is a failure', async (what, run) => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-simulation-'))
  await expect(simulate({ cast: () => {}, run: run as () => Promise<void>, steps: 500, folder })).rejects.toMatchObject({ code: 'SimulationFailed', details: { what } })
  await rm(folder, { recursive: true })
})
