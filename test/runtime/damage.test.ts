// A byte of the store is flipped: whose record it was is told, nobody takes it for another, and the others go on.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, reply, request, type EventsOf, type Key, type OpenStore, type Store } from 'troupe'
import { lmdb } from 'troupe/lmdb'
import { virtualClock } from 'troupe/testing'

const Till = protocol({ add: request(z.object({ cents: z.number() }), z.number()), pay: event(), said: event(z.object({ word: z.string() })) })
const till = (paid: string[], isStuck: boolean) =>
  actor(Till, {
    durable: true,
    state: () => ({ cents: 0 }),
    on: {
      add: ({ cents }, me) => (me.state.cents += cents),
      pay: async (_, me) => {
        await me.step('charge', () => paid.push(me.id))
        if (isStuck) await new Promise(() => {})
      },
      said: () => (isStuck ? new Promise<void>(() => {}) : undefined),
    },
  })
const Teller = protocol({ say: request(z.object({ to: z.string() }), z.string()) })
const teller = actor(Teller, { durable: true, on: { say: ({ to }, me) => (me.tell(me.ref(Till, to), { type: 'said', word: 'hello' }), 'said') } })
const Lamp = protocol({ press: event(), look: request(null, z.string()) })
const lamp = setup({ types: { events: {} as EventsOf<typeof Lamp>, context: {} as { presses: number } } }).createMachine({
  context: { presses: 0 },
  initial: 'off',
  states: {
    off: { on: { press: { target: 'on', actions: assign({ presses: ({ context }) => context.presses + 1 }) }, look: { actions: reply('off') } } },
    on: { after: { 60_000: 'off' }, on: { look: { actions: reply('on') } } },
  },
})

/** A first life, which leaves a record of each kind. */
async function lived(store: OpenStore): Promise<void> {
  const clock = virtualClock()
  const troupe = await createTroupe({ store, clock })
  const tills = troupe.keyed('till', till([], true))
  await tills('record').ask({ type: 'add', cents: 1 })
  await tills('whole').ask({ type: 'add', cents: 1 })
  await tills('journal').tell({ type: 'pay' })
  await tills('mail').tell({ type: 'pay' })
  await tills('mail').tell({ type: 'said', word: 'x' })
  await troupe.spawn('teller', teller).ask({ type: 'say', to: 'till/outbox' })
  await troupe.keyed('lamp', actor(Lamp, lamp, { durable: true }))('a').tell({ type: 'press' })
  await clock.settle()
  const stopped = troupe.stop({ within: 0 })
  await clock.advance('10s')
  await stopped
}

/** The record of each kind that is damaged, and whose it is. */
function keysOf(store: Store): Readonly<Record<string, readonly [Key, string]>> {
  const log = [...store.range(['log'], ['log', Infinity])]
  const holds = (text: string) => log.filter(({ value }) => Buffer.from(value).includes(text)).map(({ key }) => key)
  return {
    'an actor': [['actor', 'till/record'], 'till/record'],
    mail: [holds('till/mail').at(-1) as Key, 'till/mail'],
    'a journal entry': [holds('charge')[0] as Key, 'till/journal'],
    'mail from an outbox': [holds('hello')[0] as Key, 'till/outbox'],
  }
}

async function flipped(open: OpenStore, key: Key, at: number): Promise<void> {
  const store = await open()
  const value = (store.get(key) as Uint8Array).slice()
  const place = at < 0 ? value.length + at : Math.min(at, value.length - 1)
  value[place] = (value[place] as number) ^ 0x15
  await store.commit([{ kind: 'put', key, value }])
  await store.close()
}

/** What a second life finds: the damaged one is refused by name, and the others are as they were. */
async function found(store: OpenStore, whose: string): Promise<{ readonly error: unknown; readonly others: unknown; readonly paid: readonly string[] }> {
  const paid: string[] = []
  const troupe = await createTroupe({ store, log: () => {} })
  const tills = troupe.keyed('till', till(paid, false))
  troupe.spawn('teller', teller)
  const error: unknown = await tills(whose.slice(5)).ask({ type: 'add', cents: 1 }).catch((one: unknown) => one)
  const others = await tills('whole').ask({ type: 'add', cents: 1 })
  await troupe.stop()
  return { error, others, paid: paid.filter((id) => id === 'till/journal') }
}

const folders: string[] = []
afterAll(() => Promise.all(folders.map((each) => rm(each, { recursive: true }))))

const PLACES = [1, 5, 7, 30, -1]
test.each(['an actor', 'mail', 'a journal entry', 'mail from an outbox'])('%s, in LMDB', { timeout: 60_000 }, async (kind) => {
  for (const at of PLACES) {
    const folder = await mkdtemp(join(tmpdir(), 'troupe-damage-'))
    folders.push(folder)
    const open = lmdb(folder, { sync: false })
    await lived(open)
    const store = await open()
    const [key, whose] = keysOf(store)[kind] as readonly [Key, string]
    await store.close()
    await flipped(open, key, at)
    const { error, others, paid } = await found(open, whose)
    expect([at, error, others]).toEqual([at, expect.objectContaining({ code: 'StoreCorrupt', details: { address: whose } }), 2])
    // It was paid for in its first life: no byte makes it pay again.
    expect(paid).toEqual([])
  }
})

test('every byte of every kind: none is taken for another, and the others go on', { timeout: 120_000 }, async () => {
  const first = memory()
  await lived(first)
  const whole = [...(await first()).range([0], ['zzz'])]
  const kinds = keysOf(await first())
  for (const [kind, [key, whose]] of Object.entries(kinds)) {
    const size = whole.find((entry) => JSON.stringify(entry.key) === JSON.stringify(key))?.value.length ?? 0
    for (let at = 0; at < size; at++) {
      const copy = memory()
      await (await copy()).commit(whole.map(({ key, value }) => ({ kind: 'put', key, value })))
      await flipped(copy, key, at)
      const { error, others, paid } = await found(copy, whose)
      // The first byte only says that there is a checksum, which holds all the same.
      const outcome = at === 0 ? 'number' : 'object'
      expect([kind, at, typeof error, others]).toEqual([kind, at, outcome, 2])
      if (at > 0) expect([kind, at, error]).toEqual([kind, at, expect.objectContaining({ code: 'StoreCorrupt', details: { address: whose } })])
      if (kind === 'a journal entry') expect([at, paid]).toEqual([at, []])
    }
  }
})

test('an alarm: the troupe starts, and who set it is woken and sets it again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-damage-'))
  folders.push(folder)
  const open = lmdb(folder, { sync: false })
  await lived(open)
  await flipped(open, ['alarm', 'lamp/a'], -1)
  const clock = virtualClock()
  const troupe = await createTroupe({ store: open, clock })
  const ref = troupe.keyed('lamp', actor(Lamp, lamp, { durable: true }))('a')
  expect(await ref.ask({ type: 'look' })).toBe('on')
  await clock.advance('61s')
  expect(await ref.ask({ type: 'look' })).toBe('off')
  await troupe.stop()
})

test('what was written before there were checksums is read as it is', async () => {
  const old = memory()
  await lived(old)
  const store = await old()
  const bare = [...store.range([0], ['zzz'])].map(({ key, value }) => ({ kind: 'put' as const, key, value: value.slice(5) }))
  await store.commit(bare)
  const { error, others, paid } = await found(old, 'till/record')
  expect([error, others, paid]).toEqual([2, 2, []])
})
