// A byte of what is kept beside an actor's step is flipped: a schedule, a step of a history, a chart's snapshot and timer.
import { expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, reply, request, type EventsOf, type Key, type OpenStore } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { rejection } from './stage.js'

const Diary = protocol({ note: event(z.object({ text: z.string() })), read: request(null, z.array(z.string())) })
const diary = actor(Diary, {
  durable: true,
  history: true,
  state: () => ({ notes: [] as string[] }),
  on: { note: ({ text }, me) => void me.state.notes.push(text), read: (_, me) => me.state.notes },
})
const Lamp = protocol({ press: event(), look: request(null, z.string()) })
const machine = setup({ types: { events: {} as EventsOf<typeof Lamp>, context: {} as { presses: number } } }).createMachine({
  context: { presses: 0 },
  initial: 'off',
  states: {
    off: { on: { press: { target: 'on', actions: assign({ presses: ({ context }) => context.presses + 1 }) }, look: { actions: reply('off') } } },
    on: { after: { 60_000: 'off' }, on: { look: { actions: reply('on') } } },
  },
})
const lamp = actor(Lamp, machine, { durable: true })

/** A first life with two schedules, three steps of history and two lamps that are on; gives the store as it was left. */
async function lived(): Promise<{ readonly entries: readonly { readonly key: Key; readonly value: Uint8Array }[]; readonly clock: VirtualClock }> {
  const store = memory()
  const clock = virtualClock()
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.spawn('diary', diary)
  await troupe.schedule('hourly', { every: '1h', to: ref, message: { type: 'note', text: 'hour' } })
  await troupe.schedule('daily', { every: '1d', to: ref, message: { type: 'note', text: 'day' } })
  for (const text of ['a', 'b', 'c']) await ref.tell({ type: 'note', text })
  const lampOf = troupe.keyed('lamp', lamp)
  await lampOf('a').tell({ type: 'press' })
  await lampOf('b').tell({ type: 'press' })
  await clock.settle()
  await troupe.stop()
  return { entries: [...(await store()).range([0], ['zzz'])], clock }
}

const sizeOf = (entries: readonly { readonly key: Key; readonly value: Uint8Array }[], key: Key): number => entries.find((entry) => String(entry.key) === String(key))?.value.length ?? 0

/** The store with one byte of one record flipped. */
async function withFlip(entries: readonly { readonly key: Key; readonly value: Uint8Array }[], key: Key, at: number, bit: number): Promise<OpenStore> {
  const copy = memory()
  const flip = (value: Uint8Array): Uint8Array => value.map((byte, i) => (i === at ? byte ^ bit : byte))
  await (await copy()).commit(entries.map((entry) => ({ kind: 'put', key: entry.key, value: String(entry.key) === String(key) ? flip(entry.value) : entry.value })))
  return copy
}

/** A life on a damaged store; what it logged about it. */
async function life(store: OpenStore, clock: VirtualClock) {
  const logged: unknown[] = []
  const troupe = await createTroupe({ store, clock, log: (_, words) => void logged.push(...words) })
  const ref = troupe.spawn('diary', diary)
  const lampOf = troupe.keyed('lamp', lamp)
  await clock.settle()
  return { troupe, ref, lampOf, logged }
}

test('a schedule, at every byte: it is told by name and does not fire, the other does, and it can be set anew', { timeout: 60_000 }, async () => {
  const { entries, clock: old } = await lived()
  const key = ['schedule', 'hourly']
  const size = sizeOf(entries, key)
  expect(size).toBeGreaterThan(50)
  // The first byte only says that there is a checksum, which holds all the same.
  for (let at = 1; at < size; at++) {
    const clock = virtualClock({ start: old.now() })
    const { troupe, ref, logged } = await life(await withFlip(entries, key, at, 1 << (at % 8)), clock)
    expect([at, logged]).toEqual([at, [expect.objectContaining({ code: 'StoreCorrupt', details: { address: 'the schedule hourly' } })]])
    expect(troupe.schedules.map(({ name }) => name)).toEqual(['daily'])
    await clock.advance('1d')
    expect(await ref.ask({ type: 'read' })).toEqual(['a', 'b', 'c', 'day'])
    await troupe.schedule('hourly', { every: '1h', to: ref, message: { type: 'note', text: 'hour' } })
    await clock.advance('1h')
    expect(await ref.ask({ type: 'read' })).toEqual(['a', 'b', 'c', 'day', 'hour'])
    await troupe.stop()
  }
})

test('a schedule of a later version is left alone, and the others go on', async () => {
  const { entries, clock } = await lived()
  const store = memory()
  // Records without a checksum are read as they are: [2, …] stands for what a later version may write.
  await (await store()).commit(entries.map(({ key, value }) => ({ kind: 'put', key, value: String(key) === 'schedule,hourly' ? Uint8Array.of(0x92, 2, 0xc0) : value })))
  const { troupe, ref, logged } = await life(store, clock)
  expect(logged).toEqual([expect.objectContaining({ code: 'Incompatible' })])
  await clock.advance('1d')
  expect(await ref.ask({ type: 'read' })).toEqual(['a', 'b', 'c', 'day'])
  expect(await rejection(troupe.schedule('hourly', { every: '1h', to: ref, message: { type: 'note', text: 'hour' } }))).toMatchObject({ code: 'Incompatible' })
  await troupe.stop()
  expect((await store()).get(['schedule', 'hourly'])).toEqual(Uint8Array.of(0x92, 2, 0xc0))
})

test('a step of a history, at every byte: it is told, the other steps are as they were, and the actor goes on', { timeout: 60_000 }, async () => {
  const { entries, clock: old } = await lived()
  const key = ['history', 'diary', 2]
  const size = sizeOf(entries, key)
  expect(size).toBeGreaterThan(50)
  for (let at = 1; at < size; at++) {
    const clock = virtualClock({ start: old.now() })
    const { troupe, ref } = await life(await withFlip(entries, key, at, 1 << (at % 8)), clock)
    const history = troupe.history('diary')
    expect(() => history.at(2)).toThrow(expect.objectContaining({ code: 'StoreCorrupt', details: { address: 'diary' } }))
    expect(await rejection(history.fork(2, 'other'))).toMatchObject({ code: 'StoreCorrupt' })
    expect([history.at(1), history.at(3)]).toEqual([{ notes: ['a'] }, { notes: ['a', 'b', 'c'] }])
    expect(history.steps.map(({ n, message, damaged }) => [n, damaged?.code ?? message])).toEqual([[1, { type: 'note', text: 'a' }], [2, 'StoreCorrupt'], [3, { type: 'note', text: 'c' }]])
    await ref.tell({ type: 'note', text: 'd' })
    expect(await ref.ask({ type: 'read' })).toEqual(['a', 'b', 'c', 'd'])
    await troupe.stop()
  }
})

test("a chart's snapshot and its timers, at every byte: it is told by name, and the others go on", { timeout: 60_000 }, async () => {
  const { entries, clock: old } = await lived()
  const key = ['actor', 'lamp/a']
  const size = sizeOf(entries, key)
  expect(size).toBeGreaterThan(50)
  for (let at = 1; at < size; at++) {
    const clock = virtualClock({ start: old.now() })
    const { troupe, lampOf } = await life(await withFlip(entries, key, at, 1 << (at % 8)), clock)
    expect([at, await rejection(lampOf('a').ask({ type: 'look' }))]).toEqual([at, expect.objectContaining({ code: 'StoreCorrupt', details: { address: 'lamp/a' } })])
    expect(await lampOf('b').ask({ type: 'look' })).toBe('on')
    await clock.advance('2m')
    expect(await lampOf('b').ask({ type: 'look' })).toBe('off')
    await troupe.stop()
  }
})
