/** A guard without models, as an interceptor: what a message's form alone tells, in no time, for any actor. */
import type { Interceptor, Passage } from '../../runtime/index.js'
import { PLAIN_FIELDS, textsIn, withTexts } from '../guarded/texts.js'
import type { Finding } from './finding.js'
import { judge } from './judge.js'
import { exactPersonal } from './personal.js'
import { formFinder, PERSONAL_TYPES, refusal, type FormRules } from './policy.js'

export interface ScreeningOptions extends FormRules {
  /** Which messages are looked at. Default all that come from outside the troupe. */
  readonly when?: (passage: Passage) => boolean
  /** What is taken out, of what is exact by its form; `false` for nothing. Default email, phone, card, iban, ip. */
  readonly personal?: false | { readonly types?: readonly string[] }
  readonly except?: readonly string[]
}

/**
 * For `createTroupe({ interceptors: [screening()] })`: refuses known forms of attacks and denied patterns, takes out keys
 * and personal data for good. Answers do not pass interceptors; neither likeness nor names are looked at.
 */
export function screening({ when = ({ from }) => from === '', personal = {}, except = PLAIN_FIELDS, ...forms }: ScreeningOptions = {}): Interceptor {
  const formsOf = formFinder(forms)
  const types = new Set(personal === false ? [] : (personal.types ?? PERSONAL_TYPES))
  const plain = new Set(except)
  const findingsOf = (text: string): Finding[] => [...formsOf(text, 'input'), ...exactPersonal(text, types).map(({ type, start, end }): Finding => ({ rule: 'personal', name: type, action: 'redact', score: 1, start, end }))]
  return {
    send: (message, passage) => {
      if (!when(passage)) return
      const placed = textsIn(message, plain)
      if (placed === undefined) throw refusal(`${passage.type} to ${passage.to}`, [{ rule: 'length', name: 'nested too deeply', action: 'refuse' }])
      const parts = placed.map(({ text }) => ({ type: 'text', text }) as const)
      const { verdict } = judge([], { parts, findings: placed.map(({ text }) => findingsOf(text)), direction: 'input', conversation: undefined })
      if (verdict.verdict === 'refuse') throw refusal(`${passage.type} to ${passage.to}`, verdict.reasons)
      if (verdict.verdict === 'allow') return
      const safe = placed.flatMap(({ path }, at) => ((part) => (part?.type === 'text' ? [{ path, text: part.text }] : []))(verdict.parts[at]))
      return withTexts(message, safe) as typeof message
    },
  }
}
