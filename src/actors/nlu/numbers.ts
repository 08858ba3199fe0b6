/** Numbers in digits and in words, English and Chinese, with their places and values. */

export interface Spanned {
  readonly start: number
  readonly end: number
}
export interface NumberSpan extends Spanned {
  readonly number: number
}

const UNITS = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ')
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')
const SCALES: Readonly<Record<string, number>> = { hundred: 100, thousand: 1e3, million: 1e6, billion: 1e9, trillion: 1e12 }
/** Between the words of one number there is at most a hyphen or a space, and `and` after a hundred or more. */
const WORD = /[a-z]+/gi
const GAP = /^(?:\s+|-|\s+and\s+)$/i

const DIGITS = /(?<![\p{L}\p{N}_.,/:#-])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:\s?(?:thousand|million|billion|trillion)\b|[千万亿]+|[kK](?![\p{L}\p{N}]))?(?![\p{N}_千万亿]|[.,:/-]\d|st\b|nd\b|rd\b|th\b)/gu
const HAN_DIGITS = '零一二三四五六七八九'
const HAN_SCALES: Readonly<Record<string, number>> = { 十: 10, 百: 100, 千: 1e3 }
const HAN_LARGE: Readonly<Record<string, number>> = { 万: 1e4, 亿: 1e8 }
const HAN_NUMBER = /[零〇一二两三四五六七八九十百千万亿]+(?:点[零〇一二三四五六七八九]+)?/gu
/** What is counted: a single Chinese numeral is a number before one of these, and part of a word elsewhere. */
const MEASURE = /^[个位张人名间件本份杯只条台部家次天周月年岁块元号点分秒米斤]/u
/** Words before `one` that make it a pronoun. */
const PRONOUN = /\b(?:the|this|that|which|no|any|every|each|some|other|another|first|last|next|good|new)\s+$/i

export function numbersOf(text: string): NumberSpan[] {
  return [...digitsOf(text), ...wordsOf(text), ...hanOf(text)].toSorted((a, b) => a.start - b.start)
}

function digitsOf(text: string): NumberSpan[] {
  return Array.from(text.matchAll(DIGITS), (match) => {
    const [whole] = match
    const scale = /[\p{L}]+$/u.exec(whole)?.[0] ?? ''
    const value = Number(whole.slice(0, whole.length - scale.length).replaceAll(',', '').replace('−', '-').trim())
    return { start: match.index, end: match.index + whole.length, number: round(value * scaleOf(scale)) }
  })
}

const scaleOf = (word: string): number =>
  word === '' ? 1 : /^k$/i.test(word) ? 1e3 : (SCALES[word.toLowerCase()] ?? Array.from(word).reduce((product, each) => product * (HAN_SCALES[each] ?? HAN_LARGE[each] ?? 1), 1))

/** Products of decimals and scales, without the last digits that binary fractions add. */
const round = (value: number): number => Number(value.toPrecision(15))

/** What a word is within a number; undefined when it is not within one. */
function rankOf(word: string): { readonly value: number; readonly scale: boolean } | undefined {
  const unit = UNITS.indexOf(word)
  if (unit >= 0) return { value: unit, scale: false }
  const tens = TENS.indexOf(word)
  if (tens >= 0) return { value: (tens + 2) * 10, scale: false }
  const scale = Object.hasOwn(SCALES, word) ? SCALES[word] : undefined
  return scale === undefined ? undefined : { value: scale, scale: true }
}

function wordsOf(text: string): NumberSpan[] {
  const spans: NumberSpan[] = []
  const words = Array.from(text.matchAll(WORD), (match) => ({ word: match[0].toLowerCase(), start: match.index, end: match.index + match[0].length }))
  for (let at = 0; at < words.length; at++) {
    const first = words[at] as (typeof words)[number]
    const opens = rankOf(first.word)
    const article = /^an?$/.test(first.word) && rankOf(words[at + 1]?.word ?? '')?.scale === true
    if ((opens === undefined || opens.scale) && !article) continue
    let total = 0
    let current = article ? 1 : (opens?.value ?? 0)
    let end = first.end
    while (at + 1 < words.length) {
      const and = words[at + 1]?.word === 'and' ? 1 : 0
      const next = words[at + 1 + and]
      const rank = next === undefined ? undefined : rankOf(next.word)
      if (next === undefined || rank === undefined || !GAP.test(text.slice(end, next.start))) break
      if (and === 1 && (rank.scale || total + current < 100 || current % 100 !== 0)) break
      if (!rank.scale && !follows(current, rank.value)) break
      if (!rank.scale) current += rank.value
      else if (rank.value === 100) current *= 100
      else [total, current] = [total + current * rank.value, 0]
      end = next.end
      at += 1 + and
    }
    if (first.word === 'one' && end === first.end && (PRONOUN.test(text.slice(0, first.start)) || !/^\s+\p{L}/u.test(text.slice(end)))) continue
    spans.push({ start: first.start, end, number: total + current })
  }
  return spans
}

/** `twenty` may be followed by `five`, `one hundred` by `twelve`; `five` by neither. */
const follows = (current: number, next: number): boolean => (next < 10 ? current % 10 === 0 && current % 100 !== 10 && (current === 0 || current >= 20) : current % 100 === 0)

function hanOf(text: string): NumberSpan[] {
  const spans: NumberSpan[] = []
  for (const match of text.matchAll(HAN_NUMBER)) {
    const end = match.index + match[0].length
    const number = hanNumber(match[0])
    if (number === undefined) continue
    if (/\d$/.test(text.slice(0, match.index))) continue
    if (match[0].length === 1 && !MEASURE.test(text.slice(end))) continue
    spans.push({ start: match.index, end, number })
  }
  return spans
}

/** The value of a Chinese numeral, digit by digit (二〇二六) or with its scales (三千五百); undefined for a scale alone. */
export function hanNumber(written: string): number | undefined {
  const [whole = '', fraction] = written.replaceAll('〇', '零').replaceAll('两', '二').split('点')
  const decimals = fraction === undefined ? 0 : Number(`0.${Array.from(fraction, (each) => HAN_DIGITS.indexOf(each)).join('')}`)
  if (/^[零一二三四五六七八九]+$/u.test(whole)) return Number(Array.from(whole, (each) => HAN_DIGITS.indexOf(each)).join('')) + decimals
  if (/^[百千万亿]/u.test(whole)) return undefined
  let total = 0
  let section = 0
  let digit: number | undefined
  let last = 1
  for (const each of whole) {
    const scale = HAN_SCALES[each]
    const large = HAN_LARGE[each]
    if (scale !== undefined) {
      section += (digit ?? 1) * scale
      digit = undefined
      last = scale
    } else if (large !== undefined) {
      total = large === 1e8 ? (total + section + (digit ?? 0)) * large : total + (section + (digit ?? 0)) * large
      section = 0
      digit = undefined
      last = large
    } else {
      if (each === '零') last = 10
      else digit = HAN_DIGITS.indexOf(each)
    }
  }
  // 三万五 is 35,000: a digit at the end stands one scale below the last.
  return total + section + (digit ?? 0) * (last >= 100 ? last / 10 : 1) + decimals
}
