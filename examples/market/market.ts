/** A market of traders who talk by messages alone, beside what the textbook says that they end with. */
import { simulate } from 'troupe/testing'
import { exchange, Exchange } from './exchange.js'
import { trader, Trader, type Role } from './trader.js'

export interface Day {
  trades: number
  meanPrice: number
  /** What buyers and sellers gained together, of the most that they could. */
  efficiency: number
}

export interface Outcome {
  readonly equilibrium: number
  readonly days: readonly Day[]
  readonly digest: string
}

const HOUR = 3_600_000
const HOURS = 8 * HOUR

export async function runMarket({ seed, traders, days }: { readonly seed: number; readonly traders: number; readonly days: number }): Promise<Outcome> {
  const book: { price: number; surplus: number }[][] = []
  let roles: Role[] = []
  const { digest } = await simulate({
    seed,
    cast: (troupe, sim) => {
      roles = Array.from({ length: traders }, (_, i) => ({ side: i % 2 === 0 ? 'buyer' : 'seller', limit: Math.round(50 + 150 * sim.random()) }))
      const ref = troupe.spawn('exchange', exchange)
      for (const [i, role] of roles.entries()) troupe.spawn(`trader/${i}`, trader(ref, role, (price, surplus) => book.at(-1)?.push({ price, surplus })))
    },
    run: async (sim) => {
      for (let day = 0; day < days; day++) {
        book.push([])
        for (let i = 0; i < traders; i++) await sim.ref(Trader, `trader/${i}`).tell({ type: 'day', until: sim.now() + HOURS })
        // Whoever offers in the last moment waits a while longer.
        await sim.sleep(HOURS + HOUR)
        await sim.ref(Exchange, 'exchange').tell({ type: 'close' })
      }
    },
  })
  const { price, surplus } = textbook(roles)
  return { equilibrium: price, digest, days: book.map((trades) => dayOf(trades, surplus)) }
}

/** Each trade is told by both sides. */
function dayOf(told: readonly { price: number; surplus: number }[], most: number): Day {
  const sum = (of: (one: { price: number; surplus: number }) => number): number => told.reduce((total, one) => total + of(one), 0)
  return { trades: told.length / 2, meanPrice: sum((one) => one.price) / Math.max(1, told.length), efficiency: sum((one) => one.surplus) / most }
}

/** Where demand meets supply, and what all would gain there. */
function textbook(roles: readonly Role[]): { readonly price: number; readonly surplus: number } {
  const values = roles.filter(({ side }) => side === 'buyer').map(({ limit }) => limit).toSorted((a, b) => b - a)
  const costs = roles.filter(({ side }) => side === 'seller').map(({ limit }) => limit).toSorted((a, b) => a - b)
  let surplus = 0
  let price = 0
  for (let i = 0; i < Math.min(values.length, costs.length); i++) {
    const [value, cost] = [values[i] as number, costs[i] as number]
    if (value < cost) break
    surplus += value - cost
    price = (value + cost) / 2
  }
  return { price, surplus }
}
