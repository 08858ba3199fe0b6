import { expect, test } from 'vitest'
import { killed, killsOf } from './killed.js'

const KILLS = killsOf(0.3)

interface Tally {
  readonly seen: readonly string[]
  readonly disorder: number
  readonly twice: number
}
interface Report {
  readonly done: readonly string[]
  readonly stocks: readonly Tally[]
  readonly shipped: Tally
  readonly bill: readonly string[]
}

/** What was paid again after its result had been given to the handler, and with that recorded. */
function paidAgain(bill: readonly string[]): string[] {
  const had = new Set<string>()
  return bill.filter((line) => {
    const [verb, ...what] = line.split(' ')
    if (verb === 'had') had.add(what.join(' '))
    return verb === 'paid' && had.has(what.join(' '))
  })
}

test(`orders that are killed ${KILLS} times are each carried out once, and pay for nothing again that they have`, { timeout: 60_000 + KILLS * 4_000 }, () =>
  killed<Report>('orders', KILLS, ({ kills, told, report: { done, stocks, shipped, bill } }) => {
    const reserved = new Set(stocks.flatMap(({ seen }) => seen))
    const paid = bill.filter((line) => line.startsWith('paid '))
    expect({
      lost: told.filter((id) => !done.includes(id)),
      doneTwice: done.length - new Set(done).size,
      twice: [...stocks, shipped].reduce((sum, { twice }) => sum + twice, 0),
      disorder: [...stocks, shipped].reduce((sum, { disorder }) => sum + disorder, 0),
      notShipped: done.filter((id) => !shipped.seen.includes(id)),
      notReserved: done.filter((id) => !reserved.has(id)),
      unpaid: done.filter((id) => !paid.includes(`paid letter ${id}`) || !paid.includes(`paid charge ${id}`)),
      paidAgain: paidAgain(bill),
    }).toEqual({ lost: [], doneTwice: 0, twice: 0, disorder: 0, notShipped: [], notReserved: [], unpaid: [], paidAgain: [] })
    expect(told.length).toBeGreaterThan(kills)
    // What was cut off between its payment and its record is paid again: at most what was under way at a kill, one for each desk.
    expect(paid.length - new Set(paid).size).toBeLessThanOrEqual(4 * kills)
  }))
