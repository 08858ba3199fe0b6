/** Wall-clock time in a time zone. */
import { TroupeError } from '../../ground/errors.js'

/** A wall-clock reading; `hour` and `minute` are left out where only the day is said. */
export interface Civil {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour?: number
  readonly minute?: number
  readonly second?: number
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
  } catch (cause) {
    throw new TroupeError('InvalidMessage', `${JSON.stringify(timeZone)} is no time zone`, 'name one of the IANA data base, such as Europe/Paris, or UTC', { timeZone }, cause)
  }
}

export class Zone {
  readonly #format: Intl.DateTimeFormat
  constructor(timeZone: string) {
    this.#format = formatOf(timeZone)
  }

  civilAt(instant: number): Required<Civil> {
    const parts = Object.fromEntries(this.#format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
    const of = (name: string): number => parts[name] ?? 0
    return { year: of('year'), month: of('month'), day: of('day'), hour: of('hour'), minute: of('minute'), second: of('second') }
  }

  /** Minutes that the zone is ahead of UTC at an instant. */
  offsetAt(instant: number): number {
    return Math.round((utcOf(this.civilAt(instant)) - instant) / MINUTE_MS)
  }

  /** The day, or the instant with the zone's offset then. A reading that a change of clocks skips is taken as an hour later. */
  iso(civil: Civil): string {
    if (civil.hour === undefined) return isoDay(civil)
    const wall = utcOf(civil)
    const guess = wall - this.offsetAt(wall) * MINUTE_MS
    const instant = wall - this.offsetAt(guess) * MINUTE_MS
    return this.isoAt(instant)
  }

  isoAt(instant: number): string {
    const { year, month, day, hour, minute, second } = this.civilAt(instant)
    const offset = this.offsetAt(instant)
    const sign = offset < 0 ? '-' : '+'
    return `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}${sign}${pad(Math.trunc(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`
  }
}

const pad = (value: number, width = 2): string => String(value).padStart(width, '0')
export const isoDay = ({ year, month, day }: Civil): string => `${pad(year, 4)}-${pad(month)}-${pad(day)}`
const utcOf = ({ year, month, day, hour = 0, minute = 0, second = 0 }: Civil): number => Date.UTC(year, month - 1, day, hour, minute, second)

/** The calendar day some days, months or years away; a day that the month lacks becomes its last. */
export function shifted({ year, month, day }: Civil, by: { readonly days?: number; readonly months?: number }): Civil {
  const months = year * 12 + month - 1 + (by.months ?? 0)
  const last = new Date(Date.UTC(Math.floor(months / 12), (months % 12) + 1, 0)).getUTCDate()
  const moved = new Date(Date.UTC(Math.floor(months / 12), months % 12, Math.min(day, last)) + (by.days ?? 0) * DAY_MS)
  return { year: moved.getUTCFullYear(), month: moved.getUTCMonth() + 1, day: moved.getUTCDate() }
}

/** 0 is Sunday. */
export const weekdayOf = (civil: Civil): number => new Date(utcOf(civil)).getUTCDay()

/** Whether the calendar has this day. */
export const isDay = ({ year, month, day }: Civil): boolean => month >= 1 && month <= 12 && day >= 1 && shifted({ year, month, day: 1 }, { days: day - 1 }).month === month
