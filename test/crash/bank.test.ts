import { expect, test } from 'vitest'
import { killed, killsOf } from './killed.js'

const KILLS = killsOf(0.4)

interface Report {
  readonly resumed: number
  readonly done: readonly string[]
  readonly accounts: readonly { readonly cents: number; readonly seen: readonly string[]; readonly disorder: number; readonly twice: number }[]
}

test(`a bank that is killed ${KILLS} times loses nothing and pays nothing twice`, { timeout: 60_000 + KILLS * 4_000 }, () =>
  killed<Report>('bank', KILLS, ({ kills, told, report }) => {
    const moves = report.accounts.flatMap(({ seen }) => seen)
    expect({
      cents: report.accounts.reduce((sum, { cents }) => sum + cents, 0),
      twice: report.accounts.reduce((sum, { twice }) => sum + twice, 0),
      disorder: report.accounts.reduce((sum, { disorder }) => sum + disorder, 0),
      lost: told.filter((id) => !report.done.includes(id)),
      doneTwice: report.done.length - new Set(report.done).size,
      halves: report.done.filter((id) => !moves.includes(`${id}-`) || !moves.includes(`${id}+`)),
    }).toEqual({ cents: 8_000, twice: 0, disorder: 0, lost: [], doneTwice: 0, halves: [] })
    expect(told.length).toBeGreaterThan(kills)
  }))
