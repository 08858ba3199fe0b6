// Selective receive: what a chart cannot take now but may take later waits; what it never takes is refused.
import { assign, createMachine, raise, setup, type AnyStateMachine } from 'xstate'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, protocol, reply, request, type EventsOf, type Fact, type MachineOptions, type Troupe } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Door = protocol({
  open: event(),
  shut: event(),
  enter: request(z.object({ who: z.string() }), z.string()),
  knock: event(),
  'bell.front': event(),
  'bell.back': event(),
  seen: request(null, z.array(z.string())),
  strange: request(null, z.string()),
})
type DoorEvents = EventsOf<typeof Door>

const door = setup({ types: { context: {} as { seen: string[]; room: number }, events: {} as DoorEvents }, actions: { note: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) } }).createMachine({
  context: { seen: [], room: 2 },
  initial: 'closed',
  on: { seen: { actions: reply(({ context }) => context.seen) } },
  states: {
    closed: { on: { open: 'opened', knock: {}, 'bell.*': { actions: 'note' } } },
    opened: {
      on: {
        shut: 'closed',
        enter: {
          guard: ({ context }) => context.room > 0,
          actions: [assign({ room: ({ context }) => context.room - 1, seen: ({ context, event }) => [...context.seen, event.who] }), reply(({ event }) => `welcome ${event.who}`)],
        },
        knock: { actions: assign({ room: ({ context }) => context.room + 1 }) },
      },
    },
  },
})

async function open(options: MachineOptions = {}, clock = virtualClock()) {
  const troupe = await createTroupe({ clock })
  const facts: Fact[] = []
  troupe.inspect((fact) => facts.push(fact))
  const ref = troupe.spawn('door', actor(Door, door, options))
  const told = (kind: Fact['kind']) => facts.filter((fact) => fact.kind === kind).map(({ type }) => type)
  return { troupe, ref, clock, told }
}

test('an event of another state waits until that state is entered, and the order of those that wait is kept', async () => {
  const { troupe, ref, told } = await open()
  const first = ref.ask({ type: 'enter', who: 'Ada' })
  const second = ref.ask({ type: 'enter', who: 'Bo' })
  expect(await ref.ask({ type: 'seen' })).toEqual([])
  expect(told('deferred')).toEqual(['enter', 'enter'])
  await ref.tell({ type: 'open' })
  expect([await first, await second]).toEqual(['welcome Ada', 'welcome Bo'])
  expect(await ref.ask({ type: 'seen' })).toEqual(['Ada', 'Bo'])
  await troupe.stop()
})

test('an event whose guard says no waits, and is tried again after each change', async () => {
  const { troupe, ref, told } = await open()
  await ref.tell({ type: 'open' })
  for (const who of ['Ada', 'Bo']) await ref.ask({ type: 'enter', who })
  const third = ref.ask({ type: 'enter', who: 'Cy' })
  await ref.ask({ type: 'seen' })
  expect(told('deferred')).toEqual(['enter'])
  await ref.tell({ type: 'knock' })
  expect(await third).toBe('welcome Cy')
  await troupe.stop()
})

test('an empty handler and a wildcard consume; a prefix wildcard takes its kind', async () => {
  const { troupe, ref, told } = await open()
  await ref.tell({ type: 'knock' })
  await ref.tell({ type: 'bell.front' })
  await ref.tell({ type: 'bell.back' })
  expect(await ref.ask({ type: 'seen' })).toEqual(['bell.front', 'bell.back'])
  expect(told('deferred')).toEqual([])
  await troupe.stop()
  const all = await createTroupe()
  const any = all.spawn('any', actor(Door, createMachine({ on: { '*': {}, seen: { actions: reply([] as string[]) } } })))
  await any.tell({ type: 'knock' })
  expect(await any.ask({ type: 'seen' })).toEqual([])
  expect(all.deadLetters.list()).toEqual([])
  await all.stop()
})

test('what no state takes is told to its asker as Unhandled, and is a dead letter', async () => {
  const { troupe, ref } = await open()
  await expect(ref.ask({ type: 'strange' })).rejects.toMatchObject({ code: 'Unhandled' })
  expect(troupe.deadLetters.list()).toMatchObject([{ type: 'strange', reason: 'unhandled' }])
  await troupe.stop()
})

test('what only XState may send, and the name *, are never accepted from outside', async () => {
  const { troupe, ref } = await open()
  for (const type of ['xstate.stop', 'xstate.init', 'xstate.done.actor.x', 'xstate.error.actor.x', 'xstate.after.1.door', '*']) await ref.tell({ type } as never)
  expect(await ref.ask({ type: 'seen' })).toEqual([])
  expect(troupe.deadLetters.counts()).toEqual({ unhandled: 6 })
  await troupe.stop()
})

test('a deferred ask leaves when its deadline passes, and when its caller calls it off', async () => {
  const { troupe, ref, clock } = await open()
  const caller = new AbortController()
  const late = expect(ref.ask({ type: 'enter', who: 'Late' }, { timeout: '1s' })).rejects.toMatchObject({ code: 'DeadlineExceeded' })
  const off = expect(ref.ask({ type: 'enter', who: 'Off' }, { signal: caller.signal })).rejects.toMatchObject({ code: 'Cancelled' })
  await ref.ask({ type: 'seen' })
  await clock.advance('2s')
  caller.abort()
  await Promise.all([late, off])
  await ref.tell({ type: 'open' })
  expect(await ref.ask({ type: 'seen' })).toEqual([])
  await troupe.stop()
})

test('beyond the deferral bound the newest is refused with Overloaded', async () => {
  const { troupe, ref } = await open({ mailbox: { deferred: 2 } })
  const kept = [ref.ask({ type: 'enter', who: 'a' }), ref.ask({ type: 'enter', who: 'b' })]
  await expect(ref.ask({ type: 'enter', who: 'c' })).rejects.toMatchObject({ code: 'Overloaded' })
  await ref.tell({ type: 'open' })
  expect(await Promise.all(kept)).toEqual(['welcome a', 'welcome b'])
  await troupe.stop()
})

test('those that wait never fill the mailbox: there is room for what they wait for', async () => {
  const { troupe, ref } = await open({ mailbox: { capacity: 3 } })
  const asked = Array.from({ length: 6 }, (_, i) => ref.ask({ type: 'enter', who: String(i) }).catch((error: { code: string }) => error.code))
  await ref.tell({ type: 'open' })
  const outcomes = await Promise.race([Promise.all(asked.slice(0, 2)), troupe.stop({ within: '1s' }).then(() => 'wedged')])
  expect(outcomes).toEqual(['welcome 0', 'welcome 1'])
  await troupe.stop()
})

test('a machine in its final state refuses what comes, and what waited becomes a dead letter', async () => {
  const End = protocol({ end: event(), later: request(null, z.string()) })
  await using troupe = await createTroupe()
  const machine = setup({ types: { events: {} as EventsOf<typeof End> } }).createMachine({
    initial: 'on',
    states: { on: { on: { end: 'off' } }, never: { on: { later: { actions: reply('never') } } }, off: { type: 'final' } },
  })
  const ref = troupe.spawn('end', actor(End, machine))
  const waits = ref.ask({ type: 'later' })
  const told = expect(waits).rejects.toMatchObject({ code: 'NoSuchActor' })
  await ref.tell({ type: 'end' })
  await told
  await expect(ref.ask({ type: 'later' })).rejects.toMatchObject({ code: 'NoSuchActor' })
})

test('an always that reads the event takes it, also when it changes nothing', async () => {
  const Peek = protocol({ look: request(null, z.string()), go: event(), state: request(null, z.string()) })
  const machine = createMachine({
    types: {} as { events: EventsOf<typeof Peek> },
    initial: 'a',
    states: {
      a: {
        always: [
          { guard: ({ event }) => event.type === 'go', target: 'b' },
          { guard: ({ event }) => event.type === 'look', actions: reply('looked') },
        ],
      },
      b: { on: { state: { actions: reply('b') } } },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('peek', actor(Peek, machine))
  expect(await ref.ask({ type: 'look' })).toBe('looked')
  await ref.tell({ type: 'go' })
  expect(await ref.ask({ type: 'state' })).toBe('b')
})

test('in parallel states one region that takes it is enough', async () => {
  const Two = protocol({ left: event(), right: event(), state: request(null, z.string()) })
  const machine = createMachine({
    types: {} as { context: { log: string }; events: EventsOf<typeof Two> },
    context: { log: '' },
    type: 'parallel',
    on: { state: { actions: reply(({ context }) => context.log) } },
    states: {
      l: { initial: 'off', states: { off: { on: { left: 'on' } }, on: { on: { right: { actions: assign({ log: ({ context }) => `${context.log}L` }) } } } } },
      r: { initial: 'off', states: { off: { on: { right: { target: 'on', actions: assign({ log: ({ context }) => `${context.log}R` }) } } }, on: {} } },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('two', actor(Two, machine))
  await ref.tell({ type: 'right' })
  await ref.tell({ type: 'right' })
  expect(await ref.ask({ type: 'state' })).toBe('R')
  await ref.tell({ type: 'left' })
  await expect.poll(() => ref.ask({ type: 'state' })).toBe('RL')
})

test('a child may not answer for an event that only its placeholder’s chart would take', async () => {
  const inner = createMachine({ initial: 'a', states: { a: { always: 'b' }, b: {} } })
  const Outer = protocol({ go: event(), later: request(null, z.string()) })
  const machine = createMachine({
    types: {} as { events: EventsOf<typeof Outer> },
    initial: 'a',
    states: { a: { on: { go: 'b', later: { guard: () => false } } }, b: { invoke: { src: inner }, entry: raise({ type: 'go', from: { address: '', ask: 0 } }), on: { later: { actions: reply('b') } } } },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('outer', actor(Outer, machine))
  const later = ref.ask({ type: 'later' })
  await ref.tell({ type: 'go' })
  expect(await later).toBe('b')
})

// ── against a dumb twin ─────────────────────────────────────────────────────────────────────────

type Entry = 'target' | 'guarded' | 'empty' | undefined
type Table = readonly { readonly on: readonly (readonly [Entry, number])[]; readonly any: boolean }[]
const TYPES = ['e0', 'e1', 'e2', 'e3'] as const

/** What the table says should become of each event, computed the slow way: every deferred one is tried after each change. */
function twin(table: Table, events: readonly number[]) {
  let state = 0
  let count = 0
  const handled: number[] = []
  const refused: number[] = []
  let waiting: number[] = []
  const attempt = (id: number): 'took' | 'moved' | 'no' => {
    const type = events[id] as number
    const row = table[state] as Table[number]
    const [entry, to] = row.on[type] as readonly [Entry, number]
    if (entry === 'target' || (entry === 'guarded' && count % 2 === 1)) {
      state = to
      count++
      return 'moved'
    }
    return entry === 'empty' || row.any ? 'took' : 'no'
  }
  const named = (type: number) => table.some(({ on, any }) => any || (on[type] as readonly [Entry, number])[0] !== undefined)
  const retry = (): void => {
    for (let again = true; again; ) {
      again = false
      const before = waiting
      waiting = []
      for (let at = 0; at < before.length; at++) {
        const outcome = attempt(before[at] as number)
        if (outcome === 'no') waiting.push(before[at] as number)
        else handled.push(before[at] as number)
        if (outcome === 'moved') {
          waiting.push(...before.slice(at + 1))
          again = true
          break
        }
      }
    }
  }
  for (const id of events.keys()) {
    const outcome = attempt(id)
    if (outcome === 'no') (named(events[id] as number) ? waiting : refused).push(id)
    else handled.push(id)
    if (outcome === 'moved') retry()
  }
  return { handled, refused, waiting }
}

function machineOf(table: Table): AnyStateMachine {
  const transition = ([entry, to]: readonly [Entry, number]): object =>
    entry === 'empty' ? {} : { target: `s${to}`, reenter: true, actions: assign({ count: ({ context }: { context: { count: number } }) => context.count + 1 }), ...(entry === 'guarded' && { guard: ({ context }: { context: { count: number } }) => context.count % 2 === 1 }) }
  const states = table.map(({ on, any }, s) => {
    const transitions = on.flatMap((each, t): [string, object][] => (each[0] === undefined ? [] : [[`e${t}`, transition(each)]]))
    return [`s${s}`, { on: Object.fromEntries([...transitions, ...(any ? [['*', {}] as const] : [])]) }]
  })
  return createMachine({ context: { count: 0 }, initial: 's0', states: Object.fromEntries(states) as never })
}

const entries = fc.tuple(fc.constantFrom<Entry>('target', 'guarded', 'empty', undefined, undefined), fc.nat(2))
const tables = fc.array(fc.record({ on: fc.array(entries, { minLength: 4, maxLength: 4 }), any: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) }), { minLength: 3, maxLength: 3 })
const Any = protocol({ e0: event(), e1: event(), e2: event(), e3: event() })

test('every event ends as the dumb twin says, in its order', async () => {
  const troupe: Troupe = await createTroupe({ check: 'boundary' })
  let facts: Fact[] = []
  troupe.inspect((fact) => facts.push(fact))
  let runs = 0
  await fc.assert(
    fc.asyncProperty(tables, fc.array(fc.nat(3), { maxLength: 30 }), async (table, events) => {
      facts = []
      const ref = troupe.spawn(`m${++runs}`, actor(Any, machineOf(table)))
      const ids: number[] = []
      for (const type of events) {
        await ref.tell({ type: TYPES[type] as 'e0' })
        ids.push(facts.findLast(({ kind }) => kind === 'sent')?.id as number)
      }
      await new Promise((resolve) => setImmediate(resolve))
      const ended = (...kinds: Fact['kind'][]) => facts.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => ids.indexOf(id))
      const expected = twin(table, events)
      expect(ended('handled')).toEqual(expected.handled)
      expect(ended('refused')).toEqual(expected.refused)
      const left = new Set([...expected.handled, ...expected.refused])
      expect([...events.keys()].filter((id) => !left.has(id))).toEqual(expected.waiting.toSorted((a, b) => a - b))
      await ref.stop()
    }),
    { numRuns: 300 },
  )
  await troupe.stop()
})
