// The same program after an upgrade that forgets much.
import { setup } from 'xstate'
import { z } from 'zod'
import { actor, event, protocol } from 'troupe'
import { Lamp, Order, Till } from './before.mjs'

const lampIn = (states) => actor(Lamp, setup({}).createMachine({ initial: 'off', states: { off: { on: { press: 'off' } }, ...states } }), { durable: true })
const Diary = protocol({ write: event(z.object({ words: z.array(z.string()) })) })
export default {
  order: actor(Order, {
    durable: true,
    on: {
      place: async (_, me) => {
        await me.step('reserve a book', () => true)
        await me.step('ask for the address', () => 'Elm Street')
        return 'sent'
      },
    },
  }),
  lamp: lampIn({ dim: {} }),
  stairs: lampIn({ on: { after: { 30_000: 'off' } } }),
  till: actor(Till, { durable: true, version: 1, state: () => ({ cents: 0 }), on: { pay: () => 0 } }),
  diary: actor(Diary, { durable: true, on: { write: () => {} } }),
}
