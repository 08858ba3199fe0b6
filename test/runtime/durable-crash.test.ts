// The process dies after each single commit in turn: what a handler saw once it sees ever after, in the same order.
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, memory, protocol, request, type Me, type OpenStore } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { cutStore } from './cut-store.js'

const Book = protocol({ enter: event(z.object({ line: z.string() })), lines: request(null, z.array(z.string())) })
const book = actor(Book, { durable: true, state: () => ({ lines: [] as string[] }), on: { enter: ({ line }, me) => void me.state.lines.push(line), lines: (_, me) => me.state.lines } })
const Counter = protocol({ next: request(null, z.number()) })
const counter = actor(Counter, { durable: true, state: () => ({ count: 0 }), on: { next: (_, me) => ++me.state.count } })

const Run = protocol({ go: event(), ended: request(null, z.boolean()) })

/** What a handler does with: a step of random latency, an ask, a tell; each noted once its result is seen. */
interface Hands {
  readonly step: (name: string) => Promise<string>
  readonly ask: () => Promise<string>
  readonly tell: (line: string) => void
  readonly me: Me<never>
}
type Handler = (hands: Hands) => Promise<unknown>

const handlers: Record<string, Handler> = {
  'one after another': async ({ step, ask, tell, me }) => {
    tell(await step('a'))
    await ask()
    await me.sleep('1h')
    tell(await step('b'))
  },
  'all at once': ({ step, ask }) => Promise.all([step('slow'), step('fast'), ask()]),
  'legs that go on': ({ step, ask, tell }) => Promise.all(['a', 'b'].map(async (leg) => {
    tell(`${leg} ${await step(leg)}`)
    await ask()
    await step(`${leg} again`)
  })),
  'legs of which one takes its time between two steps': ({ step, ask, tell }) => Promise.all([0, 9].map(async (turns) => {
    await step('go')
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    tell(await step(turns === 0 ? 'at once' : 'later'))
    await ask()
  })),
  'equal names in parallel legs': ({ step, tell }) => Promise.all([1, 2, 3].map(async (leg) => {
    await step('look')
    tell(`${leg} ${await step('pay')}`)
  })),
  'a race': async ({ step, ask, me }) => {
    const first = await Promise.race([step('x'), step('y'), me.sleep('1ms').then(() => 'late')])
    await ask()
    await step(`after ${first.split('#')[0]}`)
  },
  'a failure that is caught': async ({ step, tell }) => {
    const vendor = await step('bad vendor').catch(() => step('other vendor'))
    tell(vendor)
    await step('pay')
  },
}

interface World {
  readonly seen: string[]
  serial: number
}

function runner(handler: Handler, world: World, seed: number) {
  let draw = seed
  const turns = async (): Promise<void> => {
    draw = (draw * 1_103_515_245 + 12_345) & 0x7fffffff
    for (let n = draw % 4; n > 0; n--) await new Promise((resolve) => setImmediate(resolve))
  }
  return actor(Run, {
    durable: true,
    state: () => ({ ended: false }),
    on: {
      go: async (_, me) => {
        // What an earlier run of this life saw, before its long sleep, it sees again.
        world.seen.length = 0
        const see = (value: unknown): string => (world.seen.push(String(value)), String(value))
        await handler({
          me: me as never,
          step: (name) => me.step(name, async () => {
            await turns()
            if (name.startsWith('bad')) throw new Error(name)
            return `${name}#${++world.serial}`
          }).then(see, (error: Error) => { see(error.message); throw error }),
          ask: () => me.ask(me.ref(Counter, 'counter'), { type: 'next' }, { timeout: 'none' }).then(see),
          tell: (line) => me.tell(me.ref(Book, 'book'), { type: 'enter', line }),
        })
        me.state.ended = true
      },
      ended: (_, me) => me.state.ended,
    },
  })
}

async function life(store: OpenStore, handler: Handler, serial: number, seed: number) {
  const clock = virtualClock()
  const world: World = { seen: [], serial }
  const troupe = await createTroupe({ store, clock })
  const ref = troupe.spawn('run', runner(handler, world, seed))
  troupe.spawn('counter', counter)
  return { clock, world, ref, lines: troupe.spawn('book', book), troupe }
}

/** A life that ends after so many commits, by itself or because nothing is kept any more. */
async function firstLife(handler: Handler, kept: number, written = (store: OpenStore): OpenStore => store) {
  const disk = memory()
  const limited = cutStore(written(disk), kept)
  // Opening the store is a commit of its own, without which there is no life.
  const { clock, world, ref } = await life(limited.store, handler, 0, 7)
  ref.tell({ type: 'go' }).catch(() => {})
  await clock.settle()
  await clock.advance('2h')
  return { disk, seen: [...world.seen], serial: world.serial, commits: limited.count }
}

/** What is called for in one turn of the event loop is written together, and all who wait for it hear of it at once. */
const together = (open: OpenStore): OpenStore => async () => {
  const store = await open()
  let group: Promise<void> | undefined
  const commit: typeof store.commit = async (changes) => {
    await (group ??= new Promise((resolve) => setImmediate(() => ((group = undefined), resolve()))))
    return store.commit(changes)
  }
  return { commit, get: (key) => store.get(key), range: (from, to) => store.range(from, to), close: () => store.close() }
}
const writes = { 'each by itself': (open: OpenStore) => open, together }

describe.each(Object.entries(handlers))('a process that dies after each commit in turn (%s)', (_, handler) => {
  test.each(Object.entries(writes))('sees again what it saw, in that order, and sends everything once: commits written %s', async (_, written) => {
    const whole = await firstLife(handler, Infinity, written)
    const sent = await linesOf(whole.disk, handler)
    expect(whole.commits).toBeGreaterThan(4)
    // The first commit opens the store, the second accepts the message.
    for (let kept = 2; kept <= whole.commits; kept++) {
      const { disk, seen, serial } = await firstLife(handler, kept, written)
      const second = await life(disk, handler, serial + 100, kept)
      await second.clock.settle()
      await second.clock.advance('2h')
      expect(await second.ref.ask({ type: 'ended' })).toBe(true)
      const ended = second.world.seen.length === 0
      if (!ended) expect(second.world.seen.slice(0, seen.length)).toEqual(seen)
      const lines = await second.lines.ask({ type: 'lines' })
      expect(new Set(lines).size).toBe(lines.length)
      expect(lines).toHaveLength(sent.length)
    }
  })
})

async function linesOf(disk: OpenStore, handler: Handler): Promise<readonly string[]> {
  const { lines } = await life(disk, handler, 0, 1)
  return lines.ask({ type: 'lines' })
}
