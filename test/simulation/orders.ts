// Orders that take days: paid steps, asks that may be refused, tells, sleeps, people who answer late or never.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface World {
  /** How often each key was charged, by idempotency key. */
  readonly charges: Map<string, number>
  readonly placed: string[]
  readonly approved: Set<string>
}

const Stock = protocol({
  reserve: request(z.object({ id: z.string(), count: z.number() }), z.number()),
  left: request(null, z.number()),
})
interface StockState {
  left: number
  held: string[]
}
const stock = actor(Stock, {
  durable: true,
  retries: 0,
  state: (): StockState => ({ left: 1_000, held: [] }),
  on: {
    reserve: ({ id, count }, me) => {
      if (count > 8) throw new Error(`${count} is too many`)
      me.state.held.push(id)
      return (me.state.left -= count)
    },
    left: (_, me) => me.state.left,
  },
})

const Book = protocol({ enter: event(z.object({ line: z.string() })), lines: request(null, z.array(z.string())) })
const book = actor(Book, {
  durable: true,
  state: () => ({ lines: [] as string[] }),
  on: { enter: ({ line }, me) => void me.state.lines.push(line), lines: (_, me) => me.state.lines },
})

const Order = protocol({
  place: event(z.object({ count: z.number(), patient: z.boolean() })),
  approve: event(z.object({ by: z.string() })),
  outcome: request(null, z.string()),
})
interface OrderState {
  outcomes: string[]
}

const order = (world: World) =>
  actor(Order, {
    durable: true,
    state: (): OrderState => ({ outcomes: [] }),
    on: {
      place: async ({ count, patient }, me) => {
        const enter = (line: string): void => me.tell(me.ref(Book, 'book'), { type: 'enter', line: `${me.id} ${line}` })
        enter('placed')
        const [charge, reserved] = await Promise.all([
          me.step('charge', ({ idempotencyKey }) => {
            world.charges.set(idempotencyKey, (world.charges.get(idempotencyKey) ?? 0) + 1)
            return idempotencyKey
          }),
          me.ask(me.ref(Stock, 'stock'), { type: 'reserve', id: me.id, count }, { timeout: count > 5 ? 'none' : '3s' }).then(
            (left) => `reserved ${left >= 0}`,
            (error: unknown) => `not reserved: ${error instanceof TroupeError ? error.code : 'unknown'}`,
          ),
        ])
        enter(reserved)
        await me.sleep(count * 60_000)
        enter('waits')
        const approval = await me.waitFor('approve', patient ? {} : { timeout: '1h' }).then(
          ({ by }) => `approved by ${by}`,
          () => 'never approved',
        )
        enter(approval)
        me.state.outcomes.push(`${charge.length > 0} ${reserved} ${approval}`)
      },
      approve: ({ by }, me) => void me.state.outcomes.push(`late approval by ${by}`),
      outcome: (_, me) => me.state.outcomes.join('; '),
    },
  })

async function place(sim: Simulation<World>, n: number): Promise<void> {
  const id = `order/${n}`
  const ref = sim.ref(Order, id)
  const patient = sim.random() < 0.5
  try {
    await ref.tell({ type: 'place', count: Math.floor(sim.random() * 10), patient })
  } catch (error) {
    if (error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code)) return
    throw error
  }
  sim.world.placed.push(id)
  if (!patient && sim.random() < 0.5) return
  await sim.sleep(Math.floor(sim.random() * 900_000))
  // Whoever approves tries until he knows that it was accepted.
  await sim.insist(() => ref.tell({ type: 'approve', by: `p${n}` }))
  sim.world.approved.add(id)
}

async function allEnded(sim: Simulation<World>): Promise<void> {
  // Between nodes a line may still be on its way to the book when its order has ended.
  if (sim.nodes.length > 1) await sim.sleep('1d')
  for (const id of sim.world.placed) {
    const outcome = await sim.insist(() => sim.ref(Order, id).ask({ type: 'outcome' }, { timeout: 'none' }))
    if (outcome.split('reserved').length !== 2) throw new Error(`${id} ended more or less than once: ${outcome}`)
    if (sim.world.approved.has(id) !== outcome.includes('approved by') && !outcome.includes('late')) throw new Error(`${id}: ${outcome}`)
    const lines = (await sim.insist(() => sim.ref(Book, 'book').ask({ type: 'lines' }, { timeout: 'none' }))).filter((line) => line.startsWith(`${id} `))
    const wanted = ['placed', outcome.includes('not reserved') ? 'not reserved' : 'reserved', 'waits', outcome.includes('never') ? 'never' : 'approved']
    if (lines.length !== wanted.length || lines.some((line, i) => !line.startsWith(`${id} ${wanted[i]}`))) throw new Error(`${id} was booked as ${lines.join(', ')}`)
  }
}

/** A charge is repeated when its record was not kept, since the process died or the disk was full: then with the same key. */
const chargedOnce = (roomy: boolean) => (sim: Simulation<World>): void => {
  const twice = [...sim.world.charges].filter(([, times]) => roomy && times > sim.lives)
  if (twice.length > 0) throw new Error(`charged too often: ${JSON.stringify(twice)}`)
  const ids = new Set([...sim.world.charges.keys()].map((key) => key.split('#')[0]))
  if (ids.size < sim.world.charges.size) throw new Error(`one order was charged under two keys: ${[...sim.world.charges.keys()].join(', ')}`)
}

function reservedOnce(sim: Simulation<World>): void {
  const { held } = (sim.committed('stock') as StockState | undefined) ?? { held: [] }
  if (new Set(held).size < held.length) throw new Error(`reserved twice: ${held.join(', ')}`)
}

/** `roomy`: the disk is never full. */
export const orders = (count: number, roomy: boolean): Omit<SimulationOptions<World>, 'seed' | 'faults'> => ({
  world: () => ({ charges: new Map(), placed: [], approved: new Set() }),
  cast: (troupe: Troupe, sim) => {
    troupe.spawn('stock', stock)
    troupe.spawn('book', book)
    troupe.keyed('order', order(sim.world))
  },
  invariants: { 'charged once': chargedOnce(roomy), 'reserved once': reservedOnce },
  run: async (sim) => {
    await Promise.all(Array.from({ length: count }, (_, n) => place(sim, n)))
    await allEnded(sim)
  },
})
