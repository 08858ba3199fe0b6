// A program whose children and effects only their parents know. `families(code)` gives it as that code has it.
import { assign, sendTo, setup } from 'xstate'
import { z } from 'zod'
import { actor, event, protocol, stepOnce } from 'troupe'

export const Trip = protocol({ plan: event(), stop: event(z.object({ town: z.string() })) })
export const Crew = protocol({ hello: event() })
export const Hand = protocol({ work: event() })

/** Two model calls in an invoked effect, of which the second has no result yet. */
const booking = (question) =>
  stepOnce('book', async (_, work) => {
    const hotel = await work.infer('tag', 'model', question)
    await work.infer('tag', 'slow model', hotel)
    return hotel
  })

const stops = (states) =>
  setup({}).createMachine({
    context: { towns: [] },
    initial: 'riding',
    states,
  })

const riding = { riding: { on: { stop: { target: 'resting', actions: assign({ towns: ({ context, event }) => [...context.towns, event.town] }) } } } }

export const families = ({ question = 'which hotel?', rest = 'resting', work = 'saw' } = {}) => {
  const hand = actor(Hand, {
    durable: true,
    on: {
      work: async (_, me) => {
        await me.step(work, () => 1)
        await me.sleep('30d')
      },
    },
  })
  return {
    trip: actor(
      Trip,
      setup({ actors: { book: booking(question), ride: stops({ ...riding, [rest]: {}, ...(rest !== 'resting' && { riding: { on: { stop: rest } } }) }) } }).createMachine({
        initial: 'home',
        states: {
          home: { on: { plan: 'away' } },
          away: { invoke: [{ src: 'book', id: 'book' }, { src: 'ride', id: 'ride' }], on: { stop: { actions: sendTo('ride', ({ event }) => event) } } },
        },
      }),
      { durable: true },
    ),
    crew: actor(Crew, { durable: true, started: (me) => me.tell(me.spawn('hand', hand), { type: 'work' }), on: { hello: () => {} } }),
  }
}
