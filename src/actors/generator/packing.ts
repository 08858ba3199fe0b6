/**
 * What of a conversation a model gets to read, within its budget of tokens, as estimated. The system's text and the last
 * turn are there in any case; passages may take half of what is left, recent turns the rest, newest first and without
 * gaps; turns that found no room are `older`, and a summary stands for them.
 */
import { TroupeError } from '../../ground/errors.js'
import { tokensIn } from '../tokens.js'
import type { ChatTurn, Source } from './protocol.js'

export interface Unpacked {
  readonly system: string
  readonly turns: readonly ChatTurn[]
  /** Best first. */
  readonly passages: readonly Source[]
}
export interface Packed {
  readonly turns: readonly ChatTurn[]
  readonly older: readonly ChatTurn[]
  readonly passages: readonly Source[]
}

/** What a template puts around each turn. */
const PER_TURN = 6
/** Kept free for the summary as soon as turns are left out. */
export const SUMMARY_TOKENS = 96
const PASSAGES_SHARE = 0.5

export const costOf = (text: string): number => tokensIn(text) + PER_TURN

export function pack({ system, turns, passages }: Unpacked, budget: number): Packed {
  const last = turns.at(-1)
  if (last === undefined || last.role !== 'user') throw new TroupeError('InvalidMessage', 'the conversation has no last turn of the user', 'end messages with { role: "user", content: … }')
  const fixed = costOf(system) + costOf(last.content)
  if (fixed > budget) {
    throw new TroupeError('InvalidMessage', `the last turn and the system's text take some ${fixed} tokens, and there is room for ${budget}`, 'shorten them, or give generator({ contextTokens }) what the model can read', { tokens: fixed, room: budget })
  }
  const whole = fits(turns.slice(0, -1), budget - fixed - passagesIn(passages, PASSAGES_SHARE * (budget - fixed)).tokens)
  // A summary needs room only where turns are left out.
  const room = whole === turns.length - 1 ? budget - fixed : Math.max(0, budget - fixed - SUMMARY_TOKENS)
  const shared = passagesIn(passages, PASSAGES_SHARE * room)
  const recent = fits(turns.slice(0, -1), room - shared.tokens)
  const first = turns.length - 1 - recent
  const spoken = turns.slice(first, -1).reduce((sum, { content }) => sum + costOf(content), 0)
  return { turns: turns.slice(first), older: turns.slice(0, first), passages: passagesIn(passages, room - spoken).passages }
}

/** How many of the latest turns fit. */
function fits(turns: readonly ChatTurn[], room: number): number {
  let left = room
  let count = 0
  for (const { content } of turns.toReversed()) {
    left -= costOf(content)
    if (left < 0) break
    count++
  }
  return count
}

function passagesIn(passages: readonly Source[], room: number): { passages: readonly Source[]; tokens: number } {
  let tokens = 0
  let count = 0
  for (const { title, text } of passages) {
    const cost = costOf(`${title}: ${text}`)
    if (tokens + cost > room) break
    tokens += cost
    count++
  }
  return { passages: passages.slice(0, count), tokens }
}
