/** The whole simulation: some thousand customers, one desk, a month. */
import { simulate } from 'troupe/testing'
import { Customer, customer } from './customer.js'
import { DAY, HOUR } from './day.js'
import { desk, Roster, roster } from './desk.js'
import { Metrics } from './metrics.js'

export interface Setting {
  readonly seed: number
  readonly customers: number
  readonly days: number
  readonly staff: number
}

export async function runCentre({ seed, customers, days, staff }: Setting): Promise<{ readonly metrics: Metrics; readonly steps: number; readonly digest: string }> {
  // A Monday.
  const start = Date.UTC(2026, 0, 5)
  const metrics = new Metrics(start, (days * DAY) / HOUR)
  const report = await simulate({
    seed,
    start,
    steps: Infinity,
    cast: (troupe) => {
      const desks = troupe.spawn('desk', desk(metrics))
      troupe.spawn('roster', roster(desks, staff, start))
      troupe.keyed('customer', customer(desks, seed, start, metrics))
    },
    run: async (sim) => {
      await sim.ref(Roster, 'roster').tell({ type: 'begin' })
      for (let n = 0; n < customers; n++) await sim.ref(Customer, `customer/${n}`).tell({ type: 'live' })
      await sim.sleep(days * DAY)
    },
  })
  return { metrics, steps: report.steps, digest: report.digest }
}
