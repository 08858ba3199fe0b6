import { expect, test } from 'vitest'
import { killed, killsOf } from './killed.js'

const KILLS = killsOf(0.3)

interface Report {
  readonly answered: readonly (readonly [id: string, answer: string])[]
  readonly disorder: number
}

test(`conversations that are killed ${KILLS} times answer all that they heard, once, and say so when an answer breaks off`, { timeout: 60_000 + KILLS * 4_000 }, () =>
  killed<Report>('chat', KILLS, ({ kills, told, report: { answered, disorder } }) => {
    const saidOf = (verb: string): string[] => told.flatMap((line) => (line.startsWith(`${verb} `) ? [line.slice(verb.length + 1)] : []))
    const ids = answered.map(([id]) => id)
    expect({
      wrong: saidOf('wrong'),
      lost: saidOf('heard').filter((id) => !ids.includes(id)),
      twice: ids.length - new Set(ids).size,
      incomplete: answered.filter(([, answer]) => answer !== '012345'),
      disorder,
    }).toEqual({ wrong: [], lost: [], twice: 0, incomplete: [], disorder: 0 })
    expect(saidOf('heard').length).toBeGreaterThan(kills)
    expect(saidOf('interrupted').length).toBeGreaterThan(0)
  }))
