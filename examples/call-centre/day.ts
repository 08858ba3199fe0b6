/** When people call: the hours and days of a support desk. */
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** How many of a day's calls come in each hour: none at night, most before noon, fewer after lunch. */
const OF_THE_DAY = [0, 0, 0, 0, 0, 0, 1, 3, 7, 11, 12, 10, 7, 8, 9, 9, 8, 6, 4, 3, 2, 0, 0, 0]
/** Monday brings what the weekend left. The simulation begins on a Monday. */
const OF_THE_WEEK = [1.5, 1.15, 1, 1, 0.95, 0.45, 0.3]

const MOST = Math.max(...OF_THE_DAY) * Math.max(...OF_THE_WEEK)

export const hourOf = (ms: number): number => Math.floor((ms % DAY) / HOUR)
export const dayOf = (ms: number): number => Math.floor(ms / DAY)

/** How likely a call is now, from 0 to 1: thins a steady stream of wishes to call into the stream of calls. */
export const eagerness = (ms: number): number => ((OF_THE_DAY[hourOf(ms)] ?? 0) * (OF_THE_WEEK[dayOf(ms) % 7] ?? 1)) / MOST

/** Agents at work in each hour, for a desk of `staff`: the shifts follow the calls, on weekends a third. */
export function onDuty(ms: number, staff: number): number {
  const share = (OF_THE_DAY[hourOf(ms)] ?? 0) / Math.max(...OF_THE_DAY)
  const weekend = dayOf(ms) % 7 > 4 ? 0.45 : 1
  return Math.ceil(staff * weekend * Math.min(1, share + 0.1) * (share === 0 ? 0 : 1))
}
