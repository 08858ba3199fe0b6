/** The conversation that the embedded generator was trained on: a question, then numbered passages, right before the answer. */
import type { ChatMessage } from '../../models/index.js'
import type { Source } from './protocol.js'

/** More, or longer, than this the model has never seen. */
export const PASSAGES_MAX = 4
const CHARS_MAX = 300
const TITLE_CHARS_MAX = 60

const oneLine = (text: string, chars: number): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, chars)

export const promptOf = (question: string, passages: readonly Source[]): ChatMessage[] => [
  { role: 'user', content: oneLine(question, CHARS_MAX) },
  { role: 'context', content: passages.slice(0, PASSAGES_MAX).map(({ title, text }, at) => `[${at + 1}] ${title === '' ? '' : `${oneLine(title, TITLE_CHARS_MAX)}: `}${oneLine(text, CHARS_MAX)}`).join('\n') },
]
