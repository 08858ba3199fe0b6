// Durable actors in simulations: what is done once is done once, whatever fails and whenever.
import { expect, test } from 'vitest'
import { simulate } from 'troupe/testing'
import { bank } from './bank.js'

const SEEDS = Number(process.env['TROUPE_SEEDS'] ?? 100)
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
