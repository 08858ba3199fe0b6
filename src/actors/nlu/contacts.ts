/** Patterns that are exact by their form: e-mail, URL, phone, payment card, and numbers like those of orders. */
import type { Spanned } from './numbers.js'

export interface ContactSpan extends Spanned {
  readonly type: 'email' | 'url' | 'phone' | 'card' | 'order'
  /** Without the marks that writing adds. */
  readonly canonical: string
}

// Every repetition has a bound, so that no text takes more than a constant per character.
const EMAIL = /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}][\p{L}\p{N}._%+-]{0,63}@(?:[\p{L}\p{N}-]{1,63}\.){1,8}[\p{L}]{2,24}/gu
const EMAIL_ASCII = /(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/g
const URL = /(?:https?:\/\/|www\.)[^\s\p{Script=Han}，。！？；、）】」》"'<>]{2,2000}/giu
const BARE_URL = /(?<![\p{L}\p{N}@._-])(?:[a-z0-9-]{1,63}\.){1,4}(?:com|org|net|io|dev|edu|gov|cn|uk|de|co|ai|app|info)(?:\/[^\s\p{Script=Han}，。！？"'<>]{0,500})?(?![\p{L}\p{N}@])/giu
const PHONE = /(?<![\p{Script=Latin}\p{N}_#.-])(?:\+|00)?\(?\d(?:[\s().-]{0,2}\d){6,14}(?![\p{N}_]|[.-]\d)/gu
const CARD = /(?<![\p{L}\p{N}])\d(?:[ -]?\d){12,18}(?![\p{L}\p{N}])/gu
const ORDER_NAMED = /(?:\b(?:order|ticket|invoice|case|tracking|reference|ref|booking|confirmation|parcel|shipment)(?:\s+(?:number|no\.?|id|code))?|(?:订单|工单|运单|快递|发票|预订|单)(?:编?号)?)\s{0,2}(?:is|是|为)?\s{0,2}[:：#]?\s{0,2}((?=[A-Z0-9-]{0,40}\d)[A-Z0-9][A-Z0-9-]{3,40})(?![\p{L}\p{N}])/giu
const ORDER_HASH = /#([A-Z]{0,8}-?\d{3,20})(?![\p{L}\p{N}])/giu
const ORDER_CODE = /(?<![\p{L}\p{N}-])[A-Z]{2,8}-?\d{3,20}(?:-?[A-Z0-9]{1,20}){0,3}(?![\p{L}\p{N}])/gu

/** Calendar dates and network addresses, which are no phone numbers though they have as many digits. */
const NO_PHONE = /^\d{4}[-./ ]\d{1,2}[-./ ]\d{1,2}$|^\d{1,2}[-./]\d{1,2}[-./]\d{4}$|^\d{1,3}(?:\.\d{1,3}){3}$/
/** Where nothing separates the digits, only these forms are phone numbers. */
const PLAIN_PHONE = /^(?:(?:\+|00)\d{7,15}|1[3-9]\d{9}|0\d{9,11}|400\d{7}|[2-9]\d{9})$/

export function contactsOf(text: string): ContactSpan[] {
  // Of two readings of the same digits the first holds: what is called an order number is no telephone.
  return [...emailsOf(text), ...urlsOf(text), ...ordersOf(text), ...cardsOf(text), ...phonesOf(text)]
}

const spanOf = (type: ContactSpan['type'], start: number, written: string, canonical: string): ContactSpan => ({ type, start, end: start + written.length, canonical })

const emailsOf = (text: string): ContactSpan[] =>
  // Chinese is written right up to an address, so its letters do not belong to it there.
  Array.from(text.matchAll(/\p{Script=Han}/u.test(text) ? EMAIL_ASCII : EMAIL), (match) => spanOf('email', match.index, match[0], match[0].toLowerCase()))

function urlsOf(text: string): ContactSpan[] {
  return [...text.matchAll(URL), ...text.matchAll(BARE_URL)].map((match) => {
    const written = trimmed(match[0])
    return spanOf('url', match.index, written, /^https?:/i.test(written) ? written : `https://${written}`)
  })
}

/** Without the punctuation of the sentence around it; a closing bracket stays when the address opens it. */
function trimmed(url: string): string {
  let end = url.length
  for (;;) {
    const last = url[end - 1] ?? ''
    const unopened = last === ')' && !url.slice(0, end).includes('(')
    if (!/[.,;:!?\]}]/.test(last) && !unopened) return url.slice(0, end)
    end--
  }
}

function phonesOf(text: string): ContactSpan[] {
  return Array.from(text.matchAll(PHONE)).flatMap((match) => {
    const written = match[0]
    const digits = written.replace(/\D/g, '')
    const plain = !/\d[\s().-]+\d/.test(written)
    if (NO_PHONE.test(written) || (plain && !PLAIN_PHONE.test(written))) return []
    if (!plain && !/^(?:\+|00)/.test(written) && !grouped(written)) return []
    return [spanOf('phone', match.index, written, /^(?:\+|00)/.test(written) ? `+${digits.replace(/^00/, '')}` : digits)]
  })
}

/** Groups as phone numbers have them: two to five, the last of at least three digits. */
function grouped(written: string): boolean {
  const groups = written.split(/[\s().-]+/).filter((group) => group !== '')
  return groups.length <= 5 && (groups.at(-1)?.length ?? 0) >= 3 && groups.every((group) => group.length >= 2 || group === '1')
}

const cardsOf = (text: string): ContactSpan[] =>
  Array.from(text.matchAll(CARD)).flatMap((match) => {
    const digits = match[0].replace(/\D/g, '')
    return hasCheckDigit(digits) ? [spanOf('card', match.index, match[0], digits)] : []
  })

/** Luhn's check, which every payment card passes and nine of ten other numbers fail. */
const hasCheckDigit = (digits: string): boolean =>
  Array.from(digits)
    .toReversed()
    .reduce((sum, digit, at) => sum + (at % 2 === 0 ? Number(digit) : Number(digit) > 4 ? Number(digit) * 2 - 9 : Number(digit) * 2), 0) % 10 === 0

function ordersOf(text: string): ContactSpan[] {
  const named = Array.from(text.matchAll(ORDER_NAMED), (match) => {
    const code = match[1] as string
    return spanOf('order', match.index + match[0].length - code.length, code, code.toUpperCase())
  })
  const hashed = Array.from(text.matchAll(ORDER_HASH), (match) => spanOf('order', match.index, match[0], (match[1] as string).toUpperCase()))
  const codes = Array.from(text.matchAll(ORDER_CODE), (match) => spanOf('order', match.index, match[0], match[0]))
  return [...named, ...hashed, ...codes]
}
