/** What a guard looks for, by the direction in which a text goes. */
import { TroupeError } from '../../runtime/index.js'
import { declaredFinder, type DeclaredEntity } from '../nlu/declared.js'
import type { Direction, Finding } from './finding.js'
import { injectionForms } from './injection.js'
import { leakFinder } from './leaks.js'
import { secretsOf } from './secrets.js'
import type { TopicOptions } from './topics.js'

export interface DeniedPattern {
  readonly name: string
  /** Its first group, if it has one, is what is found. */
  readonly pattern: RegExp | string
  /** Default `refuse`. */
  readonly action?: 'redact' | 'refuse'
  /** Default all. */
  readonly directions?: readonly Direction[]
}

export interface PersonalOptions {
  /** Entity types of `nlu`, and `iban` and `ip`. Default: email, phone, card, iban, ip, person, address. */
  readonly types?: readonly string[]
  /** More of your own, such as customer numbers. */
  readonly entities?: readonly DeclaredEntity[]
  /** Below this the tagger's names are let through. Default 0.6. */
  readonly scoreMin?: number
  /** Default all. */
  readonly directions?: readonly Direction[]
}

/** The rules that need no model; `false` leaves one out. */
export interface FormRules {
  readonly injection?: boolean
  readonly secrets?: boolean
  readonly patterns?: readonly DeniedPattern[]
  /** What the model was told: outputs that say it again are refused. */
  readonly systemPrompt?: string
  /** A longer text is refused. Default 20,000 characters. */
  readonly charsMax?: number
}

export const PERSONAL_TYPES = ['email', 'phone', 'card', 'iban', 'ip', 'person', 'address'] as const
export const ALL: readonly Direction[] = ['input', 'passage', 'output']
const CHARS_MAX = 20_000

/** What a text's form alone tells. */
export function formFinder({ injection = true, secrets = true, patterns = [], systemPrompt, charsMax = CHARS_MAX }: FormRules): (text: string, direction: Direction) => Finding[] {
  const denied = patterns.map(({ name, pattern, action = 'refuse', directions = ALL }) => ({ name, action, directions, find: declaredFinder([{ type: name, pattern }]) }))
  const leaks = systemPrompt === undefined ? undefined : leakFinder(systemPrompt)
  return (text, direction) => {
    // What is too long is not read any further: no rule takes more than the bound allows.
    if (text.length > charsMax) return [{ rule: 'length', name: `more than ${charsMax} characters`, action: 'refuse', start: charsMax, end: text.length, score: 1 }]
    const attacks = injection && direction !== 'output' ? injectionForms(text).map((span): Finding => ({ rule: 'injection', name: 'known form', action: 'refuse', score: 1, ...span })) : []
    const keys = secrets ? secretsOf(text).map(({ name, start, end }): Finding => ({ rule: 'secret', name, action: 'redact', score: 1, start, end })) : []
    const leaked = direction === 'output' && leaks !== undefined ? leaks(text).map((span): Finding => ({ rule: 'leak', name: 'system prompt', action: 'refuse', score: 1, ...span })) : []
    const found = denied
      .filter(({ directions }) => directions.includes(direction))
      .flatMap(({ name, action, find }) => find(text).map(({ start, end }): Finding => ({ rule: 'pattern', name, action, score: 1, start, end })))
    return [...attacks, ...keys, ...leaked, ...found]
  }
}

/** Which directions topics are looked at in: what users ask for. */
export const hasTopics = ({ allowed, denied }: TopicOptions): boolean => allowed !== undefined || denied !== undefined

/** What somebody is told whose message was refused. */
export function refusal(what: string, reasons: readonly { readonly rule: string; readonly name: string; readonly action: string }[]): TroupeError {
  const why = [...new Set(reasons.filter(({ action }) => action === 'refuse').map(({ rule, name }) => `${rule} (${name})`))].join(', ')
  return new TroupeError('Refused', `${what} was refused: ${why}`, 'details.reasons has each rule, its place and its score; the rules are those of guard()', { reasons })
}
