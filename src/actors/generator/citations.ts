/** Whether an answer says what its passages say, and cites those that do. */
import { termsOf } from '../words.js'
import type { Citation, Source } from './protocol.js'

const MARK = /\[(\d+)\]/g
/** So much of a sentence must stand in the passage that it cites; the rest may be grammar. */
const COVERED_MIN = 0.8

export interface Checked {
  readonly citations: readonly Citation[]
  readonly grounded: boolean
}

/** The passages that an answer cites and that exist, in the order of the text; grounded when each cited part is covered. */
export function checkCitations(answer: string, passages: readonly Source[]): Checked {
  const citations = new Map<number, Citation>()
  let grounded = true
  let from = 0
  for (const mark of answer.matchAll(MARK)) {
    const number = Number(mark[1])
    const passage = passages[number - 1]
    const claim = answer.slice(from, mark.index).trim()
    from = mark.index + mark[0].length
    if (passage === undefined) grounded = false
    else {
      if (claim !== '' && !covers(passage, claim)) grounded = false
      if (!citations.has(number)) citations.set(number, { number, title: passage.title, source: passage.source })
    }
  }
  const uncited = answer.slice(from).trim()
  return { citations: [...citations.values()], grounded: grounded && citations.size > 0 && termsOf(uncited).length === 0 }
}

function covers({ title, text }: Source, claim: string): boolean {
  const known = new Set(termsOf(`${title} ${text}`))
  const claimed = termsOf(claim)
  return claimed.filter((term) => known.has(term)).length >= COVERED_MIN * claimed.length
}
