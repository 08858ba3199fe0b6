/**
 * A support desk and its customers, for a month of virtual time: prints what came of it, and draws it.
 *
 *   node dist-examples/call-centre/main.js [--seed 1] [--customers 10000] [--days 30] [--staff 28] [--out call-centre.svg]
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { runCentre } from './centre.js'
import { plot } from './plot.js'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    customers: { type: 'string', default: '10000' },
    days: { type: 'string', default: '30' },
    staff: { type: 'string', default: '28' },
    out: { type: 'string', default: 'call-centre.svg' },
  },
})
const setting = { seed: Number(values.seed), customers: Number(values.customers), days: Number(values.days), staff: Number(values.staff) }
const began = performance.now()
const { metrics, steps, digest } = await runCentre(setting)
const { calls, abandoned, meanWaitS, service, longestQueue, mood, left } = metrics.summary
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

console.log(`${setting.customers} customers, ${setting.days} days, ${setting.staff} agents at the busiest hour, seed ${setting.seed}`)
console.log(`calls                     ${calls}`)
console.log(`given up                  ${abandoned} (${percent(abandoned / calls)})`)
console.log(`answered within a minute  ${percent(service)}`)
console.log(`mean wait                 ${meanWaitS.toFixed(1)} s`)
console.log(`longest queue             ${longestQueue}`)
console.log(`mood at the end           ${mood.toFixed(3)}, ${left} customers have left`)
console.log(`run                       ${digest.slice(0, 16)}`)
process.stderr.write(`${steps} steps in ${((performance.now() - began) / 1_000).toFixed(1)} s\n`)

await writeFile(values.out, plot(metrics.hours, `Support desk: ${setting.customers} customers, ${setting.days} days, seed ${setting.seed}`))
console.log(`drawn in ${values.out}`)
