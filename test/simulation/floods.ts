// More mail between nodes than small mailboxes hold, and watchers of actors elsewhere, to be broken: who sends waits or is told, and every wait ends.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface Floods {
  /** What a sender was told of each drop: accepted, or a code. */
  readonly told: Map<string, string>
  /** How often a volatile basin took each drop, over all lives. */
  readonly taken: Map<string, number>
  readonly endings: string[]
}

const Basin = protocol({ drop: event(z.object({ id: z.string(), water: z.string() })), full: request(null, z.array(z.string())) })
interface BasinState {
  readonly got: string[]
}
const cistern = actor(Basin, {
  durable: true,
  mailbox: { capacity: 8 },
  state: (): BasinState => ({ got: [] }),
  on: { drop: ({ id }, { state }) => void state.got.push(id), full: (_, { state }) => state.got },
})
const puddle = (world: Floods, overflow: 'wait' | 'reject') =>
  actor(Basin, {
    mailbox: { capacity: 8, overflow },
    on: {
      drop: async ({ id }, me) => {
        world.taken.set(id, (world.taken.get(id) ?? 0) + 1)
        if (id.endsWith('7')) await me.sleep(50)
      },
      full: () => [],
    },
  })

const Spring = protocol({ pour: event(z.object({ id: z.string(), drops: z.number() })), poured: request(null, z.array(z.string())) })
const spring = actor(Spring, {
  durable: true,
  state: () => ({ poured: [] as string[] }),
  on: {
    pour: ({ id, drops }, me) => {
      for (let n = 0; n < drops; n++) {
        me.tell(me.ref(Basin, `cistern/${n % 3}`), { type: 'drop', id: `${id}.${n}`, water: '' })
        me.state.poured.push(`${id}.${n}`)
      }
    },
    poured: (_, me) => me.state.poured,
  },
})

/** A wave of drops from outside, none of which waits for the one before. */
async function wave(sim: Simulation<Floods>, n: number): Promise<void> {
  await sim.sleep(Math.floor(sim.random() * 60_000))
  const kind = (['puddle', 'pond', 'cistern'] as const)[n % 3] as string
  const water = sim.random() < 0.2 ? 'w'.repeat(100_000) : ''
  const ref = sim.ref(Basin, `${kind}/${n % 4}`)
  const one = async (drop: number): Promise<void> => {
    const id = `${kind} ${n}.${drop}`
    try {
      await ref.tell({ type: 'drop', id, water })
      sim.world.told.set(id, 'accepted')
    } catch (error) {
      if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled', 'NoSuchActor'].includes(error.code))) throw error
      sim.world.told.set(id, error.code)
    }
  }
  await Promise.all(Array.from({ length: Math.floor(sim.random() ** 3 * 120) }, (_, drop) => one(drop)))
}

async function watched(sim: Simulation<Floods>, n: number): Promise<void> {
  await sim.sleep(Math.floor(sim.random() * 60_000))
  const address = `pond/${n % 4}`
  const controller = new AbortController()
  const giveUp = sim.sleep('10m').then(() => controller.abort())
  // Somebody stops it after a while, so that there is an end to see.
  void sim.sleep(Math.floor(sim.random() * 20_000)).then(() => sim.ref(Basin, address).stop()).catch(() => {})
  try {
    sim.world.endings.push((await sim.ref(Basin, address).watch({ signal: controller.signal })).kind)
  } catch (error) {
    if (!(error instanceof TroupeError && ['Interrupted', 'Cancelled'].includes(error.code))) throw error
    sim.world.endings.push(error.code)
  }
  await giveUp
}

function onceAtMost(sim: Simulation<Floods>): void {
  for (const [id, times] of sim.world.taken) if (times > 1) throw new Error(`${id} was taken ${times} times`)
  for (let c = 0; c < 4; c++) {
    const { got } = (sim.committed(`cistern/${c}`) as BasinState | undefined) ?? { got: [] }
    if (new Set(got).size < got.length) throw new Error(`cistern/${c} has a drop twice: ${got.filter((id, i) => got.indexOf(id) !== i).join(', ')}`)
  }
}

async function allThere(sim: Simulation<Floods>): Promise<void> {
  await sim.sleep('30m')
  const list = <T>(addresses: readonly string[], ask: (address: string) => Promise<T[]>): Promise<T[]> => Promise.all(addresses.map((address) => sim.insist(() => ask(address)))).then((lists) => lists.flat())
  const got = new Set(await list(['cistern/0', 'cistern/1', 'cistern/2', 'cistern/3'], (address) => sim.ref(Basin, address).ask({ type: 'full' }, { timeout: 'none' })))
  const poured = await list(['spring/0', 'spring/1'], (address) => sim.ref(Spring, address).ask({ type: 'poured' }, { timeout: 'none' }))
  const accepted = [...sim.world.told].flatMap(([id, told]) => (told === 'accepted' && id.startsWith('cistern') ? [id] : []))
  const lost = [...poured, ...accepted].filter((id) => !got.has(id))
  if (lost.length > 0) throw new Error(`accepted and lost: ${lost.join(', ')}`)
}

export const floods = (waves: number): Omit<SimulationOptions<Floods>, 'seed' | 'faults'> => ({
  world: () => ({ told: new Map(), taken: new Map(), endings: [] }),
  cast: (troupe: Troupe, sim) => {
    troupe.keyed('cistern', cistern)
    troupe.keyed('puddle', puddle(sim.world, 'reject'))
    troupe.keyed('pond', puddle(sim.world, 'wait'))
    troupe.keyed('spring', spring)
  },
  invariants: { 'no drop falls twice': onceAtMost },
  run: async (sim) => {
    const pour = async (n: number): Promise<void> => {
      await sim.sleep(Math.floor(sim.random() * 60_000))
      await sim.ref(Spring, `spring/${n % 2}`).tell({ type: 'pour', id: `s${n}`, drops: Math.floor(sim.random() * 60) }).catch(() => {})
    }
    await Promise.all(Array.from({ length: waves }, (_, n) => [wave(sim, n), pour(n), watched(sim, n)]).flat())
    await allThere(sim)
  },
})
