/** Entities that a user declares: lists of values with other names for them, and patterns. */
import { TroupeError } from '../../runtime/index.js'
import type { Spanned } from './numbers.js'

/** `values`: names, or each name with its other names. `pattern`: an expression; its first group, if it has one, is the entity. */
export type DeclaredEntity =
  | { readonly type: string; readonly values: readonly string[] | Readonly<Record<string, readonly string[]>> }
  | { readonly type: string; readonly pattern: RegExp | string }

export interface DeclaredSpan extends Spanned {
  readonly type: string
  /** The name under which the value was declared; the match itself for a pattern. */
  readonly canonical: string
}

const HAN = /\p{Script=Han}/u
const META = /[.*+?^${}()|[\]\\/]/g

/** Compiled once; finds all of them in a text. */
export function declaredFinder(declared: readonly DeclaredEntity[]): (text: string) => DeclaredSpan[] {
  const finders = declared.map((each) => ('values' in each ? listFinder(each.type, each.values) : patternFinder(each.type, each.pattern)))
  return (text) => finders.flatMap((find) => find(text))
}

function listFinder(type: string, values: readonly string[] | Readonly<Record<string, readonly string[]>>): (text: string) => DeclaredSpan[] {
  const pairs = Array.isArray(values) ? values.map((name: string) => [name, name] as const) : Object.entries(values as Readonly<Record<string, readonly string[]>>).flatMap(([name, others]) => [name, ...others].map((other) => [other, name] as const))
  const canonical = new Map(pairs.map(([written, name]) => [keyOf(written), name]))
  if (canonical.size === 0) return () => []
  // Longest first, so that `New York City` is not cut to `New York`.
  const words = [...new Set(pairs.map(([written]) => written.trim()))].filter((written) => written !== '').toSorted((a, b) => b.length - a.length)
  const expression = new RegExp(words.map(wordPattern).join('|'), 'giu')
  return (text) => Array.from(text.matchAll(expression), (match) => ({ type, start: match.index, end: match.index + match[0].length, canonical: canonical.get(keyOf(match[0])) ?? match[0] }))
}

const keyOf = (written: string): string => written.trim().replace(/\s+/g, ' ').toLowerCase()

/** A whole word, except in Chinese, which has no spaces between words. */
function wordPattern(written: string): string {
  const escaped = written.replace(META, '\\$&').replace(/\s+/g, '\\s+')
  return HAN.test(written) ? escaped : `(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`
}

function patternFinder(type: string, pattern: RegExp | string): (text: string) => DeclaredSpan[] {
  let expression: RegExp
  try {
    const given = typeof pattern === 'string' ? new RegExp(pattern, 'u') : pattern
    expression = new RegExp(given.source, [...new Set(`${given.flags.replace('y', '')}gd`)].join(''))
  } catch (cause) {
    throw new TroupeError('InvalidDefinition', `the pattern of entity ${JSON.stringify(type)} is no regular expression`, 'see the cause', { type }, cause)
  }
  return (text) =>
    Array.from(text.matchAll(expression)).flatMap((match) => {
      const [start, end] = match.indices?.[1] ?? match.indices?.[0] ?? [0, 0]
      return end > start ? [{ type, start, end, canonical: text.slice(start, end) }] : []
    })
}
