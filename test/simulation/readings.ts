// Readers and what they read are on several nodes, to be broken: each chunk in its place, or an end that says why.
import { z } from 'zod'
import { actor, protocol, request, stream, TroupeError, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface Readings {
  /** Books that are open, over all lives of all nodes; a crash closes none. */
  readonly open: Set<string>
  readonly ends: string[]
}

const Book = protocol({ read: stream(z.object({ id: z.string(), pages: z.number(), ms: z.number(), torn: z.boolean() }), z.string()) })
const book = (world: Readings, life: string) =>
  actor(Book, {
    on: {
      read: async function* ({ id, pages, ms, torn }, me) {
        const key = `${life} ${id}`
        world.open.add(key)
        try {
          for (let page = 1; page <= pages; page++) {
            if (ms > 0 && page % 10 === 0) await me.sleep(ms)
            if (torn && page === pages) throw new Error('a page is torn')
            yield `${id} ${page}`
          }
        } finally {
          world.open.delete(key)
        }
      },
    },
    concurrency: 8,
  })

const Reader = protocol({ study: request(z.object({ id: z.string(), book: z.string(), pages: z.number(), ms: z.number(), torn: z.boolean() }), z.string()) })
const reader = actor(Reader, {
  on: {
    study: ({ id, book: title, pages, ms, torn }, me) => {
      const chunks = me.stream(me.ref(Book, title), { type: 'read', id, pages, ms, torn }, { timeout: '2m' })
      return readAll(chunks, id, { pages, torn, leaveAt: Infinity, pause: () => undefined })
    },
  },
  concurrency: 8,
})

interface How {
  readonly pages: number
  readonly torn: boolean
  /** After which page the reader leaves. */
  readonly leaveAt: number
  readonly pause: (page: number) => Promise<void> | undefined
}

async function readAll(chunks: AsyncIterable<string>, id: string, { pages, torn, leaveAt, pause }: How): Promise<string> {
  let page = 0
  for await (const chunk of chunks) {
    if (chunk !== `${id} ${++page}`) throw new Error(`out of place: ${chunk} as page ${page} of ${id}`)
    await pause(page)
    if (page === leaveAt) return 'left'
  }
  if (page !== pages || torn) throw new Error(`out of place: ${id} ended after ${page} of ${pages} pages${torn ? ', of which the last is torn' : ''}`)
  return 'read'
}

/** How a reading may end besides well. Not by its deadline: no book pauses for so long, and who waits for a node that is silent is told within half a minute. */
const ENDS = new Set(['Interrupted', 'ActorFailed', 'Cancelled', 'Gone', 'Overloaded'])

async function reading(sim: Simulation<Readings>, n: number): Promise<void> {
  const id = `r${n}`
  const how = { pages: 1 + Math.floor(sim.random() ** 2 * 120), ms: sim.random() < 0.5 ? 0 : Math.floor(sim.random() * 3_000), torn: sim.random() < 0.05 }
  const [title, someone] = [`book/${n % 5}`, `reader/${n % 3}`]
  await sim.sleep(Math.floor(sim.random() * 60_000))
  const slow = sim.random() < 0.3 ? Math.floor(sim.random() * 2_000) : 0
  const leaveAt = sim.random() < 0.2 ? 1 + Math.floor(sim.random() * how.pages) : Infinity
  try {
    const pause = (page: number): Promise<void> | undefined => (slow > 0 && page % 7 === 0 ? sim.sleep(slow) : undefined)
    const end = sim.random() < 0.4 ? await sim.ref(Reader, someone).ask({ type: 'study', id, book: title, ...how }, { timeout: '10m' }) : await readAll(sim.ref(Book, title).stream({ type: 'read', id, ...how }, { timeout: '2m' }), id, { ...how, leaveAt, pause })
    sim.world.ends.push(end)
  } catch (error) {
    if (!(error instanceof TroupeError && ENDS.has(error.code)) || error.message.includes('out of place')) throw error
    sim.world.ends.push(error.code)
  }
}

export const readings = (count: number): Omit<SimulationOptions<Readings>, 'seed' | 'faults'> => ({
  world: () => ({ open: new Set(), ends: [] }),
  cast: (troupe: Troupe, sim, node) => {
    troupe.keyed('book', book(sim.world, `${node} ${sim.node(node).lives}`))
    troupe.keyed('reader', reader)
  },
  run: async (sim) => {
    await Promise.all(Array.from({ length: count }, (_, n) => reading(sim, n)))
    // Whatever became of its reader, no book of a life that goes on stays open.
    await sim.sleep('20m')
    const left = [...sim.world.open].filter((key) => sim.nodes.some(({ name, lives }) => key.startsWith(`${name} ${lives} `)))
    if (left.length > 0) throw new Error(`still open: ${left.join(', ')}`)
  },
})
