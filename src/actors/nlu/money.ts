/** Amounts of money: a number with a currency before or after it. */
import { hanNumber, type NumberSpan, type Spanned } from './numbers.js'

export interface MoneySpan extends Spanned {
  readonly number: number
  /** ISO 4217. */
  readonly unit: string
}

const SIGNS: Readonly<Record<string, string>> = { $: 'USD', US$: 'USD', A$: 'AUD', C$: 'CAD', HK$: 'HKD', '€': 'EUR', '£': 'GBP', '₹': 'INR', '₩': 'KRW', '￥': 'CNY' }
const WORDS: readonly (readonly [RegExp, string, number])[] = [
  [/^\s?(?:US\s)?(?:dollars?|bucks?)\b/i, 'USD', 1],
  [/^\s?cents?\b/i, 'USD', 0.01],
  [/^\s?(?:euros?\b|€|欧元)/i, 'EUR', 1],
  [/^\s?(?:pounds?(?:\ssterling)?\b|quid\b|£|英镑)/i, 'GBP', 1],
  [/^\s?(?:yuan|renminbi|rmb)\b/i, 'CNY', 1],
  [/^\s?yen\b|^\s?日元/i, 'JPY', 1],
  [/^\s?rupees?\b/i, 'INR', 1],
  [/^\s?美元|^\s?美金/, 'USD', 1],
  [/^\s?港[币元]/, 'HKD', 1],
  [/^\s?(?:人民币|块钱|元钱|块|元)/, 'CNY', 1],
  [/^\s?[毛角]/, 'CNY', 0.1],
]
const CODES = /^\s?(USD|EUR|GBP|CNY|RMB|JPY|INR|CAD|AUD|CHF|HKD|KRW|SEK|NOK|DKK|PLN|BRL|MXN|SGD|NZD|ZAR)(?![\p{L}\p{N}])/u
const CODE_BEFORE = /(?<![\p{L}\p{N}])(USD|EUR|GBP|CNY|RMB|JPY|INR|CAD|AUD|CHF|HKD|KRW|SEK|NOK|DKK|PLN|BRL|MXN|SGD|NZD|ZAR)\s?$/u
const SIGN_BEFORE = /(?:US|HK|A|C)?\$\s?$|[€£₹₩¥￥]\s?$/u
/** A digit right after 块 counts tenths. */
const TENTHS = /^块([一二三四五六七八九1-9])(?![十百千万\p{N}])/u

export function moneyOf(text: string, numbers: readonly NumberSpan[]): MoneySpan[] {
  return [...numbers, ...stuckToSigns(text)].flatMap((span) => amountAt(text, span) ?? [])
}

/** A number right behind a currency code without a space is no number by itself. */
const stuckToSigns = (text: string): NumberSpan[] =>
  Array.from(text.matchAll(/(?<=(?:USD|EUR|GBP|CNY|RMB|JPY))\d+(?:\.\d+)?/g), (match) => ({ start: match.index, end: match.index + match[0].length, number: Number(match[0]) }))

function amountAt(text: string, { start, end, number }: NumberSpan): MoneySpan | undefined {
  const before = text.slice(Math.max(0, start - 5), start)
  const after = text.slice(end, end + 16)
  const sign = SIGN_BEFORE.exec(before)?.[0]
  const codeBefore = CODE_BEFORE.exec(before)
  const lead = sign ?? codeBefore?.[0]
  if (lead !== undefined) return { start: start - lead.length, end, number, unit: codeBefore === null ? signed(lead.trim(), text) : iso(codeBefore[1] as string) }
  const code = CODES.exec(after)
  if (code !== null) return { start, end: end + code[0].length, number, unit: iso(code[1] as string) }
  const tenths = TENTHS.exec(after)
  if (tenths !== null) return { start, end: end + tenths[0].length, number: Number((number + tenthsOf(tenths[1] as string)).toFixed(2)), unit: 'CNY' }
  for (const [word, unit, factor] of WORDS) {
    const found = word.exec(after)
    if (found !== null) return { start, end: end + found[0].length, number: Number((number * factor).toPrecision(15)), unit }
  }
  return undefined
}

const tenthsOf = (digit: string): number => (hanNumber(digit) ?? Number(digit)) / 10
const iso = (code: string): string => (code === 'RMB' ? 'CNY' : code)
const signed = (sign: string, text: string): string => SIGNS[sign] ?? (/\p{Script=Han}/u.test(text) && !/\p{Script=Hiragana}/u.test(text) ? 'CNY' : 'JPY')
