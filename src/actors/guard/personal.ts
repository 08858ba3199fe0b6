/** Personal data that is exact by its form: what the nlu recognises, account numbers with their check digits, network addresses. */
import { isIP } from 'node:net'
import { contactsOf } from '../nlu/contacts.js'
import type { DeclaredSpan } from '../nlu/declared.js'
import type { Spanned } from '../nlu/numbers.js'

const IBAN = /(?<![\p{L}\p{N}])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![\p{L}\p{N}])/gu
const IP4 = /(?<![\p{L}\p{N}.])\d{1,3}(?:\.\d{1,3}){3}(?![\p{L}\p{N}]|\.\d)/gu
const IP6 = /(?<![\p{L}\p{N}:.])(?:[0-9a-f]{1,4}:|:){2,7}[0-9a-f]{0,4}(?![\p{L}\p{N}:])/giu

/** People whose names are said: up to four words in capitals, or two to four Chinese characters. */
const INTRODUCED = /(?<=\b(?:(?:[Mm]y|[Hh]is|[Hh]er|[Tt]heir) name(?: is|'s)|[Cc]all me|[Ii](?: am|'m) called) )\p{Lu}[\p{L}'’-]*(?: \p{Lu}[\p{L}'’-]*){0,3}/gu
const INTRODUCED_ZH = /(?<=(?:我叫|我的名字(?:是|叫)|我名叫))\p{Script=Han}{2,4}(?=$|[，。！？,.!?\s])/gu

/** An IBAN's remainder by 97 is 1, once its first four characters stand last and letters are numbers. */
function hasIbanCheck(written: string): boolean {
  const plain = written.replaceAll(' ', '')
  const digits = Array.from(plain.slice(4) + plain.slice(0, 4), (each) => parseInt(each, 36).toString()).join('')
  return Array.from(digits).reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0) === 1
}

/** The longest start, up to a space, that is a number by its check digits: words in capitals may follow it. */
function ibanAt(written: string): string | undefined {
  for (let text = written; text.length >= 15; text = text.slice(0, Math.max(0, text.lastIndexOf(' ')))) if (hasIbanCheck(text)) return text
  return undefined
}

const spanOf = (type: string, start: number, written: string): DeclaredSpan => ({ type, start, end: start + written.length, canonical: written.replaceAll(' ', '') })

/** Account numbers, network addresses, and the names by which people are introduced. */
export function identifiersOf(text: string): DeclaredSpan[] {
  const ibans = Array.from(text.matchAll(IBAN)).flatMap((match) => {
    const iban = ibanAt(match[0])
    return iban === undefined ? [] : [spanOf('iban', match.index, iban)]
  })
  const addresses = [...text.matchAll(IP4), ...text.matchAll(IP6)].filter((match) => isIP(match[0]) !== 0).map((match) => spanOf('ip', match.index, match[0]))
  const names = [...text.matchAll(INTRODUCED), ...text.matchAll(INTRODUCED_ZH)].map((match) => spanOf('person', match.index, match[0]))
  return [...ibans, ...addresses, ...names]
}

export interface Named extends Spanned {
  readonly type: string
}

/** All that is exact by its form, none overlapping another. */
export function exactPersonal(text: string, types: ReadonlySet<string>): Named[] {
  return apart([...identifiersOf(text), ...contactsOf(text)].filter(({ type }) => types.has(type)))
}

/** Of those that overlap the first one stays. */
export function apart<T extends Spanned>(spans: readonly T[]): T[] {
  const kept: T[] = []
  for (const span of spans) if (!kept.some((other) => span.start < other.end && other.start < span.end)) kept.push(span)
  return kept.sort((a, b) => a.start - b.start)
}
