/** Which of a few options a user means: by its place in the list, by its name, or by a word that only it has. */
import { likeness } from './likeness.js'

const PLACES: readonly RegExp[] = [/\b(?:first|1st|former)\b|第一/iu, /\b(?:second|2nd)\b|第二/iu, /\b(?:third|3rd)\b|第三/iu, /\b(?:fourth|4th)\b|第四/iu, /\b(?:fifth|5th)\b|第五/iu]
const LAST = /\b(?:last|latter)\b|最后/iu
const ALIKE_MIN = 0.6

/** The place of the option, or -1; `names` are how each option is said. */
export function chosen(names: readonly string[], text: string): number {
  const plain = text.toLowerCase()
  const literal = names.map((name, at) => ({ at, size: plain.includes(name.toLowerCase()) ? name.length : 0 })).toSorted((a, b) => b.size - a.size)[0]
  if (literal !== undefined && literal.size > 0) return literal.at
  const bare = /^\s*(\d)\s*[.!。]?\s*$/u.exec(text)
  const place = bare !== null ? Number(bare[1]) - 1 : LAST.test(text) ? names.length - 1 : PLACES.findIndex((pattern) => pattern.test(text))
  if (place >= 0) return place < names.length ? place : -1
  const own = names.findIndex((name, at) => wordsOf(name).some((word) => plain.includes(word) && !names.some((other, i) => i !== at && other.toLowerCase().includes(word))))
  if (own >= 0) return own
  const alike = names.map((name) => likeness(name, text))
  const best = Math.max(...alike)
  return best >= ALIKE_MIN ? alike.indexOf(best) : -1
}

const wordsOf = (name: string): string[] => (name.toLowerCase().match(/\p{Script=Han}+|[\p{L}\p{N}]{3,}/gu) ?? [])
