// A program before its upgrade.
import { setup } from 'xstate'
import { z } from 'zod'
import { actor, event, protocol, reply, request } from 'troupe'

export const Order = protocol({ place: request(z.object({ what: z.string() }), z.string()) })
export const order = actor(Order, {
  durable: true,
  on: {
    place: async ({ what }, me) => {
      await me.step(`reserve ${what}`, () => true)
      await me.step('charge', () => 5)
      // Never comes to its end, so that the process dies with it under way.
      await me.step('send', () => new Promise(() => console.log('sending')))
      return 'sent'
    },
  },
})
export const Lamp = protocol({ press: request(null, z.boolean()) })
const on = { press: { target: 'on', actions: reply(true) } }
const lampIn = (lit) => actor(Lamp, setup({}).createMachine({ initial: 'off', states: { off: { on }, on: lit } }), { durable: true })
export const lamp = lampIn({ on: { press: 'off' } })
export const stairs = lampIn({ after: { 60_000: 'off' } })
export const Till = protocol({ pay: request(z.object({ cents: z.number() }), z.number()) })
export const till = actor(Till, { durable: true, state: () => ({ cents: 0 }), on: { pay: ({ cents }, me) => (me.state.cents += cents) } })
export const Diary = protocol({ write: event(z.object({ text: z.string() })) })
export const diary = actor(Diary, { durable: true, on: { write: (_, me) => me.sleep('3d') } })
export const visitor = actor(Lamp, { durable: true, on: { press: () => true } })
