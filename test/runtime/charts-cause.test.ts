// What a chart does long after a message was handled is still because of it.
import { assign, createMachine, fromCallback, raise, sendParent, setup } from 'xstate'
import { expect, test } from 'vitest'
import { actor, ask, createTroupe, event, protocol, request, stepOnce, tell, type EventsOf } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { any } from './stage.js'

const Desk = protocol({ begin: event(), other: event() })
const Shelf = protocol({ fetch: request(null, any<number>()), put: event(any<{ by: string }>()) })
const shelf = { protocol: Shelf, address: 'shelf' }
const putBy = (by: string) => tell(shelf, { type: 'put', by })

const child = createMachine({ initial: 'a', states: { a: { entry: putBy('child'), after: { 1_000: 'b' } }, b: { type: 'final', entry: sendParent({ type: 'fromChild' }) } } })
const desk = actor(
  Desk,
  setup({
    types: { events: {} as EventsOf<typeof Desk> | { type: 'raised' } | { type: 'fromChild' } | { type: 'called' } },
    actors: {
      fetch: ask(shelf, 'fetch'),
      work: stepOnce('work', async (_: void, work) => work.ask(shelf, { type: 'fetch' })),
      call: fromCallback(({ sendBack }) => sendBack({ type: 'called' })),
      child,
    },
  }).createMachine({
    initial: 'idle',
    context: { n: 0 },
    on: { other: { actions: assign({ n: 1 }) } },
    states: {
      idle: { on: { begin: 'first' } },
      first: { invoke: { src: 'fetch', onDone: 'second' } },
      second: { invoke: { src: 'work', onDone: 'raising' } },
      raising: { entry: raise({ type: 'raised' }, { delay: 1_000 }), on: { raised: { target: 'calling', actions: putBy('raised') } } },
      calling: { invoke: { src: 'call' }, on: { called: { target: 'waiting', actions: putBy('called') } } },
      waiting: { after: { 60_000: { target: 'having', actions: putBy('timer') } } },
      having: { invoke: { src: 'child', onDone: { target: 'idle', actions: putBy('done') } }, on: { fromChild: { actions: putBy('fromChild') } } },
    },
  }),
)

test('effects, timers, callbacks and children of a chart have the message that led to them as their cause', async () => {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const put: string[] = []
  troupe.spawn('shelf', actor(Shelf, { on: { fetch: () => 7, put: ({ by }, me) => void put.push(`${by} because of ${troupe.why(me.envelope)?.because.map(({ id, type }) => `#${id} ${type}`).join(', ')}`) } }))
  const ref = troupe.spawn('desk', desk)
  void ref.tell({ type: 'begin' })
  void ref.tell({ type: 'other' })
  await clock.advance('2m')
  expect(put).toEqual([
    'raised because of #1 begin',
    'called because of #1 begin',
    'child because of #1 begin',
    'timer because of #1 begin',
    'fromChild because of #1 begin, #9 fromChild',
    'done because of #1 begin',
  ])
  expect(troupe.why(1)?.caused.map(({ type, to }) => `${type} to ${to}`)).toEqual(['fetch to shelf', 'fetch to shelf', 'put to shelf', 'put to shelf', 'put to shelf', 'put to shelf', 'fromChild to desk', 'put to shelf'])
  expect(troupe.why(2)?.caused).toEqual([])
  await troupe.stop()
})
