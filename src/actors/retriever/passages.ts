/** Cuts sections into passages within a budget: between headings first, then between sentences or lines, then words. */
import { TOKENS_PER_LETTER, tokensIn } from '../tokens.js'
import { sentencesOf } from '../words.js'
import type { Block, Section } from './sections.js'

export interface Cut {
  /** The nearest heading, or the document's title. */
  readonly title: string
  readonly text: string
}

export interface Budget {
  /** As estimated by `tokensIn`. */
  readonly tokens: number
  readonly chars: number
}

export function passagesOf(sections: readonly Section[], budget: Budget): Cut[] {
  const cutting = passagesIn(sections, budget)
  for (;;) {
    const step = cutting.next()
    if (step.done === true) return step.value
  }
}

/** The same for a document of any size; yields after each block. */
export function* passagesIn(sections: readonly Section[], budget: Budget): Generator<void, Cut[]> {
  // No text is counted that is far too long: a megabyte without a space is cut as fast as any other.
  const charsMax = Math.max(1, Math.min(budget.chars, Math.ceil(budget.tokens / TOKENS_PER_LETTER)))
  const fits = (text: string): boolean => text.length <= charsMax && tokensIn(text) <= budget.tokens
  const cuts: Cut[] = []
  for (const { title, blocks } of sections) {
    let text = ''
    for (const block of blocks) {
      for (const { piece, before } of piecesOf(block, fits, charsMax)) {
        const joined = text === '' ? piece : `${text}${before === ' ' && /[。！？]$/.test(text) ? '' : before}${piece}`
        if (fits(joined)) text = joined
        else {
          cuts.push({ title, text })
          text = piece
        }
      }
      yield
    }
    if (text !== '') cuts.push({ title, text })
  }
  return cuts
}

interface Piece {
  readonly piece: string
  /** What stands between it and the piece before. */
  readonly before: string
}

function piecesOf(block: Block, fits: (text: string) => boolean, charsMax: number): Piece[] {
  switch (block.kind) {
    case 'prose':
      return sentencesOf(block.text).flatMap((sentence) => shortened(sentence, fits, charsMax)).map((piece) => ({ piece, before: ' ' }))
    case 'lines':
      return block.lines.flatMap((line) => shortened(line, fits, charsMax)).map((piece) => ({ piece, before: '\n' }))
  }
}

/** What is longer than a passage is cut between words, or anywhere when it has none. */
function shortened(text: string, fits: (text: string) => boolean, charsMax: number): string[] {
  const parts: string[] = []
  let rest = text
  while (rest !== '' && !fits(rest)) {
    const most = longest(rest.slice(0, charsMax), fits)
    const space = rest.lastIndexOf(' ', most)
    const at = space > 0 ? space : most
    parts.push(rest.slice(0, at).trim())
    rest = rest.slice(at).trim()
  }
  return [...parts, rest].filter((part) => part !== '')
}

/** How much of a text fits, at least one character and no half of one. */
function longest(text: string, fits: (text: string) => boolean): number {
  let [low, high] = [1, text.length]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(text.slice(0, middle))) low = middle
    else high = middle - 1
  }
  if (!/[\uD800-\uDBFF]/.test(text[low - 1] as string)) return low
  return low > 1 ? low - 1 : 2
}
