import { expect, test } from 'vitest'
import { runCentre } from '../../examples/call-centre/centre.js'
import { plot } from '../../examples/call-centre/plot.js'

const setting = { customers: 150, days: 7, staff: 2 }

test('a seed gives the same week twice, and another seed another', async () => {
  const [first, again, other] = [await runCentre({ ...setting, seed: 1 }), await runCentre({ ...setting, seed: 1 }), await runCentre({ ...setting, seed: 2 })]
  expect(again.digest).toBe(first.digest)
  expect(again.metrics.hours).toEqual(first.metrics.hours)
  expect(other.digest).not.toBe(first.digest)
})

test('who has fewer agents keeps customers waiting longer, and loses more calls', async () => {
  const few = (await runCentre({ ...setting, seed: 1, staff: 1 })).metrics.summary
  const many = (await runCentre({ ...setting, seed: 1, staff: 4 })).metrics.summary
  expect(few.meanWaitS).toBeGreaterThan(many.meanWaitS)
  expect(few.abandoned).toBeGreaterThan(many.abandoned)
  expect(few.mood).toBeLessThan(many.mood)
  expect(many.calls).toBeGreaterThan(50)
})

test('nobody calls at night, and Mondays are the worst', async () => {
  const { hours } = (await runCentre({ ...setting, customers: 400, seed: 3 })).metrics
  const calls = (from: number, to: number): number => hours.slice(from, to).reduce((sum, hour) => sum + hour.calls, 0)
  expect(calls(0, 6)).toBe(0)
  expect(calls(0, 24)).toBeGreaterThan(calls(5 * 24, 6 * 24))
})

test('the picture has a panel for each figure, and no number that is none', async () => {
  const { metrics } = await runCentre({ ...setting, days: 2, seed: 1 })
  const svg = plot(metrics.hours, 'A test')
  expect(svg.match(/<poly(line|gon)/g)).toHaveLength(7)
  expect(svg).not.toMatch(/NaN|Infinity|undefined/)
})
