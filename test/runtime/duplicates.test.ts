import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, type OpenStore } from 'troupe'
import { virtualClock } from 'troupe/testing'

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
