// Time in a chart: `after`, delayed raise and sendTo, cancel; all on the troupe's clock, and gone with their actor.
import { assign, cancel, createMachine, raise, sendTo, setup } from 'xstate'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, protocol, reply, request, type Definition, type EventsOf } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Timed = protocol({ go: event(), off: event(), fail: event(), rang: event(), log: request(null, z.array(z.string())) })
const nobody = { address: '', ask: 0 }
const kid = createMachine({ initial: 'on', states: { on: { on: { rang: {}, end: 'off' } }, off: { type: 'final' } } })
const base = setup({
  actors: { kid },
  types: { context: {} as { log: string[] }, events: {} as EventsOf<typeof Timed> },
  actions: {
    note: assign({ log: ({ context }, text: string) => [...context.log, text] }),
    crash: () => {
      throw new RangeError('crashed')
    },
  },
  delays: { soon: ({ context }) => 1_000 * (context.log.length + 1) },
})
const answer = base.createStateConfig({ on: { log: { actions: reply(({ context }) => context.log) }, fail: { actions: 'crash' } } })

async function open(definition: Definition<(typeof Timed)['specs']>) {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const ref = troupe.spawn('timed', definition)
  return { clock, troupe, ref }
}

test('after fires on the troupe’s clock, with named delays, and not once its state is left', async () => {
  const { clock, troupe, ref } = await open(
    actor(Timed, base.createMachine({
      context: { log: [] },
      ...answer,
      initial: 'red',
      states: {
        red: { after: { soon: { target: 'green', actions: { type: 'note', params: 'green' } } }, on: { off: 'dark', go: {}, rang: {} } },
        green: { after: { soon: { target: 'red', actions: { type: 'note', params: 'red' } } } },
        dark: {},
      },
    })),
  )
  await clock.advance('999ms')
  expect(await ref.ask({ type: 'log' })).toEqual([])
  await clock.advance('1ms')
  expect(await ref.ask({ type: 'log' })).toEqual(['green'])
  await clock.advance('2s')
  expect(await ref.ask({ type: 'log' })).toEqual(['green', 'red'])
  await ref.tell({ type: 'off' })
  await clock.advance('1h')
  expect(await ref.ask({ type: 'log' })).toEqual(['green', 'red'])
  await troupe.stop()
  await clock.settle()
  expect(clock.timers).toBe(0)
})

test('a delayed raise can be cancelled, also in the very moment it fires; raising it again under its name replaces it', async () => {
  const { clock, troupe, ref } = await open(
    actor(Timed, base.createMachine({
      context: { log: [] },
      ...answer,
      on: {
        ...answer.on,
        go: { actions: raise({ type: 'rang', from: nobody }, { id: 'bell', delay: 1_000 }) },
        off: { actions: cancel('bell') },
        rang: { actions: { type: 'note', params: 'rang' } },
      },
    })),
  )
  await ref.tell({ type: 'go' })
  await clock.advance('500ms')
  await ref.tell({ type: 'go' })
  await clock.advance('999ms')
  expect(await ref.ask({ type: 'log' })).toEqual([])
  await clock.advance('1ms')
  expect(await ref.ask({ type: 'log' })).toEqual(['rang'])
  await ref.tell({ type: 'go' })
  await ref.tell({ type: 'off' })
  await clock.advance('1m')
  expect(await ref.ask({ type: 'log' })).toEqual(['rang'])
  await troupe.stop()
  await clock.settle()
  expect(clock.timers).toBe(0)
})

test('of two timers due at one moment the first leaves the state, and the second does nothing', async () => {
  const { clock, troupe, ref } = await open(
    actor(Timed, base.createMachine({
      context: { log: [] },
      ...answer,
      initial: 'a',
      on: { ...answer.on, go: {}, off: {} },
      states: {
        a: {
          entry: raise({ type: 'rang', from: nobody }, { delay: 1_000 }),
          after: { 1_000: { target: 'late', actions: { type: 'note', params: 'after' } } },
          on: { rang: { target: 'b', actions: { type: 'note', params: 'rang' } } },
        },
        b: {},
        late: {},
      },
    })),
  )
  await ref.ask({ type: 'log' })
  await clock.advance('1s')
  expect(await ref.ask({ type: 'log' })).toHaveLength(1)
  await troupe.stop()
})

test('a delayed sendTo reaches a child, and becomes a dead letter when the child has ended', async () => {
  const { clock, troupe, ref } = await open(
    actor(Timed, base.createMachine({
      context: { log: [] },
      ...answer,
      initial: 'on',
      states: {
        on: {
          invoke: { id: 'kid', src: 'kid', onDone: { actions: { type: 'note', params: 'kid done' } } },
          on: { go: { actions: [sendTo('kid', { type: 'end' }, { delay: 1_000 }), sendTo('kid', { type: 'rang' }, { delay: 2_000 })] }, off: {}, rang: {} },
        },
      },
    })),
  )
  await ref.tell({ type: 'go' })
  await clock.advance('1s')
  expect(await ref.ask({ type: 'log' })).toEqual(['kid done'])
  await clock.advance('1s')
  expect(troupe.deadLetters.list()).toMatchObject([{ type: 'rang', to: 'timed>kid', reason: 'no-such-actor' }])
  await troupe.stop()
  await clock.settle()
  expect(clock.timers).toBe(0)
})

test('restart and stop cancel every timer', async () => {
  const { clock, troupe, ref } = await open(
    actor(Timed, base.createMachine({
      context: { log: [] },
      ...answer,
      initial: 'idle',
      states: {
        idle: { on: { go: { target: 'waiting', actions: raise({ type: 'rang', from: nobody }, { delay: 5_000 }) }, off: {} } },
        waiting: { after: { 5_000: { actions: { type: 'note', params: 'late' } } } },
      },
      on: { ...answer.on, rang: { actions: { type: 'note', params: 'rang' } } },
    })),
  )
  await ref.tell({ type: 'go' })
  await clock.settle()
  expect(clock.timers).toBe(2)
  await ref.tell({ type: 'fail' })
  await clock.settle()
  expect(clock.timers).toBe(0)
  await clock.advance('1m')
  expect(await ref.ask({ type: 'log' })).toEqual([])
  await ref.tell({ type: 'go' })
  await clock.settle()
  await ref.stop()
  expect(clock.timers).toBe(0)
  await troupe.stop()
})
