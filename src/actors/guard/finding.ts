/** What a guard finds: where, by which rule, how surely, and what follows from it. */
import type { Spanned } from '../nlu/numbers.js'

export type Direction = 'input' | 'passage' | 'output'
export type Rule = 'personal' | 'injection' | 'topic' | 'pattern' | 'secret' | 'leak' | 'length'

export interface Finding extends Spanned {
  readonly rule: Rule
  /** Which of the rule's kinds: `email`, the name of a topic or pattern. */
  readonly name: string
  readonly action: 'redact' | 'refuse'
  readonly score: number
}
