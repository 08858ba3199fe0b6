// The link between two nodes on a network that delays, loses, doubles and cuts off, while the nodes die and come back.
import { expect, test } from 'vitest'
import { TwoLives } from './two-lives.js'

const SEEDS = 10 * Number(process.env['TROUPE_SEEDS'] ?? 40)
const FROM = Number(process.env['TROUPE_SEED'] ?? 1)

test(`what one life says another hears in order, without a gap and once, or both are told (${SEEDS} seeds)`, { timeout: 60_000 + 100 * SEEDS }, () => {
  let breaks = 0
  let lives = 0
  for (let seed = FROM; seed < FROM + SEEDS; seed++) {
    const two = new TwoLives(seed)
    two.play()
    breaks += two.breaks
    lives += two.lives
  }
  expect(breaks).toBeGreaterThan(SEEDS)
  expect(lives).toBeGreaterThan(2 * SEEDS)
})

test('a question that was lost is asked again though an acknowledgement came meanwhile', () => {
  new TwoLives(693).play()
})
