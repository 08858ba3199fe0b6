/** How a conversation is put to a model: as the embedded generator was trained, or as any chat model understands it. */
import type { ChatMessage } from '../../models/index.js'
import type { ChatTurn, Source } from './protocol.js'
import { REFUSALS } from './refusals.js'

/** More, or longer, than this the embedded model has never seen. */
export const PASSAGES_MAX = 4
const CHARS_MAX = 300
const TITLE_CHARS_MAX = 60

export interface Conversation {
  readonly system: string
  /** Of older turns; empty when there are none. */
  readonly summary: string
  readonly turns: readonly ChatTurn[]
  readonly passages: readonly Source[]
}

const oneLine = (text: string, chars: number): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, chars)

/** A turn as short as those that the embedded model has seen beside passages. */
export const shortened = ({ role, content }: ChatTurn): ChatTurn => ({ role, content: oneLine(content, CHARS_MAX) })

/** The passages in a turn of their own, right before the answer. */
export const embeddedPrompt = ({ system, summary, turns, passages }: Conversation): ChatMessage[] => [
  ...systemTurn([system, summary]),
  ...turns,
  ...(passages.length === 0 ? [] : [{ role: 'context', content: numbered(passages.slice(0, PASSAGES_MAX), { chars: CHARS_MAX, titleChars: TITLE_CHARS_MAX }) }]),
]

const RULES = `Answer from the numbered passages alone, in the language of the question. After each statement cite the passage that says it, as [1]. If the passages do not answer, reply with exactly: ${REFUSALS[0]}`

export function chatPrompt({ system, summary, turns, passages }: Conversation): ChatMessage[] {
  const earlier = summary === '' ? '' : `Earlier in this conversation: ${summary}`
  const last = turns.at(-1)?.content ?? ''
  const asked = passages.length === 0 ? last : `Passages:\n${numbered(passages)}\n\nQuestion: ${last}`
  return [...systemTurn([system, passages.length === 0 ? '' : RULES, earlier]), ...turns.slice(0, -1), { role: 'user', content: asked }]
}

/** What `chatPrompt` adds to the system's text when there are passages. */
export const rulesFor = (passages: readonly Source[]): string => (passages.length === 0 ? '' : RULES)

const systemTurn = (parts: readonly string[]): ChatMessage[] => {
  const content = parts.filter((part) => part !== '').join('\n\n')
  return content === '' ? [] : [{ role: 'system', content }]
}

const numbered = (passages: readonly Source[], { chars = Infinity, titleChars = Infinity } = {}): string =>
  passages.map(({ title, text }, at) => `[${at + 1}] ${title === '' ? '' : `${oneLine(title, titleChars)}: `}${oneLine(text, chars)}`).join('\n')
