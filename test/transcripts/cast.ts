// The actors that the transcripts speak of, by name.
import { assign, createMachine, setup } from 'xstate'
import { z } from 'zod'
import { actor, ask, event, protocol, reply, request, tell, type Definition, type EventsOf, type ReturnAddress } from 'troupe'

const Greeter = protocol({ greet: request(z.object({ name: z.string() }), z.string()), later: request(null, z.string()), now: event() })
const greeter = actor(
  Greeter,
  setup({ types: { context: {} as { waiting: ReturnAddress<string> | undefined }, events: {} as EventsOf<typeof Greeter> } }).createMachine({
    context: { waiting: undefined },
    on: {
      greet: { actions: reply(({ event }) => `hello ${event.name}`) },
      later: { actions: assign({ waiting: ({ event }) => event.from }) },
      now: { actions: reply('at last', { to: ({ context }) => context.waiting }) },
    },
  }),
)

const Door = protocol({ open: event(), shut: event(), enter: request(z.object({ who: z.string() }), z.string()), sing: event() })
const door = actor(
  Door,
  setup({ types: { events: {} as EventsOf<typeof Door> } }).createMachine({
    initial: 'closed',
    states: {
      closed: { on: { open: 'opened', shut: {} } },
      opened: { after: { 60_000: 'closed' }, on: { shut: 'closed', enter: { actions: reply(({ event }) => `welcome ${event.who}`) } } },
    },
  }),
  { mailbox: { deferred: 2 } },
)

const Counter = protocol({ add: event(), count: request(null, z.number()), fail: request(null, z.null()), hold: request(null, z.null()) })
const counter = actor(
  Counter,
  setup({ types: { context: {} as { n: number }, events: {} as EventsOf<typeof Counter> } }).createMachine({
    context: { n: 0 },
    on: {
      add: { actions: assign({ n: ({ context }) => context.n + 1 }) },
      count: { actions: reply(({ context }) => context.n) },
      hold: {},
      fail: {
        actions: [
          tell({ protocol: Door, address: 'door' }, { type: 'open' }),
          () => {
            throw new RangeError('out of numbers')
          },
        ],
      },
    },
  }),
  { supervise: { intensity: { restarts: 2, within: '1m' }, backoff: { first: '1s', jitter: 0 } } },
)

// front (a chart) invokes middle (handlers), which asks back, which waits until nobody wants the outcome.
const Chain = protocol({ work: request(null, z.string()), begin: event(), leave: event() })
const middle = actor(Chain, { on: { work: (_, me) => me.ask(me.ref(Chain, 'back'), { type: 'work' }), begin: () => {}, leave: () => {} } })
const back = actor(Chain, {
  on: {
    work: (_, me) =>
      new Promise<string>((_resolve, reject) => {
        me.signal.addEventListener('abort', () => {
          me.log('called off:', (me.signal.reason as Error).message)
          reject(me.signal.reason as Error)
        })
      }),
    begin: () => {},
    leave: () => {},
  },
})
const front = actor(
  Chain,
  setup({ types: { events: {} as EventsOf<typeof Chain> }, actors: { work: ask({ protocol: Chain, address: 'middle' }, 'work') } }).createMachine({
    initial: 'idle',
    states: { idle: { on: { begin: 'working', work: {} } }, working: { on: { leave: 'idle' }, invoke: { src: 'work', onError: 'idle' } } },
  }),
)

const mute = actor(protocol({ say: event() }), createMachine({ initial: 'over', states: { over: { type: 'final' } } }))

export const cast: Readonly<Record<string, Definition>> = { greeter, door, counter, front, middle, back, mute }
