/** Dates and times, resolved against a given now in a given zone. The door to chrono-node, which reads the English ones. */
import { TroupeError } from '../../ground/errors.js'
import { chineseDatesOf } from './chinese-dates.js'
import type { Spanned } from './numbers.js'
import { isoDay, shifted, Zone } from './zones.js'

export interface DateSpan extends Spanned {
  /** `time` when an hour is said, `date` when only the day is. */
  readonly type: 'date' | 'time'
  /** ISO 8601: a day, or an instant with its offset. */
  readonly at: string
  /** The end, where a range is said. */
  readonly until?: string
}
export interface Reference {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly timeZone: string
}

type Chrono = typeof import('chrono-node/en')
type Components = ReturnType<Chrono['parse']>[number]['start']

let loading: Promise<Chrono> | undefined

/** Loaded on first use, once. */
function chrono(): Promise<Chrono> {
  loading ??= import('chrono-node/en').catch((cause: unknown) => {
    loading = undefined
    throw new TroupeError('MissingDependency', 'dates are read by chrono-node, which is not installed', 'npm install chrono-node', { dependency: 'chrono-node' }, cause)
  })
  return loading
}

/** What chrono takes for a date though it is as often a word: `sun`, `sat`, `may`, `march`, `second` by themselves. */
const DOUBTFUL = /^(?:sun|sat|wed|mon|mar|may|march|second|now)$/
/** Chrono reads nothing without one of these. */
const HINT = /\d|\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|to|tonight|tomorrow|tmr|yesterday|noon|midnight|morning|afternoon|evening|night|day|days|week|weeks|weekend|month|months|year|years|hours?|minutes?|half|last|next|this|past)/i
/** Chrono's time grows with the square of a text's length. */
const PIECE = /[^]{1,1000}(?:\s|$)|[^]{1,1000}/gu
const JOINT = /^\s*(?:到|至|~|～|-|—)\s*$/u

export async function datesOf(text: string, { now, timeZone }: Reference): Promise<DateSpan[]> {
  const zone = new Zone(timeZone)
  const chinese = joined(text, chineseDatesOf(text, zone.civilAt(now)).map(({ start, end, at, awayMs }) => ({ start, end, type: at.hour === undefined && awayMs === undefined ? ('date' as const) : ('time' as const), at: awayMs === undefined ? zone.iso(at) : zone.isoAt(now + awayMs) })))
  if (!/\p{Script=Latin}|\d/u.test(text) || !HINT.test(text)) return chinese
  const english = await englishDatesOf(text, now, zone)
  return [...chinese, ...english.filter((span) => !chinese.some((other) => other.start < span.end && span.start < other.end))]
}

/** Two dates with a word for `until` between them are one range. */
function joined(text: string, spans: readonly DateSpan[]): DateSpan[] {
  const result: DateSpan[] = []
  for (const span of spans) {
    const last = result.at(-1)
    const isJoined = last !== undefined && last.until === undefined && last.type === span.type && JOINT.test(text.slice(last.end, span.start))
    const until = isJoined ? notBefore(span, last.at) : undefined
    if (isJoined && until !== undefined) result[result.length - 1] = { ...last, end: span.end, until }
    else result.push(span)
  }
  return result
}

/** From Monday to Wednesday, said on a Tuesday: the Wednesday after that Monday. */
function notBefore({ type, at }: DateSpan, first: string): string | undefined {
  if (at >= first) return at
  const [year = 0, month = 0, day = 0] = at.split('-').map(Number)
  const later = type === 'date' ? isoDay(shifted({ year, month, day }, { days: 7 })) : first
  return later > first ? later : undefined
}

async function englishDatesOf(text: string, now: number, zone: Zone): Promise<DateSpan[]> {
  const { parse } = await chrono()
  const reference = { instant: new Date(now), timezone: zone.offsetAt(now) }
  const found = Array.from(text.matchAll(PIECE)).flatMap((piece) => parse(piece[0], reference, { forwardDate: true }).map(({ text, index, start, end }) => ({ text, index: piece.index + index, start, end })))
  return found.flatMap(({ text: written, index, start, end }) => {
    if (DOUBTFUL.test(written) || (/\p{Script=Han}/u.test(text) && !/[a-z]/i.test(written))) return []
    // `at 12 Baker Street` is no noon.
    if (/^(?:at |from )?\d{1,2}$/i.test(written) && /^\s+\p{Lu}/u.test(text.slice(index + written.length))) return []
    const type = start.isCertain('hour') ? ('time' as const) : ('date' as const)
    return [{ type, start: index, end: index + written.length, at: isoOf(start, zone, type), ...(end != null && { until: isoOf(end, zone, end.isCertain('hour') ? 'time' : type) }) }]
  })
}

function isoOf(said: Components, zone: Zone, type: 'date' | 'time'): string {
  const of = (name: 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second'): number => said.get(name) ?? 0
  // Where the text names a zone, or reckons from now, chrono knows the instant.
  if (type === 'time' && said.isCertain('timezoneOffset')) return zone.isoAt(said.date().getTime())
  return zone.iso({ year: of('year'), month: of('month'), day: of('day'), ...(type === 'time' && { hour: of('hour'), minute: of('minute'), second: of('second') }) })
}
