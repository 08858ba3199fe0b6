/** What can be told by its form alone, in English and Chinese: dates, times, numbers, sums of money, addresses. */

/** What a slot takes. */
export type Kind = 'date' | 'time' | 'number' | 'money' | 'email' | 'phone' | 'url' | 'place' | 'person' | 'title' | 'category' | 'yes-no' | 'listed' | 'text'

export interface Span {
  readonly kind: Kind
  readonly text: string
  readonly start: number
  readonly end: number
}

const DAY = '(?:mon|tues|wednes|thurs|fri|satur|sun)day'
const MONTH = '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)'
const ONES = 'one|two|three|four|five|six|seven|eight|nine'
const COUNT = `zero|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:${ONES}))?|${ONES}`
const ORDINAL = '\\d{1,2}(?:st|nd|rd|th)'
const PART = '(?:in the |at |this )?(?:morning|afternoon|evening|night)'
const HOUR = `(?:\\d{1,2}(?:[:.]\\d{2})?|${ONES}|ten|eleven|twelve)`

const of = (...forms: readonly string[]): RegExp => new RegExp(forms.join('|'), 'giu')

/** Tried in this order; what an earlier one found, a later one leaves alone. */
const FORMS: readonly (readonly [Kind, RegExp])[] = [
  ['email', /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/giu],
  ['url', /https?:\/\/[^\s，。]+/giu],
  [
    'date',
    of(
      '\\b\\d{4}-\\d{2}-\\d{2}\\b',
      `\\b(?:${ORDINAL}|\\d{1,2}) (?:of )?(?:this month|next month|${MONTH})(?![\\p{L}])(?:,? \\d{4})?`,
      `\\b${MONTH} (?:the )?(?:${ORDINAL}|\\d{1,2})(?![\\d:])(?:,? \\d{4})?`,
      `\\b(?:(?:next|this|coming) )?${DAY}(?: (?:next|this) week)\\b`,
      `\\b(?:(?:next|this|coming) )?${DAY}\\b`,
      '\\b(?:the )?day after tomorrow\\b|\\blater today\\b|\\b(?:today|tonight|tomorrow)\\b',
      '\\b(?:next|this) (?:week(?:end)?|month)\\b',
      `\\bthe ${ORDINAL}\\b(?! (?:of |street|ave|floor|${MONTH}))|\\b${ORDINAL}\\b(?! (?:of |street|st|ave|avenue|floor))`,
      '\\b\\d{1,2}/\\d{1,2}(?:/\\d{2,4})?\\b',
      '(?:今天|今晚|明天|明晚|后天|(?:下|本|这)?(?:个)?(?:周|星期|礼拜)[一二三四五六日天]|(?:\\d{1,2}|[一二三四五六七八九十]+)月(?:\\d{1,2}|[一二三四五六七八九十]+)[日号])',
    ),
  ],
  [
    'time',
    of(
      `\\b(?:a )?(?:half|quarter) (?:past|to|after) ${HOUR}(?: ?(?:[ap]\\.?m\\b\\.?)| (?:in the )?(?:morning|afternoon|evening|night))?`,
      `\\b(?:(?:morning|afternoon|evening) )?${HOUR}(?: ?o'?clock)?(?: ?[ap]\\.?m\\b\\.?| ${PART}\\b)`,
      `\\b(?:morning|afternoon|evening) ${HOUR}(?: ?o'?clock)?\\b`,
      `\\b${HOUR} ?o'?clock\\b|\\b\\d{1,2}:\\d{2}\\b|\\b(?:noon|midnight)\\b`,
      '(?:凌晨|早上|上午|中午|下午|傍晚|晚上)?(?:\\d{1,2}|[一二两三四五六七八九十]+)(?:点(?:半|一刻|\\d{1,2}分?|[一二三四五]?十[一二三四五六七八九]?分?)?|[:：]\\d{2})',
    ),
  ],
  ['money', of('[$€£¥]\\s?\\d[\\d,]*(?:\\.\\d+)?', '\\b\\d[\\d,]*(?:\\.\\d+)? (?:dollars|bucks|euros?|pounds|yuan)\\b', '\\d[\\d,]*(?:\\.\\d+)?\\s?(?:元|块|美元)')],
  ['phone', /(?<!\d)\+?\d[\d -]{7,}\d(?!\d)/giu],
  ['number', of(`\\b(?:${COUNT})\\b`, '(?<![\\d.:])\\d+(?:\\.\\d+)?(?![\\d:])', '[一二两三四五六七八九十]+(?=个|位|张|人|间|份|件|杯|晚|天|瓶|只|套)')],
]

export function formsIn(text: string): Span[] {
  const found: Span[] = []
  for (const [kind, form] of FORMS) {
    for (const match of text.matchAll(form)) {
      const start = match.index
      const end = start + match[0].length
      if (!found.some((span) => start < span.end && span.start < end)) found.push({ kind, text: match[0], start, end })
    }
  }
  return found.toSorted((a, b) => a.start - b.start)
}

const WORDS = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ')
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ')
const HAN = '零一二三四五六七八九'

/** The number that a text says in figures or words; `undefined` where it says none. */
export function numberIn(text: string): number | undefined {
  const plain = text.toLowerCase().replace(/[$€£¥,\s]|dollars|bucks|euros?|pounds|yuan|元|块|美元/gu, (mark) => (/\s/.test(mark) ? ' ' : '')).trim()
  if (/^\d+(\.\d+)?$/.test(plain)) return Number(plain)
  if (WORDS.includes(plain)) return WORDS.indexOf(plain)
  const [tens = '', ones = ''] = plain.split(/[- ]/)
  if (TENS.includes(tens) && (ones === '' || WORDS.indexOf(ones) > 0)) return (TENS.indexOf(tens) + 2) * 10 + Math.max(0, WORDS.indexOf(ones))
  return hanNumber(plain.replaceAll('两', '二'))
}

function hanNumber(text: string): number | undefined {
  const match = /^([一二三四五六七八九])?(十)?([一二三四五六七八九])?$/.exec(text)
  if (match === null || text === '') return undefined
  const [, first, ten, last] = match
  if (ten === undefined) return last === undefined && first !== undefined ? HAN.indexOf(first) : undefined
  return (first === undefined ? 1 : HAN.indexOf(first)) * 10 + (last === undefined ? 0 : HAN.indexOf(last))
}
