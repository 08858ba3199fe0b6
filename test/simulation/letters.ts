// Letters between actors on several nodes, to be broken: in order per sender and receiver; durable ones each once, volatile ones at most.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { SimulatedNode, Simulation, SimulationOptions } from 'troupe/testing'

export interface Letters {
  readonly accepted: string[]
  /** What a life of a volatile box received, in order, by the life of its sender. */
  readonly volatile: Map<string, number[]>
}

const BOXES = 3
const WRITERS = 3

const Box = protocol({
  letter: event(z.object({ from: z.string(), n: z.number(), id: z.string() })),
  parcel: request(z.object({ from: z.string(), n: z.number(), id: z.string() }), z.number()),
  got: request(null, z.array(z.string())),
})
interface BoxState {
  readonly got: string[]
  readonly last: Record<string, number>
  readonly wrong: string[]
}
const box = actor(Box, {
  durable: true,
  state: (): BoxState => ({ got: [], last: {}, wrong: [] }),
  on: {
    letter: (letter, { state }) => put(state, letter),
    parcel: (letter, { state }) => {
      put(state, letter)
      return state.got.length
    },
    got: (_, { state }) => state.got,
  },
})

/** Letters of one sender come without a gap, since each is kept until it has come. */
function put({ got, last, wrong }: BoxState, { from, n, id }: { readonly from: string; readonly n: number; readonly id: string }): void {
  if ((last[from] ?? 0) + 1 !== n) wrong.push(`${id}, number ${n} of ${from}, came after ${last[from] ?? 0}`)
  last[from] = n
  got.push(id)
}

const Tray = protocol({ note: event(z.object({ from: z.string(), n: z.number() })) })
const tray = (world: Letters, life: string) =>
  actor(Tray, {
    on: {
      note: ({ from, n }, me) => {
        const key = `${from} > ${me.id} ${life}`
        world.volatile.set(key, [...(world.volatile.get(key) ?? []), n])
      },
    },
  })

const Writer = protocol({
  write: event(z.object({ id: z.string(), copies: z.number() })),
  wrote: request(null, z.array(z.string())),
})
interface WriterState {
  readonly wrote: string[]
  readonly sent: Record<string, number>
}
const writer = actor(Writer, {
  durable: true,
  state: (): WriterState => ({ wrote: [], sent: {} }),
  on: {
    write: async ({ id, copies }, me) => {
      for (let copy = 0; copy < copies; copy++) {
        const to = `box/${copy % BOXES}`
        const letter = { from: me.id, n: (me.state.sent[to] = (me.state.sent[to] ?? 0) + 1), id: `${id}.${copy}` }
        if (copy % 4 === 3) await me.ask(me.ref(Box, to), { type: 'parcel', ...letter }, { timeout: 'none' })
        else me.tell(me.ref(Box, to), { type: 'letter', ...letter })
      }
      me.state.wrote.push(id)
    },
    wrote: (_, { state }) => state.wrote,
  },
})

const Scribbler = protocol({ scribble: event(z.object({ notes: z.number() })) })
const scribbler = (life: string) => {
  let n = 0
  return actor(Scribbler, {
    on: {
      scribble: ({ notes }, me) => {
        for (let note = 0; note < notes; note++) me.tell(me.ref(Tray, `tray/${note % BOXES}`), { type: 'note', from: `${me.id} ${life}`, n: ++n })
      },
    },
  })
}

const boxes = Array.from({ length: BOXES }, (_, i) => `box/${i}`)
const writers = Array.from({ length: WRITERS }, (_, i) => `writer/${i}`)

function eachOnceInOrder(sim: Simulation<Letters>): void {
  for (const address of boxes) {
    const { got, wrong } = (sim.committed(address) as BoxState | undefined) ?? { got: [], wrong: [] }
    if (wrong.length > 0) throw new Error(`${address}: ${wrong.join('; ')}`)
    if (new Set(got).size < got.length) throw new Error(`${address} has a letter twice: ${got.join(', ')}`)
  }
}

function neverBack(sim: Simulation<Letters>): void {
  for (const [key, numbers] of sim.world.volatile) {
    for (let i = 1; i < numbers.length; i++) if ((numbers[i] as number) <= (numbers[i - 1] as number)) throw new Error(`${key}: ${numbers.join(', ')}`)
  }
}

async function dictate(sim: Simulation<Letters>, w: number, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const id = `${w}/${n}`
    const copies = Math.floor(sim.random() * 12)
    try {
      await sim.ref(Writer, writers[w] as string).tell({ type: 'write', id, copies })
      sim.world.accepted.push(id)
    } catch (error) {
      if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code))) throw error
    }
    const somewhere = sim.nodes[Math.floor(sim.random() * sim.nodes.length)] as SimulatedNode
    await somewhere.ref(Scribbler, `scribbler/${w}`).tell({ type: 'scribble', notes: Math.floor(sim.random() * 20) }).catch(() => {})
    await sim.sleep(Math.floor(sim.random() ** 2 * 20_000))
  }
}

async function allCame(sim: Simulation<Letters>): Promise<void> {
  const ask = (address: string): Promise<string[]> => sim.insist(() => sim.ref(Writer, address).ask({ type: 'wrote' }, { timeout: 'none' }))
  const wrote = (await Promise.all(writers.map(ask))).flat()
  const lost = sim.world.accepted.filter((id) => !wrote.includes(id))
  if (lost.length > 0) throw new Error(`accepted and never written: ${lost.join(', ')}`)
  if (new Set(wrote).size < wrote.length) throw new Error(`written twice: ${wrote.join(', ')}`)
  // Letters that are on their way come, however long it takes.
  await sim.sleep('10m')
  const sent = writers.flatMap((address) => Object.entries((sim.committed(address) as WriterState | undefined)?.sent ?? {}))
  for (const address of boxes) {
    const { length } = await sim.insist(() => sim.ref(Box, address).ask({ type: 'got' }, { timeout: 'none' }))
    const due = sent.reduce((sum, [to, count]) => sum + (to === address ? count : 0), 0)
    if (length !== due) throw new Error(`${address} has ${length} letters, and ${due} were sent`)
  }
}

export const letters = (each: number): Omit<SimulationOptions<Letters>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [], volatile: new Map() }),
  cast: (troupe: Troupe, sim, node) => {
    const life = `${node} ${sim.node(node).lives}`
    troupe.keyed('box', box)
    troupe.keyed('writer', writer)
    troupe.keyed('tray', tray(sim.world, life))
    troupe.keyed('scribbler', scribbler(life))
  },
  invariants: { 'letters come once, in order': eachOnceInOrder, 'notes never come again': neverBack },
  run: async (sim) => {
    await Promise.all(writers.map((_, w) => dictate(sim, w, each)))
    await allCame(sim)
  },
})
