/** Keys and passwords, by the forms that their issuers give them. */
import type { Spanned } from '../nlu/numbers.js'

const FORMS: Readonly<Record<string, RegExp>> = {
  'private key': /-----BEGIN (?:[A-Z]+ ){0,3}PRIVATE KEY-----[\s\S]{0,8000}?(?:-----END (?:[A-Z]+ ){0,3}PRIVATE KEY-----|$)/g,
  'aws key': /(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
  'github token': /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,255})/g,
  'google key': /(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}/g,
  'slack token': /(?<![A-Za-z0-9])xox[abprs]-[A-Za-z0-9-]{10,250}/g,
  'stripe key': /(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,250}/g,
  'model key': /(?<![A-Za-z0-9])sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,250}/g,
  'npm token': /(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}/g,
  'web token': /(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}/g,
  password: /(?<=\b(?:password|passwd|api[_ -]?key|secret[_ -]?key|access[_ -]?token)["']?\s{0,3}[:=]\s{0,3}["']?)[^\s"',;<>]{6,200}/giu,
  'login in an address': /(?<=\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{1,100}:)[^\s:/@]{3,100}(?=@)/giu,
}

export interface Secret extends Spanned {
  readonly name: string
}

export const secretsOf = (text: string): Secret[] =>
  Object.entries(FORMS).flatMap(([name, form]) => Array.from(text.matchAll(form), (match) => ({ name, start: match.index, end: match.index + match[0].length })))
