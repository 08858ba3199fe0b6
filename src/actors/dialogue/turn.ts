/** One exchange of a conversation, and what follows from it for the next search. */
import type { ReturnAddress } from '../../runtime/index.js'
import type { Parsed } from '../nlu/protocol.js'
import type { Part } from '../parts.js'
import type { Passage } from '../retriever/protocol.js'

/** What was said before. */
export interface Exchange {
  readonly user: string
  readonly actor: string
}

/** A turn under way: what is known of it so far. */
export interface Turn {
  readonly text: string
  readonly parts?: readonly Part[] | undefined
  readonly asker: ReturnAddress
  readonly parsed?: Parsed
  readonly passages?: readonly Passage[]
}

const FOLLOW_UP = /^(and|or|but|what about|how about|also)\b|^(那|还有|那么|如果)/i

/** "And for gift cards?" asks what was asked before; alone it would find nothing. */
export function queryOf(text: string, history: readonly Exchange[]): string {
  const before = history.at(-1)
  return before !== undefined && FOLLOW_UP.test(text.trim()) ? `${before.user} ${text}` : text
}
