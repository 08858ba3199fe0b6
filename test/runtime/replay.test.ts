import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Replay, type Recorded } from '../../src/runtime/replay.js'

/** What fires once a replay has waited for too long. */
const patience: ((() => void) | undefined)[] = []

type Step = (name: string, value?: unknown) => Promise<unknown>
type Handler = (step: Step, replay: () => Replay) => Promise<unknown>

/** One life of a handler: runs until it ends or `records` results were kept, then everything is as after a crash. */
async function live(handler: Handler, journal: Recorded[], random: () => number, crashAfter = Infinity): Promise<{ ended: boolean; value?: unknown; error?: unknown; ran: string[] }> {
  const ran: string[] = []
  let time = 1_000 + journal.length
  let crashed: () => void = () => {}
  const crash = new Promise<'crash'>((resolve) => (crashed = () => resolve('crash')))
  let dead = false
  const turns = (n: number): Promise<void> => (n <= 0 ? Promise.resolve() : new Promise<void>((resolve) => setImmediate(resolve)).then(() => turns(n - 1)))
  const replay = new Replay([...journal], 1_000, {
    record: (result) => {
      if (dead) return new Promise(() => {})
      journal.push(result)
      if (journal.length < crashAfter) return Promise.resolve(result)
      dead = true
      crashed()
      return new Promise(() => {})
    },
    settled: () => turns(1),
    now: () => ++time,
    sent: () => 0,
    timer: (_, fire) => {
      const waited = patience.push(fire) - 1
      return { cancel: () => void (patience[waited] = undefined) }
    },
  })
  const step: Step = (name, value) =>
    replay.run(name, JSON.stringify(value ?? null), async () => {
      ran.push(name)
      await turns(Math.floor(random() * 4))
      if (name.startsWith('bad')) throw new Error(name)
      return value ?? name
    })
  const outcome = handler(step, () => replay).then(
    (value) => ({ ended: true, value, ran }),
    (error: unknown) => ({ ended: true, error, ran }),
  )
  const first = await Promise.race([outcome, crash])
  return first === 'crash' ? { ended: false, ran } : first
}

const handlers: Record<string, { steps: number; run: Handler }> = {
  'one after another': { steps: 3, run: async (step) => [await step('a'), await step('b'), await step('c')] },
  'all at once': { steps: 2, run: (step) => Promise.all([step('slow'), step('fast')]) },
  'legs that go on': { steps: 4, run: (step) => Promise.all(['a', 'b'].map(async (leg) => step(`${leg}2:${String(await step(`${leg}1`))}`))) },
  'equal names in parallel legs': { steps: 4, run: (step) => Promise.all(['A', 'B'].map(async (who) => (await step('look', who), step('pay', who)))) },
  'a race': { steps: 3, run: async (step) => { const first = await Promise.race([step('x'), step('y')]); return [first, await step(`after ${String(first)}`)] } },
  'many legs that share a list': { steps: 15, run: async (step) => { const out: unknown[] = []; await Promise.all([1, 2, 3, 4, 5].map(async (leg) => { for (let i = 0; i < 3; i++) out.push(await step('s', leg * 10 + i)) })); return out } },
  'errors that are caught': { steps: 2, run: async (step) => [await step('bad luck').catch((error: Error) => error.message), await step('good')] },
}

/** A seeded chance, so that a failing run can be had again. */
const chance = (seed: number) => () => ((seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff)

describe.each(Object.entries(handlers))('a handler that runs again after a crash (%s)', (_name, { steps, run }) => {
  test('gets back what it had, in that order, and runs no recorded effect twice', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: steps }), fc.nat(1_000_000), async (crashAfter, seed) => {
        const journal: Recorded[] = []
        const first = await live(run, journal, chance(seed), crashAfter)
        const kept = [...journal]
        if (!first.ended) expect(journal).toHaveLength(crashAfter)
        const second = await live(run, journal, chance(seed + 1))
        expect(second.ended).toBe(true)
        expect(journal.slice(0, kept.length)).toEqual(kept)
        const third = await live(run, journal, chance(seed + 2))
        expect(third.value).toEqual(second.value)
      }),
      { numRuns: 40 },
    )
  })
})

test('time is what it was', async () => {
  const seen: number[] = []
  const handler: Handler = async (step, replay) => {
    seen.push(replay().now)
    await step('a')
    seen.push(replay().now)
  }
  const journal: Recorded[] = []
  await live(handler, journal, Math.random)
  await live(handler, journal, Math.random)
  expect(seen.slice(0, 2)).toEqual(seen.slice(2))
})

test.each<[string, Handler, RegExp]>([
  ['calls something else', (step) => step('pay'), /effect 0 was look, and is now pay/],
  ['calls it with something else', (step) => step('look', 2), /called with something else/],
  ['calls nothing', () => Promise.resolve(), /never/],
  ['calls it in another order', async (step) => [await step('pay'), await step('look', 1)], /effect 0 was look/],
])('code that %s is told', async (_name, changed, message) => {
  const journal: Recorded[] = []
  await live((step) => step('look', 1), journal, Math.random)
  const again = await live(changed, journal, Math.random)
  if (_name === 'calls nothing') expect(again.value).toBeUndefined()
  else expect(again.error).toMatchObject({ code: 'Incompatible', message: expect.stringMatching(message) as string })
})

test('a handler that takes real time between two effects is the one that was recorded', async () => {
  const slow: Handler = async (step) => {
    const first = await step('a')
    await readFile(new URL(import.meta.url))
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    return [first, await step('b')]
  }
  const journal: Recorded[] = []
  await live(slow, journal, Math.random)
  const again = await live(slow, journal, Math.random)
  expect(again).toMatchObject({ value: ['a', 'b'], ran: [] })
})

test('code that waits for a later effect before it calls for an earlier one is told, once it has had its time', async () => {
  const journal: Recorded[] = []
  // First both at once, the later settled first; then one after the other.
  const gate: { open?: () => void } = {}
  await live(async (step) => {
    const held = new Promise<void>((resolve) => (gate.open = resolve))
    return Promise.all([step('a').then(() => gate.open?.()), held.then(() => step('c')), step('b')])
  }, journal, () => 0)
  expect(journal.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  const reordered = [journal[2], journal[0], journal[1]] as Recorded[]
  patience.length = 0
  const told = live(async (step) => [await step('a'), await step('b'), await step('c')], reordered, () => 0)
  while (patience.length === 0) await new Promise((resolve) => setImmediate(resolve))
  patience[0]?.()
  expect((await told).error).toMatchObject({ code: 'Incompatible', message: expect.stringMatching(/waits for other effects before it calls c/) as string })
})

test('what code that has changed does is not recorded', async () => {
  const journal: Recorded[] = []
  await live((step) => step('look'), journal, Math.random)
  await live((step) => Promise.allSettled([step('pay'), step('ship')]), journal, Math.random)
  expect(journal.map(({ name }) => name)).toEqual(['look'])
})
