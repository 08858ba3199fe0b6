import { expect, test } from 'vitest'
import { Cores } from '../../src/models/cores.js'
import { ManualClock } from './manual-clock.js'

const user = (threads: number, rank: number): { usage: { threads: number; rank: number }; retries: number; retry: () => void } => {
  const self = { usage: { threads, rank }, retries: 0, retry: () => void self.retries++ }
  return self
}

function cores(count: number, ...users: ReturnType<typeof user>[]): { cores: Cores; clock: ManualClock } {
  const clock = new ManualClock()
  const shared = new Cores(count, clock)
  for (const each of users) shared.join(each)
  return { cores: shared, clock }
}

test('a model alone may use every core, and no more', () => {
  const one = user(0, 1)
  const { cores: two } = cores(2, one)
  expect(two.allows(one, { threads: 1, rank: 1 })).toBe(true)
  one.usage.threads = 1
  expect(two.allows(one, { threads: 1, rank: 1 })).toBe(true)
  one.usage.threads = 2
  expect(two.allows(one, { threads: 1, rank: 1 })).toBe(false)
})

test('equally urgent models share: each may compute, neither may take the other core too', () => {
  const [chat, bulk] = [user(1, 1), user(1, 1)]
  const { cores: two } = cores(2, chat, bulk)
  expect(two.allows(bulk, { threads: 1, rank: 1 })).toBe(false)
  bulk.usage.threads = 0
  chat.usage.threads = 2
  expect(two.allows(bulk, { threads: 1, rank: 1 })).toBe(true)
})

test('urgent work starts at once; bulk work waits while urgent work fills the cores, but not for ever', () => {
  const [chat, bulk] = [user(0, 0), user(2, 2)]
  const { cores: two, clock } = cores(2, chat, bulk)
  expect(two.allows(chat, { threads: 2, rank: 0 })).toBe(true)
  chat.usage.threads = 2
  bulk.usage.threads = 0
  expect(two.allows(bulk, { threads: 1, rank: 2 })).toBe(false)
  clock.advance(100)
  expect(bulk.retries).toBe(1)
  expect(two.allows(bulk, { threads: 1, rank: 2 })).toBe(true)
})

test('who was refused is told when another is done', () => {
  const [chat, bulk] = [user(1, 0), user(1, 2)]
  const { cores: two } = cores(2, chat, bulk)
  two.freed(chat)
  expect([chat.retries, bulk.retries]).toEqual([0, 1])
})
