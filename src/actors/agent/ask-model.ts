import type { ChatMessage, GeneratePart, GenerateResult } from '../../models/index.js'
import { TroupeError, type Me } from '../../runtime/index.js'
import { MODEL_RETRIES, MODEL_WAIT_MAX_MS, MODEL_WAIT_MS } from './limits.js'
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
  /** Its text was shown as it came. */
  readonly streamed: boolean
  /** For the model to read again. */
  readonly turn: ChatMessage
}
type Caller = Pick<Me, 'infer' | 'sleep' | 'clock' | 'id'>

/** One turn of the model: its text as it comes, what it cost, and then what it said; `late` when the run's time was over before. */
export async function* askModel(said: Said, { model, voice, maxTokens, temperature, holdsText }: Manner, purse: Purse, me: Caller): AsyncGenerator<AgentChunk, Turn | 'late'> {
  const tokens = Math.min(maxTokens, purse.tokensLeft)
  const request = { ...voice.ask(said), maxTokens: tokens, ...(temperature !== undefined && { temperature }) }
  const options = { urgency: 'interactive', ...(purse.deadline < Infinity && { deadline: purse.deadline }) } as const
  const shows = voice.streams(said) && !holdsText
  for (let tried = 0; ; tried++) {
    try {
      const call = me.infer<GenerateResult, GeneratePart>('generate', model, request, options)
      for await (const { text, thought } of call) {
        if (thought !== undefined) yield { kind: 'thought', speaker: me.id, text: thought }
        if (shows && text !== '') yield { kind: 'text', speaker: me.id, text }
      }
      const result = await call
      const { promptTokens, completionTokens } = result.usage
      purse.pay(promptTokens, completionTokens)
      yield { kind: 'usage', speaker: me.id, promptTokens, completionTokens, money: purse.costOf(promptTokens, completionTokens) }
      const heard = voice.hear(result, said, purse.usage.steps)
      const turn = { role: 'assistant', content: heard.text, ...(heard.calls.length > 0 && { toolCalls: heard.calls }) }
      return { ...heard, cut: result.finishReason === 'length', streamed: shows, turn }
    } catch (error) {
      if (purse.spent(me.clock.now()) === 'time') return 'late'
      const waitMs = tried < MODEL_RETRIES ? waitBefore(error, tried) : undefined
      if (waitMs === undefined) throw error
      yield { kind: 'retry', speaker: me.id, reason: error instanceof Error ? error.message : String(error) }
      await me.sleep(waitMs)
    }
  }
}

/** How long to wait until the same call may well succeed; nothing when it will not. */
function waitBefore(error: unknown, tried: number): number | undefined {
  if (!(error instanceof TroupeError)) return undefined
  const { reason, retryAfterMs, status } = error.details as { readonly reason?: string; readonly retryAfterMs?: number; readonly status?: number }
  const passes = error.code === 'Overloaded' || (error.code === 'ModelFailed' && (reason === 'connection' || (status ?? 0) >= 500))
  const waitMs = retryAfterMs ?? MODEL_WAIT_MS * 2 ** tried
  return passes && waitMs <= MODEL_WAIT_MAX_MS ? waitMs : undefined
}
