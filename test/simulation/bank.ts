// A bank whose tellers and accounts are durable, to be broken.
import { z } from 'zod'
import { actor, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import type { SimulatedNode, Simulation, SimulationOptions } from 'troupe/testing'

const ACCOUNTS = 4
const TELLERS = 3
const CENTS = 1_000

const Account = protocol({
  move: request(z.object({ id: z.string(), cents: z.number(), teller: z.string(), n: z.number() }), z.number()),
  balance: request(null, z.number()),
})
interface AccountState {
  cents: number
  seen: string[]
  last: Record<string, number>
  wrong: string[]
}
const account = actor(Account, {
  durable: true,
  state: (): AccountState => ({ cents: CENTS, seen: [], last: {}, wrong: [] }),
  on: {
    move: ({ id, cents, teller, n }, { state }) => {
      if (state.seen.includes(id)) state.wrong.push(`${id} twice`)
      if ((state.last[teller] ?? 0) > n) state.wrong.push(`${id} late`)
      state.seen.push(id)
      state.last[teller] = n
      return (state.cents += cents)
    },
    balance: (_, { state }) => state.cents,
  },
})

const Teller = protocol({
  transfer: event(z.object({ id: z.string(), n: z.number(), out: z.string(), to: z.string() })),
  done: request(null, z.array(z.string())),
})
interface TellerState {
  done: string[]
}
const teller = actor(Teller, {
  durable: true,
  state: (): TellerState => ({ done: [] }),
  on: {
    transfer: async ({ id, n, out, to }, me) => {
      const fee = await me.step('fee', () => 1)
      await me.ask(me.ref(Account, `account/${out}`), { type: 'move', id: `${id}-`, cents: -10 * fee, teller: me.id, n }, { timeout: 'none' })
      await me.ask(me.ref(Account, `account/${to}`), { type: 'move', id: `${id}+`, cents: 10 * fee, teller: me.id, n }, { timeout: 'none' })
      me.state.done.push(id)
    },
    done: (_, me) => me.state.done,
  },
})

export interface Bank {
  readonly accepted: string[]
}
const accounts = Array.from({ length: ACCOUNTS }, (_, i) => `account/${i}`)
const tellers = Array.from({ length: TELLERS }, (_, i) => `teller/${i}`)

const states = (sim: Simulation<Bank>): AccountState[] => accounts.flatMap((address) => (sim.committed(address) as AccountState | undefined) ?? [])

/** Money is on an account, or it has left one and not arrived at the other. */
function conserved(sim: Simulation<Bank>): void {
  const all = states(sim)
  const moves = all.flatMap(({ seen }) => seen)
  const moved = new Set(moves)
  const under = moves.filter((id) => id.endsWith('-') && !moved.has(`${id.slice(0, -1)}+`)).length
  const sum = all.reduce((total, { cents }) => total + cents, 0)
  if (sum !== all.length * CENTS - 10 * under) throw new Error(`${sum} cents on ${all.length} accounts, and ${under} transfers under way`)
}

function inOrder(sim: Simulation<Bank>): void {
  const wrong = states(sim).flatMap((state) => state.wrong)
  if (wrong.length > 0) throw new Error(wrong.join(', '))
}

async function transfers(sim: Simulation<Bank>, count: number): Promise<void> {
  const one = async (t: number): Promise<void> => {
    // Always by the same way in: what is sent through two nodes has no order.
    const way = sim.nodes[t % sim.nodes.length] as SimulatedNode
    for (let n = 0; n < count; n++) {
      const id = `${t}/${n}`
      const [out, to] = [Math.floor(sim.random() * ACCOUNTS), Math.floor(sim.random() * ACCOUNTS)]
      try {
        await way.ref(Teller, tellers[t] as string).tell({ type: 'transfer', id, n, out: String(out), to: String(to) })
        sim.world.accepted.push(id)
      } catch (error) {
        // Whether it was accepted nobody knows, as with any process that dies.
        if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code))) throw error
      }
      if (sim.random() < 0.3) await sim.sleep(Math.floor(sim.random() * 2_000))
    }
  }
  await Promise.all(tellers.map((_, t) => one(t)))
}

async function allDone(sim: Simulation<Bank>): Promise<void> {
  const lists = await Promise.all(tellers.map((address) => sim.insist(() => sim.ref(Teller, address).ask({ type: 'done' }, { timeout: 'none' }))))
  const done = lists.flat()
  const lost = sim.world.accepted.filter((id) => !done.includes(id))
  if (lost.length > 0) throw new Error(`accepted and never done: ${lost.join(', ')}`)
  if (new Set(done).size < done.length) throw new Error(`done twice: ${done.join(', ')}`)
  const balances = await Promise.all(accounts.map((address) => sim.insist(() => sim.ref(Account, address).ask({ type: 'balance' }, { timeout: 'none' }))))
  const sum = balances.reduce((total, cents) => total + cents, 0)
  if (sum !== ACCOUNTS * CENTS) throw new Error(`${sum} cents at the end`)
}

export const bank = (transfersEach: number): Omit<SimulationOptions<Bank>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [] }),
  cast: (troupe: Troupe) => {
    troupe.keyed('account', account)
    troupe.keyed('teller', teller)
  },
  invariants: { 'money is conserved': conserved, 'each move once, in order': inOrder },
  run: async (sim) => {
    await transfers(sim, transfersEach)
    await allDone(sim)
  },
})
