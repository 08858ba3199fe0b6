// A durable chart that goes its rounds: each asks a durable counter, which leaves memory between two rounds, and rests.
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, ask, event, protocol, reply, request, TroupeError, type EventsOf, type Troupe } from 'troupe'
import type { SimulationOptions } from 'troupe/testing'

export interface World {
  readonly accepted: string[]
}

const Counter = protocol({ add: request(z.object({ id: z.string() }), z.number()), seen: request(null, z.array(z.string())) })
const counter = actor(Counter, {
  durable: true,
  state: () => ({ seen: [] as string[] }),
  on: { add: ({ id }, me) => me.state.seen.push(id), seen: (_, me) => me.state.seen },
})

const Walker = protocol({ go: event(z.object({ id: z.string() })), walked: request(null, z.array(z.string())) })
const chart = setup({
  types: { events: {} as EventsOf<typeof Walker>, context: {} as { id: string; walked: string[] } },
  // Without a deadline: one that passes says nothing of whether the round was counted, so a second ask would count it twice.
  actors: { add: ask({ protocol: Counter, address: 'counter/0' }, 'add', { timeout: 'none' }) },
}).createMachine({
  context: { id: '', walked: [] },
  initial: 'resting',
  on: { walked: { actions: reply(({ context }) => context.walked) } },
  states: {
    resting: { on: { go: { target: 'counting', actions: assign({ id: ({ event }) => event.id }) } } },
    counting: { invoke: { src: 'add', input: ({ context }) => ({ id: context.id }), onDone: { target: 'tired', actions: assign({ walked: ({ context }) => [...context.walked, context.id] }) }, onError: { target: 'counting', reenter: true } } },
    tired: { after: { 600_000: 'resting' } },
  },
})

const WALKERS = 3

export const rounds = (each: number): Omit<SimulationOptions<World>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [] }),
  cast: (troupe: Troupe) => {
    troupe.keyed('walker', actor(Walker, chart, { durable: true }))
    troupe.keyed('counter', counter, { passivateAfter: '5s' })
  },
  invariants: {
    'each round is counted once': (sim) => {
      const { seen } = (sim.committed('counter/0') as { seen: string[] } | undefined) ?? { seen: [] }
      if (new Set(seen).size < seen.length) throw new Error(seen.join(', '))
    },
  },
  run: async (sim) => {
    for (let n = 0; n < each * WALKERS; n++) {
      const id = `${n % WALKERS}/${n}`
      try {
        await sim.ref(Walker, `walker/${n % WALKERS}`).tell({ type: 'go', id })
        sim.world.accepted.push(id)
      } catch (error) {
        if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code))) throw error
      }
      await sim.sleep(Math.floor(sim.random() * 400_000))
    }
    await sim.sleep('1d')
    const seen = await sim.insist(() => sim.ref(Counter, 'counter/0').ask({ type: 'seen' }, { timeout: 'none' }))
    const walked = (await Promise.all(Array.from({ length: WALKERS }, (_, w) => sim.insist(() => sim.ref(Walker, `walker/${w}`).ask({ type: 'walked' }, { timeout: 'none' }))))).flat()
    if (walked.toSorted().join() !== seen.toSorted().join()) throw new Error(`walked ${walked.join(', ')}; counted ${seen.join(', ')}`)
    const lost = sim.world.accepted.filter((id) => !walked.includes(id))
    if (lost.length > 0) throw new Error(`accepted and never walked: ${lost.join(', ')}`)
  },
})
