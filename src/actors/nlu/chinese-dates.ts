/** Dates and times as Chinese writes them. chrono's Chinese misses 后天, 两周后, 上个月 and ranges of weekdays. */
import { hanNumber, type Spanned } from './numbers.js'
import { isDay, shifted, weekdayOf, type Civil } from './zones.js'

export interface CivilSpan extends Spanned {
  readonly at: Civil
  /** An instant reckoned from now, in milliseconds away from it: no wall clock decides it. */
  readonly awayMs?: number
}

const N = '(?:\\d{1,4}|[零〇一二两三四五六七八九十]{1,4})'
const WEEK = '(?:周|星期|礼拜)'
const DAY_WORDS: Readonly<Record<string, number>> = { 大前天: -3, 前天: -2, 昨天: -1, 昨日: -1, 昨晚: -1, 今天: 0, 今日: 0, 今晚: 0, 今早: 0, 明天: 1, 明日: 1, 明晚: 1, 明早: 1, 后天: 2, 大后天: 3 }
const RELATIVE: Readonly<Record<string, number>> = { 上上: -2, 上: -1, 前: -2, 去: -1, 这: 0, 本: 0, 今: 0, 下: 1, 明: 1, 下下: 2, 后: 2 }

const DAY = [
  `(?<iso>\\d{4}[-/.]\\d{1,2}[-/.]\\d{1,2})`,
  `(?:(?<year>\\d{4}|[零〇一二三四五六七八九]{4}|[今明去前后])年)?(?<month>${N}|(?:上上|下下|[上下这本])个?)月(?:份)?(?:(?<day>${N})[日号])?`,
  `(?<word>大?前天|昨[天日晚]|今[天日晚早]|明[天日晚早]|大?后天)`,
  `(?<which>上上|下下|[上下这本])?个?(?:${WEEK}(?<weekday>[一二三四五六日天1-6])|(?<weekend>周末))`,
  `(?<away>${N})(?:个)?(?<unit>天|日|周|星期|礼拜|月|年)(?:之|以)?(?<side>[后前])`,
].join('|')
const PERIOD = '凌晨|清晨|早上|早晨|上午|中午|下午|傍晚|晚上|夜里|早|晚'
const TIME = `(?<period>${PERIOD})?的?(?<hour>${N})(?:点|时(?!间|候)|[:：](?=\\d{2}))(?:(?<half>半)|(?<quarter>[一三])刻|(?<minute>${N})分?)?(?:钟|整)?`
const WHEN = new RegExp(`(?<![\\d.:：/-])(?:(?:${DAY})(?:[的，,\\s]{0,2}(?:${TIME}))?|(?:${unnamed(TIME)})|(?:(?<soon>${N})个?|(?=半))(?<small>半?个?小时|半?个?钟头|分钟)(?:之|以)?(?<smallSide>[后前]))(?![:：]?\\d)`, 'gu')

/** The same words under other names, since one expression names each group once. */
function unnamed(source: string): string {
  return source.replaceAll(/\(\?<(\w+)>/g, '(?<only_$1>')
}

type Groups = Readonly<Record<string, string | undefined>>

export function chineseDatesOf(text: string, now: Civil): CivilSpan[] {
  if (!/\p{Script=Han}/u.test(text)) return []
  return Array.from(text.matchAll(WHEN)).flatMap((match) => {
    const groups = (match.groups ?? {}) as Groups
    const span = { start: match.index, end: match.index + match[0].length }
    if (groups['small'] !== undefined) return [{ ...span, at: now, awayMs: soonMs(groups) }]
    const isTimeOnly = groups['only_hour'] !== undefined
    // 一点 alone is `a little` more often than one o'clock.
    if (match[0] === '一点') return []
    const day = isTimeOnly ? now : dayOf(groups, now)
    if (day === undefined || !isDay(day)) return []
    const time = timeOf(groups, isTimeOnly ? 'only_' : '', /[晚]$/u.test(groups['word'] ?? '') ? '晚上' : undefined)
    if (time === null) return []
    if (isTimeOnly && time !== undefined && groups['only_period'] === undefined) return [{ ...span, at: nextOf(time, now) }]
    if (!isTimeOnly && match[0] === `${groups['month']}月` && groups['day'] === undefined && groups['year'] === undefined && /^\d|^[零一二三四五六七八九十]/u.test(groups['month'] ?? '') && hanOrDigits(groups['month'] ?? '') > 12) return []
    return [{ ...span, at: { year: day.year, month: day.month, day: day.day, ...time } }]
  })
}

/** Half past three, said at noon, is in the afternoon; said in the evening, it is tomorrow's. */
function nextOf({ hour, minute }: { readonly hour: number; readonly minute: number }, now: Civil): Civil {
  const passed = (now.hour ?? 0) * 60 + (now.minute ?? 0)
  const today = { year: now.year, month: now.month, day: now.day }
  if (hour * 60 + minute >= passed) return { ...today, hour, minute }
  if (hour < 12 && (hour + 12) * 60 + minute >= passed) return { ...today, hour: hour + 12, minute }
  return { ...shifted(now, { days: 1 }), hour, minute }
}

const hanOrDigits = (written: string): number => (/^\d+$/.test(written) ? Number(written) : (hanNumber(written) ?? NaN))

function soonMs(groups: Groups): number {
  const small = groups['small'] ?? ''
  const minutes = hanOrDigits(groups['soon'] ?? '0') * (small === '分钟' ? 1 : 60) + (small.startsWith('半') ? 30 : 0)
  return (groups['smallSide'] === '前' ? -minutes : minutes) * 60_000
}

function dayOf(groups: Groups, now: Civil): Civil | undefined {
  const { iso, word, weekday, weekend, which, away, unit, side } = groups
  if (iso !== undefined) {
    const [year = 0, month = 0, day = 0] = iso.split(/[-/.]/).map(Number)
    return { year, month, day }
  }
  if (word !== undefined) return shifted(now, { days: DAY_WORDS[word] ?? 0 })
  if (weekday !== undefined || weekend !== undefined) {
    const wanted = weekend === undefined ? ('一二三四五六'.indexOf(weekday ?? '') + 1 || Number(weekday) || 7) : 6
    const today = weekdayOf(now) || 7
    const weeks = which === undefined ? (wanted < today ? 1 : 0) : (RELATIVE[which] ?? 0)
    return shifted(now, { days: wanted - today + weeks * 7 })
  }
  if (away !== undefined) {
    const count = hanOrDigits(away) * (side === '前' ? -1 : 1)
    if (unit === '天' || unit === '日') return shifted(now, { days: count })
    if (unit === '月' || unit === '年') return shifted(now, { months: count * (unit === '年' ? 12 : 1) })
    return shifted(now, { days: count * 7 })
  }
  return monthOf(groups, now)
}

function monthOf({ year, month = '', day }: Groups, now: Civil): Civil | undefined {
  const relative = RELATIVE[month.replace('个', '')]
  const first = { ...now, day: 1 }
  const base = relative === undefined ? { ...first, month: hanOrDigits(month) } : shifted(first, { months: relative })
  const said = year === undefined ? undefined : (RELATIVE[year] === undefined ? hanOrDigits(year) : now.year + (RELATIVE[year] ?? 0))
  const date = { ...base, year: said ?? base.year, day: day === undefined ? 1 : hanOrDigits(day) }
  if (!isDay(date)) return undefined
  const isPast = date.month < now.month || (date.month === now.month && date.day < now.day && day !== undefined)
  // A day without a year is the next one of that name.
  return said === undefined && relative === undefined && isPast ? { ...date, year: date.year + 1 } : date
}

/** The time said; nothing when none is, null when it cannot be. */
function timeOf(groups: Groups, prefix: string, evening: string | undefined): { readonly hour: number; readonly minute: number } | undefined | null {
  const of = (name: string): string | undefined => groups[`${prefix}${name}`]
  const written = of('hour')
  if (written === undefined) return undefined
  const period = of('period') ?? evening
  const hour = hanOrDigits(written)
  const minute = of('half') !== undefined ? 30 : of('quarter') !== undefined ? (of('quarter') === '三' ? 45 : 15) : of('minute') === undefined ? 0 : hanOrDigits(of('minute') ?? '')
  if (!(hour <= 24 && minute < 60)) return null
  const isLater = period !== undefined && /下午|傍晚|晚|夜/u.test(period) && hour < 12 && !(period === '夜里' && hour < 6)
  const isNoon = period === '中午' && hour < 4
  return { hour: (isLater || isNoon ? hour + 12 : hour) % 24, minute }
}
