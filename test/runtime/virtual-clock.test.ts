// Time that moves when it is told to.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { virtualClock } from 'troupe/testing'

test('timers fire at their moment, those of one moment in the order in which they were set, the cancelled never', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ ms: fc.integer({ min: 0, max: 20 }), cancel: fc.boolean() }), { maxLength: 30 }), async (timers) => {
      const clock = virtualClock({ start: 0 })
      const fired: string[] = []
      const set = timers.map(({ ms }, i) => clock.timer(ms, () => fired.push(`${clock.now()} ${i}`)))
      timers.forEach(({ cancel }, i) => cancel && set[i]?.cancel())
      const alive = timers.flatMap(({ ms, cancel }, i) => (cancel ? [] : [{ ms, i }]))
      expect(clock.timers).toBe(alive.length)
      await clock.advance(20)
      expect(fired).toEqual(alive.toSorted((a, b) => a.ms - b.ms || a.i - b.i).map(({ ms, i }) => `${ms} ${i}`))
      expect([clock.timers, clock.now()]).toEqual([0, 20])
    }),
    { numRuns: 30 },
  )
})

test('a timer set by a timer fires in the same advance when it is due, and one that was advanced past keeps its moment', async () => {
  const clock = virtualClock({ start: 1_000 })
  const fired: number[] = []
  clock.timer(10, () => {
    fired.push(clock.now())
    clock.timer(5, () => fired.push(clock.now()))
    clock.timer(50, () => fired.push(clock.now()))
  })
  await clock.advance(30)
  expect([fired, clock.now(), clock.timers]).toEqual([[1_010, 1_015], 1_030, 1])
  await clock.advance('1m')
  expect(fired).toEqual([1_010, 1_015, 1_060])
})

test('chance comes from the seed', () => {
  const draw = (seed: number): number[] => {
    const clock = virtualClock({ seed })
    return Array.from({ length: 5 }, () => clock.random())
  }
  expect(draw(3)).toEqual(draw(3))
  expect(draw(3)).not.toEqual(draw(4))
  for (const n of draw(5)) expect(n >= 0 && n < 1).toBe(true)
})

test('100,000 timers, of which most are cancelled, cost no more than their turns', async () => {
  const clock = virtualClock()
  let fired = 0
  for (let i = 0; i < 100_000; i++) {
    const timer = clock.timer(i % 1_000, () => fired++)
    if (i % 200 !== 0) timer.cancel()
  }
  await clock.advance('1s')
  expect([fired, clock.timers]).toEqual([500, 0])
})
