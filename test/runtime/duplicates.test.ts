import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, type OpenStore } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { gate } from './stage.js'

const Counter = protocol({ add: event(z.object({ word: z.string() })), words: request(null, z.array(z.string())) })
const counter = actor(Counter, { durable: true, state: () => ({ words: [] as string[] }), on: { add: ({ word }, me) => void me.state.words.push(word), words: (_, me) => me.state.words } })
const Sender = protocol({ go: event() })
const sender = actor(Sender, { durable: true, on: { go: (_, me) => me.tell(me.ref(Counter, 'counter/a'), { type: 'add', word: 'once' }) } })

/** A store that has what it is given at once, and says so for a batch with this word only when it is let. */
function slowToTell(word: string): { readonly store: OpenStore; tell: () => void } {
  let tell = (): void => {}
  const told = new Promise<void>((resolve) => (tell = resolve))
  const open = memory()
  const store: OpenStore = async () => {
    const inner = await open()
    return {
      commit: async (changes) => {
        await inner.commit(changes)
        if (changes.some((change) => change.kind === 'put' && change.key[0] === 'log' && Buffer.from(change.value).includes(word))) await told
      },
      get: (key) => inner.get(key),
      range: (from, to) => inner.range(from, to),
      close: () => inner.close(),
    }
  }
  return { store, tell: () => tell() }
}

test('mail that its receiver found in the log when it woke is not taken again when its sender brings it', async () => {
  const clock = virtualClock()
  const { store, tell } = slowToTell('once')
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.keyed('counter', counter, { passivateAfter: '1m' })('a')
  await troupe.spawn('sender', sender).tell({ type: 'go' })
  // The sender still waits for its step to be committed, and the receiver leaves memory meanwhile.
  await clock.advance('5m')
  expect(await ref.ask({ type: 'words' })).toEqual(['once'])
  tell()
  await clock.settle()
  expect(await ref.ask({ type: 'words' })).toEqual(['once'])
  await troupe.stop()
})

test('a sender whose receiver has no room to wake when its step is kept has not failed: its message is handled once there is room', async () => {
  const clock = virtualClock()
  const { store, tell } = slowToTell('once')
  const troupe = await createTroupe({ store, clock })
  const busy = gate()
  const one = actor(Counter, { durable: true, state: () => ({ words: [] as string[] }), on: {
    add: async ({ word }, me) => {
      if (me.id === 'counter/b') await me.step('work', () => busy.passed)
      me.state.words.push(word)
    },
    words: (_, me) => me.state.words,
  } })
  const counterOf = troupe.keyed('counter', one, { residents: 1 })
  const ref = troupe.spawn('sender', sender)
  await ref.tell({ type: 'go' })
  await clock.settle()
  // Now its receiver, which was awake when it was told, gives its place to another.
  await counterOf('b').tell({ type: 'add', word: 'other' })
  await clock.settle()
  tell()
  await clock.advance('5s')
  expect(troupe.deadLetters.list()).toEqual([])
  busy.open()
  await clock.advance('5s')
  expect(await counterOf('a').ask({ type: 'words' })).toEqual(['once'])
  await troupe.stop()
})

test('whoever was at work when the process ended resumes, though there is room for two at a time only', async () => {
  const clock = virtualClock()
  const store = memory()
  const Job = protocol({ run: event() })
  const done: string[] = []
  const job = (isStuck: boolean) => actor(Job, { durable: true, on: { run: async (_, me) => {
    await me.step('work', () => (isStuck ? new Promise<void>(() => {}) : undefined))
    done.push(me.id)
  } } })
  const first = await createTroupe({ store, clock })
  const jobOf = first.keyed('job', job(true))
  for (let i = 0; i < 20; i++) await jobOf(`${i}`).tell({ type: 'run' })
  await clock.settle()
  const stopped = first.stop({ within: 0 })
  await clock.advance('10s')
  await stopped
  const second = await createTroupe({ store, clock })
  second.keyed('job', job(false), { residents: 2 })
  await clock.advance('30s')
  expect(done.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `job/${i}`).toSorted())
  await second.stop()
})
