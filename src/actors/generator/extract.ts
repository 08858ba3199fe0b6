/** The sentences of a text that say most of what it is about, in their order: a summary where no model writes one. */
import { tokensIn } from '../tokens.js'
import { sentencesOf, termsOf } from '../words.js'

/** Sentences that are weighed against each other; a longer text is judged by its beginning. */
const SENTENCES_MAX = 400

/** A word that comes but once is hardly what a text is about. */
const ONCE = 0.9
/** What a word is still worth when a chosen sentence has said it. */
const AGAIN = 0.3

export function extracted(text: string, tokens: number): string {
  const sentences = sentencesOf(text.replaceAll(/\s+/g, ' ')).slice(0, SENTENCES_MAX).map((sentence, at) => ({ sentence, at, terms: new Set(termsOf(sentence)) }))
  const times = new Map<string, number>()
  for (const { terms } of sentences) for (const term of terms) times.set(term, (times.get(term) ?? 0) + 1)
  const chosen: typeof sentences = []
  const said = new Set<string>()
  let left = tokens
  // Each choice changes what is still worth saying, so the best of the rest is looked for again.
  const open = new Set(sentences)
  while (open.size > 0) {
    const worth = ({ sentence, terms }: (typeof sentences)[number]): number => [...terms].reduce((sum, term) => sum + ((times.get(term) ?? 0) - ONCE) * (said.has(term) ? AGAIN : 1), 0) / Math.sqrt(tokensIn(sentence) + 1)
    const best = [...open].reduce((a, b) => (worth(b) > worth(a) ? b : a))
    open.delete(best)
    if (worth(best) === 0) break
    const cost = tokensIn(best.sentence)
    if (cost > left) continue
    left -= cost
    chosen.push(best)
    for (const term of best.terms) said.add(term)
  }
  return chosen.toSorted((a, b) => a.at - b.at).map(({ sentence }) => sentence).join(' ')
}
