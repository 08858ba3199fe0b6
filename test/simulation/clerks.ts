// Durable clerks who ask volatile desks on other nodes and publish what came of it, to be broken: an ask is served once at most and
// always has an outcome; what is published comes to each durable subscriber once, to a volatile one at most.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface Clerks {
  readonly accepted: string[]
  /** How often a desk served each job, over all lives. */
  readonly served: Map<string, number>
  /** What each life of a volatile listener heard. */
  readonly heard: Map<string, string[]>
}

const Desk = protocol({ serve: request(z.object({ job: z.string(), ms: z.number() }), z.string()), note: event(z.object({ job: z.string() })) })
const desk = (world: Clerks) =>
  actor(Desk, {
    on: {
      serve: async ({ job, ms }, me) => {
        world.served.set(job, (world.served.get(job) ?? 0) + 1)
        if (ms > 0) await me.sleep(ms)
        if (job.endsWith('3')) throw new Error('this desk is closed')
        return `${job} is served`
      },
      note: ({ job }) => void world.served.set(`note ${job}`, (world.served.get(`note ${job}`) ?? 0) + 1),
    },
    concurrency: 4,
  })

const News = protocol({ news: event(z.object({ job: z.string(), outcome: z.string() })), all: request(null, z.array(z.string())) })
const paper = actor(News, {
  durable: true,
  state: () => ({ printed: [] as string[] }),
  on: { news: ({ job }, me) => void me.state.printed.push(job), all: (_, me) => me.state.printed },
})
const listener = (world: Clerks, life: string) =>
  actor(News, {
    on: {
      news: ({ job }, me) => {
        const key = `${me.id} ${life}`
        world.heard.set(key, [...(world.heard.get(key) ?? []), job])
      },
      all: () => [],
    },
  })

const Clerk = protocol({
  work: event(z.object({ job: z.string(), desk: z.string(), ms: z.number(), patience: z.number() })),
  done: request(null, z.array(z.string())),
})
interface ClerkState {
  readonly done: string[]
}
const clerk = actor(Clerk, {
  durable: true,
  state: (): ClerkState => ({ done: [] }),
  on: {
    work: async ({ job, desk: at, ms, patience }, me) => {
      me.tell(me.ref(Desk, at), { type: 'note', job })
      const outcome = await me.ask(me.ref(Desk, at), { type: 'serve', job, ms }, { timeout: patience === 0 ? 'none' : patience }).then(
        (answer) => (answer === `${job} is served` ? 'served' : `wrong: ${answer}`),
        (error: unknown) => (error instanceof TroupeError ? error.code : 'unknown'),
      )
      me.state.done.push(`${job} ${outcome}`)
      me.publish('office.news', { type: 'news', job, outcome })
    },
    done: (_, me) => me.state.done,
  },
})

const CLERKS = 3
const PAPERS = ['paper-0', 'paper-1', 'paper-2']
const OUTCOMES = new Set(['served', 'ActorFailed', 'Interrupted', 'DeadlineExceeded', 'Overloaded'])

function once(sim: Simulation<Clerks>): void {
  // Within a process an effect that a crash cuts off is done again; what left for another node is in the log, and is known there.
  for (const [job, times] of sim.world.served) if (times > 1 && sim.nodes.length > 1) throw new Error(`${job} was served ${times} times`)
  for (const [who, jobs] of sim.world.heard) if (new Set(jobs).size < jobs.length) throw new Error(`${who} heard twice: ${jobs.join(', ')}`)
  for (const address of PAPERS) {
    const { printed } = (sim.committed(address) as { printed: string[] } | undefined) ?? { printed: [] }
    if (new Set(printed).size < printed.length) throw new Error(`${address} printed twice: ${printed.join(', ')}`)
  }
}

async function allDone(sim: Simulation<Clerks>): Promise<void> {
  await sim.sleep('2h')
  const done = (await Promise.all(Array.from({ length: CLERKS }, (_, c) => sim.insist(() => sim.ref(Clerk, `clerk/${c}`).ask({ type: 'done' }, { timeout: 'none' }))))).flat()
  const jobs = done.map((line) => line.split(' ')[0] as string)
  const lost = sim.world.accepted.filter((job) => !jobs.includes(job))
  if (lost.length > 0) throw new Error(`accepted and never done: ${lost.join(', ')}`)
  if (new Set(jobs).size < jobs.length) throw new Error(`done twice: ${jobs.join(', ')}`)
  const odd = done.filter((line) => !OUTCOMES.has(line.split(' ')[1] as string))
  if (odd.length > 0) throw new Error(`ended oddly: ${odd.join(', ')}`)
  const unserved = done.filter((line) => line.endsWith(' served') && sim.world.served.get(line.split(' ')[0] as string) !== 1)
  if (unserved.length > 0) throw new Error(`said to be served: ${unserved.join(', ')}`)
  for (const address of PAPERS) {
    const printed = await sim.insist(() => sim.ref(News, address).ask({ type: 'all' }, { timeout: 'none' }))
    const missing = jobs.filter((job) => !printed.includes(job))
    if (missing.length > 0) throw new Error(`${address} never printed ${missing.join(', ')}`)
  }
}

/** For three nodes: a clerk's desks are on the other two. */
export const offices = (address: string): string => ['a', 'b', 'c'][Number(/\d+$/.exec(address)?.[0] ?? 0) % 3] as string

export const clerks = (each: number): Omit<SimulationOptions<Clerks>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [], served: new Map(), heard: new Map() }),
  cast: (troupe: Troupe, sim, node) => {
    const life = `${node} ${sim.node(node).lives}`
    troupe.keyed('clerk', clerk)
    troupe.keyed('desk', desk(sim.world))
    for (const address of PAPERS) troupe.subscribe('office.*', troupe.spawn(address, paper))
    for (const address of ['listener-0', 'listener-1', 'listener-2']) troupe.subscribe('office.>', troupe.spawn(address, listener(sim.world, life)))
  },
  invariants: { 'once at most': once },
  run: async (sim) => {
    const employ = async (c: number): Promise<void> => {
      for (let n = 0; n < each; n++) {
        const job = `${c}/${n}`
        const work = { job, desk: `desk/${c + 1 + Math.floor(sim.random() * 2)}`, ms: sim.random() < 0.4 ? Math.floor(sim.random() * 30_000) : 0, patience: sim.random() < 0.5 ? 0 : Math.floor(sim.random() * 60_000) }
        await sim.ref(Clerk, `clerk/${c}`).tell({ type: 'work', ...work }).then(
          () => void sim.world.accepted.push(job),
          (error: unknown) => {
            if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code))) throw error
          },
        )
        await sim.sleep(Math.floor(sim.random() ** 2 * 20_000))
      }
    }
    await Promise.all(Array.from({ length: CLERKS }, (_, c) => employ(c)))
    await allDone(sim)
  },
})
