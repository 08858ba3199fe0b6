/** Words that mean the same in one knowledge base: each phrase of a group counts as the group's first one. */
import { termsOf } from '../words.js'

export class Synonyms {
  /** By first term of a phrase, longest phrase first. */
  readonly #phrases = new Map<string, { readonly terms: readonly string[]; readonly means: readonly string[] }[]>()

  constructor(groups: readonly (readonly string[])[]) {
    for (const [first = '', ...others] of groups) {
      const means = termsOf(first)
      for (const phrase of others) {
        const terms = termsOf(phrase)
        const [start] = terms
        if (start === undefined) continue
        const known = this.#phrases.get(start) ?? []
        this.#phrases.set(start, [...known, { terms, means }].toSorted((a, b) => b.terms.length - a.terms.length))
      }
    }
  }

  /** The terms of a text, with phrases replaced by what they mean. */
  termsOf(text: string): string[] {
    const terms = termsOf(text)
    const replaced: string[] = []
    for (let at = 0; at < terms.length; ) {
      const phrase = this.#phrases.get(terms[at] as string)?.find((each) => each.terms.every((term, i) => terms[at + i] === term))
      replaced.push(...(phrase?.means ?? [terms[at] as string]))
      at += phrase?.terms.length ?? 1
    }
    return replaced
  }
}
