/** Whether a text says again what was meant for the model alone. */
import type { Spanned } from '../nlu/numbers.js'

/** So many letters in a row are no chance: some six words, or a Chinese clause. */
const LETTERS = 30
const LETTERS_HAN = 12
const HAN = /\p{Script=Han}/u

/** Letters and digits alone, since a model quotes with other marks and spaces, each with its place. */
function lettersOf(text: string): { readonly letters: string; readonly places: readonly number[] } {
  let letters = ''
  const places: number[] = []
  for (const match of text.matchAll(/[\p{L}\p{N}]/gu)) {
    const lower = match[0].toLowerCase()
    letters += lower
    for (let at = 0; at < lower.length; at++) places.push(match.index)
  }
  return { letters, places }
}

/** Finds stretches of a secret text in others. */
export function leakFinder(secret: string): (text: string) => Spanned[] {
  const length = HAN.test(secret) ? LETTERS_HAN : LETTERS
  const { letters } = lettersOf(secret)
  const pieces = new Set<string>()
  for (let at = 0; at + length <= letters.length; at++) pieces.add(letters.slice(at, at + length))
  return (text) => {
    const { letters, places } = lettersOf(text)
    const spans: { start: number; end: number }[] = []
    for (let at = 0; at + length <= letters.length; at++) {
      if (!pieces.has(letters.slice(at, at + length))) continue
      const [start, end] = [places[at] as number, (places[at + length - 1] as number) + 1]
      const last = spans.at(-1)
      if (last !== undefined && start <= last.end) last.end = end
      else spans.push({ start, end })
    }
    return spans
  }
}
