import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { from, lastValueFrom, toArray } from 'rxjs'
import { expect, test } from 'vitest'
import { headlines, START, topics } from '../../examples/news-watch/day.js'
import { surges, type Judged } from '../../examples/news-watch/surges.js'
import { watchNews } from '../../examples/news-watch/watch.js'

const MINUTE = 60_000
const bad = (minute: number, topic = 'trains'): Judged => ({ at: minute * MINUTE, text: `bad ${minute}`, topic, sentiment: 'negative' })
const good = (minute: number, topic = 'trains'): Judged => ({ at: minute * MINUTE, text: `good ${minute}`, topic, sentiment: 'positive' })
const alarms = async (...told: Judged[]): Promise<string[]> => {
  const found = await lastValueFrom(from(told).pipe(surges({ windowMs: 60 * MINUTE, negativeMin: 3, shareMin: 0.6 }), toArray()))
  return found.map(({ at, topic, headlines: why }) => `${topic} ${at / MINUTE}: ${why.map(({ text }) => text).join(', ')}`)
}

test('three bad headlines within the hour are a surge, told once while it lasts', async () => {
  expect(await alarms(bad(0), bad(10), bad(20), bad(30))).toEqual(['trains 20: bad 0, bad 10, bad 20'])
})

test('what lies outside the window, on other topics, or among good news is none', async () => {
  expect(await alarms(bad(0), bad(40), bad(80))).toEqual([])
  expect(await alarms(bad(0), bad(1, 'energy'), bad(2), bad(3, 'health'))).toEqual([])
  expect(await alarms(bad(0), good(1), bad(2), good(3), good(4), bad(5))).toEqual([])
})

test('after a calm it is told again', async () => {
  expect(await alarms(bad(0), bad(1), bad(2), good(100), bad(101), bad(102), bad(103))).toEqual(['trains 2: bad 0, bad 1, bad 2', 'trains 103: bad 101, bad 102, bad 103'])
})

test('the day has one surge, and every headline is read in its order', { timeout: 60_000 }, async () => {
  const read: Judged[] = []
  const found = await watchNews({ start: START, headlines, topics, onHeadline: (judged) => read.push(judged) })
  expect(read.map(({ at, text }) => ({ at, text }))).toEqual(headlines)
  expect(found.map(({ topic }) => topic)).toEqual(['trains'])
  expect(found[0]?.headlines.every(({ sentiment }) => sentiment === 'negative')).toBe(true)
})

test('one command tells each headline, and of the surge while it lasts', { timeout: 60_000 }, () => {
  const main = fileURLToPath(new URL('../../dist-examples/news-watch/main.js', import.meta.url))
  const { stdout, stderr, status } = spawnSync(process.execPath, [main], { encoding: 'utf8' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines).toHaveLength(headlines.length + 1)
  expect(lines.filter((line) => line.includes('ALERT'))).toEqual([expect.stringMatching(/^\d\d:\d\d ! ALERT: \d+ bad headlines on trains within two hours$/)])
  expect(stderr).toBe('')
  expect(status).toBe(0)
})
