// Durable actors whose handlers wait for days, leave memory meanwhile, and are woken by whatever comes, to be broken.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { SimulationOptions } from 'troupe/testing'

interface State {
  readonly done: string[]
  early: number
}
const Sleeper = protocol({
  wait: event(z.object({ id: z.string(), ms: z.number() })),
  call: request(z.object({ id: z.string(), ms: z.number() }), z.string()),
  paid: event(z.object({ id: z.string() })),
  done: request(null, z.array(z.string())),
})
const sleeper = actor(Sleeper, {
  durable: true,
  state: (): State => ({ done: [], early: 0 }),
  on: {
    wait: async ({ id, ms }, me) => {
      const began = await me.step(`begin ${id}`, () => id)
      const due = me.clock.now() + ms
      const paid = await me.waitFor('paid', { timeout: ms }).then((message) => `+${message.id}`, () => '')
      if (paid === '' && me.clock.now() < due) me.state.early++
      me.state.done.push(`${began}${paid}`)
    },
    call: async ({ id, ms }, me) => {
      await me.sleep(ms)
      me.state.done.push(id)
      return id
    },
    paid: ({ id }, me) => void me.state.done.push(id),
    done: (_, me) => me.state.done,
  },
})

const SLEEPERS = 3
const isPassing = (error: unknown): boolean => error instanceof TroupeError && ['Interrupted', 'Overloaded', 'DeadlineExceeded', 'NoSuchActor', 'Cancelled'].includes(error.code)

export const sleepers = (each: number): Omit<SimulationOptions<{ readonly accepted: string[] }>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [] }),
  cast: (troupe: Troupe) => void troupe.keyed('sleeper', sleeper, { passivateAfter: '10m' }),
  invariants: {
    'each is done once, and none too early': (sim) => {
      for (let s = 0; s < SLEEPERS; s++) {
        const { done, early } = (sim.committed(`sleeper/${s}`) as State | undefined) ?? { done: [], early: 0 }
        const ids = done.flatMap((line) => line.split('+'))
        if (new Set(ids).size < ids.length || early > 0) throw new Error(`${early} early, done ${ids.join(', ')}`)
      }
    },
  },
  run: async (sim) => {
    const { accepted } = sim.world
    for (let n = 0; n < each * SLEEPERS; n++) {
      const ref = sim.ref(Sleeper, `sleeper/${n % SLEEPERS}`)
      const id = `${n % SLEEPERS}/${n}`
      const ms = Math.floor(sim.random() ** 3 * 86_400_000)
      const what = sim.random()
      try {
        if (what < 0.5) await ref.tell({ type: 'wait', id, ms }).then(() => accepted.push(id))
        else if (what < 0.8) await ref.tell({ type: 'paid', id }).then(() => accepted.push(id))
        else if (what < 0.9) await ref.ask({ type: 'call', id, ms }, { timeout: '10m' }).then(() => accepted.push(id))
        else await ref.stop()
      } catch (error) {
        if (!isPassing(error)) throw error
      }
      await sim.sleep(Math.floor(sim.random() ** 4 * 7_200_000))
    }
    await sim.sleep('30d')
    const done = await Promise.all(Array.from({ length: SLEEPERS }, (_, s) => sim.insist(() => sim.ref(Sleeper, `sleeper/${s}`).ask({ type: 'done' }, { timeout: 'none' }))))
    const ids = done.flat().flatMap((line) => line.split('+'))
    const lost = accepted.filter((id) => !ids.includes(id))
    if (lost.length > 0) throw new Error(`accepted and never done: ${lost.join(', ')}`)
  },
})
