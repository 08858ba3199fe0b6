import { expect, test } from 'vitest'
import { runMarket } from '../../examples/market/market.js'

test('traders who know nothing of each other find the price at which demand meets supply', async () => {
  const { equilibrium, days } = await runMarket({ seed: 4, traders: 60, days: 6 })
  const last = days.at(-1)
  expect(Math.abs((last?.meanPrice ?? 0) - equilibrium)).toBeLessThan(0.1 * equilibrium)
  expect(last?.efficiency).toBeGreaterThan(0.9)
  expect(last?.efficiency).toBeLessThanOrEqual(1 + 1e-9)
})

test('a seed gives the same market twice', async () => {
  const run = async (): Promise<unknown> => runMarket({ seed: 5, traders: 20, days: 2 })
  expect(await run()).toEqual(await run())
})
