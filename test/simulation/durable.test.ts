// Durable actors in simulations: what is done once is done once, whatever fails and whenever.
import { expect, test } from 'vitest'
import { simulate } from 'troupe/testing'
import { bank, type Bank } from './bank.js'
import { families } from './families.js'
import { orders } from './orders.js'
import { rounds } from './round.js'
import { sleepers } from './sleepers.js'

const SEEDS = Number(process.env['TROUPE_SEEDS'] ?? 40)
const FROM = Number(process.env['TROUPE_SEED'] ?? 1)
const seeds = Array.from({ length: SEEDS }, (_, i) => FROM + i)

test(`a bank under ${SEEDS} seeds of crashes, slow and full disks and clock jumps`, { timeout: 60_000 + 200 * SEEDS }, async () => {
  let lives = 0
  for (const seed of seeds) {
    const report = await simulate({ ...bank(5), seed, faults: { crashes: 4, slowDisks: 2, fullDisks: 2, clockJumps: 2 } })
    lives += report.lives
  }
  expect(lives).toBeGreaterThan(2 * SEEDS)
})

test(`orders that take days under ${SEEDS} seeds, with a disk that is full at times and one that never is`, { timeout: 60_000 + 400 * SEEDS }, async () => {
  for (const seed of seeds) {
    await simulate({ ...orders(4, false), seed, faults: { crashes: 4, slowDisks: 2, fullDisks: 2, clockJumps: 2 } })
    await simulate({ ...orders(4, true), seed: -seed, faults: { crashes: 6, slowDisks: 2 } })
  }
})

test(`a durable chart on its rounds under ${SEEDS} seeds of crashes, slow and full disks and clock jumps`, { timeout: 60_000 + 400 * SEEDS }, async () => {
  for (const seed of seeds) {
    await simulate({ ...rounds(3), seed, faults: { crashes: 5, fullDisks: 2 } })
    await simulate({ ...rounds(3), seed: -seed, faults: { crashes: 5, slowDisks: 2, fullDisks: 2, clockJumps: 2 } })
  }
})

test(`handlers that sleep for days under ${SEEDS} seeds of alarms, mail, cancels and stops at once, with crashes and full disks`, { timeout: 60_000 + 400 * SEEDS }, async () => {
  for (const seed of seeds) {
    await simulate({ ...sleepers(6), seed, faults: { crashes: 3, slowDisks: 2 } })
    await simulate({ ...sleepers(6), seed: -seed, faults: { crashes: 3, slowDisks: 2, fullDisks: 1 } })
  }
})

test(`charts with children and grandchildren under ${SEEDS} seeds of crashes, slow and full disks and clock jumps`, { timeout: 60_000 + 400 * SEEDS }, async () => {
  for (const seed of seeds) {
    await simulate({ ...families(16), seed, faults: seed % 2 === 0 ? { crashes: 5, slowDisks: 2 } : { crashes: 4, slowDisks: 2, fullDisks: 2, clockJumps: 2 } })
  }
})

test.each([37, 44])('what a chart asks was in the log, and its actor left memory before it had the mail (seed %i)', async (seed) => {
  expect((await simulate({ ...rounds(3), seed, faults: { crashes: 5, slowDisks: 2, fullDisks: 2 } })).lives).toBeGreaterThan(1)
})

test.each([225, 229])('the clock jumps while a chart waits for what it asked (seed %i)', async (seed) => {
  expect((await simulate({ ...rounds(3), seed, faults: { crashes: 5, fullDisks: 2, clockJumps: 2 } })).lives).toBeGreaterThan(1)
})

test('a full disk failed the effect of a chart, which did it again', async () => {
  expect((await simulate({ ...rounds(3), seed: 3, faults: [{ kind: 'full-disk', step: 6, forMs: 8_835 }] })).steps).toBeGreaterThan(0)
})

/** Each found a bug once. */
test.each([
  ['a full disk was kept as the outcome of an ask', { ...bank(5), seed: 35 }, [{ kind: 'full-disk', step: 15, forMs: 9_390 }, { kind: 'slow-disk', step: 45, ms: 928, forMs: 14_658 }]],
  ['a reply came before its asker was back at the ask', { ...bank(5), seed: 21 }, [{ kind: 'slow-disk', step: 2, ms: 19_450, forMs: 4_699 }, { kind: 'crash', step: 3, kept: 0.05, downMs: 79 }, { kind: 'crash', step: 9, kept: 0.28, downMs: 327 }, { kind: 'crash', step: 28, kept: 0.89, downMs: 398 }]],
] as const)('%s', async (_, options, faults) => {
  expect((await simulate<Bank>({ ...options, faults })).steps).toBeGreaterThan(0)
})

test('a failure of what was asked came before its asker was back at the ask', async () => {
  const crashes = [[6, 0.88, 60], [16, 0.86, 102], [21, 0.78, 14], [26, 0.35, 425], [39, 0.93, 452], [49, 0.7, 129]] as const
  const { lives } = await simulate({ ...orders(6, true), seed: 1_061, faults: crashes.map(([step, kept, downMs]) => ({ kind: 'crash', step, kept, downMs })) })
  expect(lives).toBe(7)
})
