/** When a schedule is due: by a cron pattern in a time zone, or every so often. The door to croner, of which only the reckoning is used: time is the clock's. */
import { Cron } from 'croner'
import { milliseconds, type Duration } from '../ground/duration.js'
import { describe, TroupeError } from '../ground/errors.js'

/** `cron` has five fields, or six with seconds before them; `timeZone` is an IANA name, `UTC` unless given. */
/** A timer that fires later than this after its moment was held up: the moment was missed. */
export const ON_TIME_MS = 1_000

export type Rhythm = { readonly cron: string; readonly timeZone?: string; readonly every?: never } | { readonly every: Duration; readonly cron?: never; readonly timeZone?: never }

/** Moments in clock time. */
export interface Due {
  /** The first after `from`; nothing when there is none any more. */
  after(from: number): number | undefined
  /** The last `count` after `from` and up to `to`, in order. */
  last(count: number, from: number, to: number): number[]
}

/** `anchor` is the moment from which `every` counts. Throws `InvalidDefinition` for what cannot be read, or never comes. */
export function due(rhythm: Rhythm, anchor: number): Due {
  if (rhythm.cron === undefined) return everySo(milliseconds(rhythm.every), anchor)
  const told = byPattern(rhythm.cron, rhythm.timeZone ?? 'UTC')
  if (told.after(anchor) === undefined) throw new TroupeError('InvalidDefinition', `the schedule ${JSON.stringify(rhythm.cron)} never comes`, 'give days that are in the months it names')
  return told
}

function everySo(ms: number, anchor: number): Due {
  if (ms < 1) throw new TroupeError('InvalidDefinition', `a schedule every ${ms} ms`, 'give at least 1 ms')
  const next = (from: number): number => anchor + (Math.floor((from - anchor) / ms) + 1) * ms
  return {
    after: next,
    last(count, from, to) {
      const latest = next(to) - ms
      const missed = Math.max(0, Math.min(count, Math.floor((latest - next(from)) / ms) + 1))
      return Array.from({ length: missed }, (_, i) => latest - (missed - 1 - i) * ms)
    },
  }
}

function byPattern(pattern: string, timezone: string): Due {
  let cron: Cron
  try {
    cron = new Cron(pattern, { timezone, paused: true, mode: '5-or-6-parts' })
    cron.nextRun(new Date(0))
  } catch (error) {
    throw new TroupeError('InvalidDefinition', `the schedule ${JSON.stringify(pattern)} in ${timezone} cannot be read: ${describe(error)}`, "write minute, hour, day, month and weekday, such as '30 9 * * MON-FRI', and a time zone such as 'Europe/Berlin'", {}, error)
  }
  return {
    after: (from) => cron.nextRun(new Date(from))?.getTime(),
    last: (count, from, to) =>
      cron
        .previousRuns(count, new Date(to + 1))
        .map((date) => date.getTime())
        .filter((at) => at > from && at <= to)
        .toSorted((a, b) => a - b),
  }
}
