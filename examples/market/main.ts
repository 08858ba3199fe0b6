/**
 * A market whose traders know nothing of each other, and find the textbook's price by trading.
 *
 *   node dist-examples/market/main.js [--seed 1] [--traders 200] [--days 10]
 */
import { parseArgs } from 'node:util'
import { runMarket } from './market.js'

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, traders: { type: 'string', default: '200' }, days: { type: 'string', default: '10' } } })
const { equilibrium, days, digest } = await runMarket({ seed: Number(values.seed), traders: Number(values.traders), days: Number(values.days) })
console.log(`${values.traders} traders, seed ${values.seed}; demand meets supply at ${equilibrium.toFixed(1)}`)
console.log('day  trades  mean price  efficiency')
for (const [i, { trades, meanPrice, efficiency }] of days.entries()) {
  console.log(`${String(i + 1).padStart(3)}  ${String(trades).padStart(6)}  ${meanPrice.toFixed(1).padStart(10)}  ${(100 * efficiency).toFixed(1).padStart(8)} %`)
}
console.log(`run  ${digest.slice(0, 16)}`)
