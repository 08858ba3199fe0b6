// Volatile actors on several nodes who ask each other, to be broken: nothing is done twice, and every asker hears how it went.
import { z } from 'zod'
import { actor, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface Errands {
  /** How often each errand was run, over all lives of all nodes. */
  readonly run: Map<string, number>
  readonly outcomes: Map<string, string>
  asked: number
}

const PEOPLE = 6

const Person = protocol({
  /** Runs the errand, or sends the next person of the way. */
  go: request(z.object({ id: z.string(), way: z.array(z.string()), ms: z.number() }), z.string()),
})
const person = (world: Errands) =>
  actor(Person, {
    on: {
      go: async ({ id, way: [next, ...rest], ms }, me) => {
        if (next !== undefined) return `${await me.ask(me.ref(Person, next), { type: 'go', id, way: rest, ms })} by ${me.id}`
        world.run.set(id, (world.run.get(id) ?? 0) + 1)
        if (ms > 0) await me.sleep(ms)
        return id
      },
    },
    concurrency: 4,
  })

function atMostOnce(sim: Simulation<Errands>): void {
  for (const [id, times] of sim.world.run) if (times > 1) throw new Error(`${id} was run ${times} times`)
}

/** How an errand may end besides well: nobody knows, too late, or a part of the way does so. */
const ENDS = new Set(['Interrupted', 'DeadlineExceeded', 'ActorFailed', 'AskCycle', 'Cancelled', 'Overloaded'])

async function errand(sim: Simulation<Errands>, n: number): Promise<void> {
  const { run, outcomes } = sim.world
  const id = `e${n}`
  const some = (): string => `person/${Math.floor(sim.random() * PEOPLE)}`
  const way = Array.from({ length: Math.floor(sim.random() * 3) }, some)
  const ms = sim.random() < 0.3 ? Math.floor(sim.random() * 40_000) : 0
  const controller = new AbortController()
  await sim.sleep(Math.floor(sim.random() * 60_000))
  if (sim.random() < 0.2) void sim.sleep(Math.floor(sim.random() * 20_000)).then(() => controller.abort())
  sim.world.asked++
  try {
    const timeout = sim.random() < 0.3 ? ('none' as const) : Math.floor(sim.random() * 40_000)
    const answer = await sim.ref(Person, some()).ask({ type: 'go', id, way, ms }, { timeout, signal: controller.signal })
    if (!answer.startsWith(id) || run.get(id) !== 1) throw new Error(`${id} was answered ${answer}, and run ${run.get(id)} times`)
    outcomes.set(id, 'done')
  } catch (error) {
    if (!(error instanceof TroupeError && ENDS.has(error.code))) throw error
    outcomes.set(id, error.code)
  }
}

export const errands = (count: number): Omit<SimulationOptions<Errands>, 'seed' | 'faults'> => ({
  world: () => ({ run: new Map(), outcomes: new Map(), asked: 0 }),
  cast: (troupe: Troupe, sim) => void troupe.keyed('person', person(sim.world)),
  invariants: { 'no errand is run twice': atMostOnce },
  // An ask that never learns its outcome leaves the script waiting, which is a failure too.
  run: async (sim) => {
    await Promise.all(Array.from({ length: count }, (_, n) => errand(sim, n)))
    if (sim.world.outcomes.size !== count) throw new Error(`${sim.world.outcomes.size} outcomes of ${count}`)
  },
})
