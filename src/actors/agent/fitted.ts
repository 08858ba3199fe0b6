/** A run that grows beyond what its model can read. */
import type { ChatMessage } from '../../models/index.js'
import { costOf } from '../generator/packing.js'
import { tokensIn } from '../tokens.js'
import { PICTURE_TOKENS } from './limits.js'

/** Characters of what a tool gave that are worth keeping where there is no room for the rest. */
const SHORT = 200

/** Tokens that turns take, by an estimate. */
export const weightOf = (messages: readonly ChatMessage[]): number => messages.reduce((sum, message) => sum + weight(message), 0)
const weight = ({ content, images = [], toolCalls = [] }: ChatMessage): number => costOf(content) + PICTURE_TOKENS * images.length + toolCalls.reduce((sum, { name, input }) => sum + tokensIn(name + input), 0)

/**
 * The turns, with as much of what tools gave as there is room for: the oldest is left out first, and of what came last
 * each gets its share. What is left out is said to be; the calls stay, so that the model knows what it has done.
 */
export function fitted(messages: readonly ChatMessage[], room: number): ChatMessage[] {
  let over = weightOf(messages) - room
  if (over <= 0) return [...messages]
  const latest = messages.findLastIndex(({ role }) => role !== 'tool') + 1
  const cut = (message: ChatMessage, chars: number): ChatMessage => {
    if (over <= 0 || message.role !== 'tool' || message.content.length <= chars + SHORT) return message
    const shorter = { ...message, content: `${message.content.slice(0, chars)}\n[left out: ${message.content.length - chars} characters]` }
    over -= weight(message) - weight(shorter)
    return shorter
  }
  const older = messages.slice(0, latest).map((message) => cut(message, SHORT))
  const last = messages.slice(latest)
  const share = Math.max(0, weightOf(last) - over) / Math.max(1, weightOf(last))
  return [...older, ...last.map((message) => cut(message, Math.max(SHORT, Math.floor(message.content.length * share) - SHORT)))]
}
