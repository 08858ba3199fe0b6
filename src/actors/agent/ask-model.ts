import type { ChatMessage, GeneratePart, GenerateResult } from '../../models/index.js'
import type { Me } from '../../runtime/index.js'
import { shareOfTokens, tokensIn } from '../tokens.js'
import type { Spent } from './budget.js'
import { PICTURE_TOKENS } from './limits.js'
import { costOfTools } from './memory.js'
import { waitBefore } from './passing.js'
import type { AgentChunk } from './protocol.js'
import type { Purse } from './purse.js'
import type { Heard, Said, Voice } from './voice.js'

export interface Manner {
  readonly model: string
  readonly voice: Voice
  readonly maxTokens: number
  readonly temperature: number | undefined
  /** Text waits until a guardrail has seen all of it. */
  readonly holdsText: boolean
}
export interface Turn extends Heard {
  /** It ended with the tokens it may have. */
  readonly cut: boolean
  /** The budget on which it was cut off; what it cost is an estimate then. */
  readonly spent?: 'tokens' | 'money'
  /** Its text was shown as it came. */
  readonly streamed: boolean
  /** For the model to read again. */
  readonly turn: ChatMessage
}
type Caller = Pick<Me, 'infer' | 'sleep' | 'clock' | 'id'>

/** One turn of the model: its text as it comes, what it cost, and then what it said; or the budget that ended it before. */
export async function* askModel(said: Said, { model, voice, maxTokens, temperature, holdsText }: Manner, purse: Purse, me: Caller): AsyncGenerator<AgentChunk, Turn | Spent> {
  const tokens = Math.min(maxTokens, purse.tokensLeft)
  const request = { ...voice.ask(said), maxTokens: tokens, ...(temperature !== undefined && { temperature }) }
  const options = { urgency: 'interactive', ...(purse.deadline < Infinity && { deadline: purse.deadline }) } as const
  const read = said.messages.reduce((sum, { content, images = [] }) => sum + tokensIn(content) + PICTURE_TOKENS * images.length, costOfTools(said.tools))
  // What would overspend before its first word is not begun.
  const short = purse.spentWith(read, 1)
  if (short !== undefined) return short
  for (let tried = 0; ; tried++) {
    try {
      const reader = voice.reader(said)
      const shows = reader !== undefined && !holdsText
      const call = me.infer<GenerateResult, GeneratePart>('generate', model, request, options)
      const written = { text: '', tokens: 0 }
      for await (const { text, thought } of call) {
        if (thought !== undefined) yield { kind: 'thought', speaker: me.id, text: thought }
        const words = reader?.(text) ?? ''
        if (shows && words !== '') yield { kind: 'text', speaker: me.id, text: words }
        written.text += words
        written.tokens += shareOfTokens(text + (thought ?? ''))
        const spent = purse.spentWith(read, written.tokens)
        if (spent === undefined) continue
        // Leaving the loop calls the model off; a durable run that is read again leaves it at the same part.
        yield paid(read, Math.ceil(written.tokens), purse, me)
        return { text: written.text, calls: [], value: undefined, cut: false, spent, streamed: shows, turn: { role: 'assistant', content: written.text } }
      }
      const result = await call
      yield paid(result.usage.promptTokens, result.usage.completionTokens, purse, me)
      const heard = voice.hear(result, said, purse.usage.steps)
      const turn = { role: 'assistant', content: heard.text, ...(heard.calls.length > 0 && { toolCalls: heard.calls }) }
      return { ...heard, cut: result.finishReason === 'length', streamed: shows, turn }
    } catch (error) {
      if (purse.spent(me.clock.now()) === 'time') return 'time'
      const waitMs = waitBefore(error, tried)
      if (waitMs === undefined) throw error
      yield { kind: 'retry', speaker: me.id, reason: error instanceof Error ? error.message : String(error) }
      await me.sleep(waitMs)
    }
  }
}

function paid(promptTokens: number, completionTokens: number, purse: Purse, { id }: Pick<Me, 'id'>): AgentChunk {
  purse.pay(promptTokens, completionTokens)
  return { kind: 'usage', speaker: id, promptTokens, completionTokens, money: purse.costOf(promptTokens, completionTokens) }
}
