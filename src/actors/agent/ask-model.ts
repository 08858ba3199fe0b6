import type { ChatMessage, GeneratePart, GenerateResult } from '../../models/index.js'
import { TroupeError, type Me } from '../../runtime/index.js'
import { shareOfTokens } from '../tokens.js'
import type { Spent } from './budget.js'
import { weightOf } from './fitted.js'
import { ANSWER_EXCESS, MODEL_CALL_MS } from './limits.js'
import { costOfTools } from './memory.js'
import { waitBefore } from './passing.js'
import type { AgentChunk } from './protocol.js'
import type { Purse } from './purse.js'
import { kept } from './read-call.js'
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
  /** What it said is nothing that it may say. */
  readonly wrong?: string
  /** Its text was shown as it came. */
  readonly streamed: boolean
  /** For the model to read again. */
  readonly turn: ChatMessage
}
type Caller = Pick<Me, 'infer' | 'sleep' | 'clock' | 'id'>

/** What has come of an answer so far. */
interface Written {
  text: string
  tokens: number
}

/** One turn of the model: its text as it comes, what it cost, and then what it said; or the budget that ended it before. */
export async function* askModel(said: Said, manner: Manner, purse: Purse, me: Caller): AsyncGenerator<AgentChunk, Turn | Spent> {
  const read = weightOf(said.messages) + costOfTools(said.tools)
  // What would overspend before its first word is not begun.
  const short = purse.spentWith(read, 1)
  if (short !== undefined) return short
  for (let tried = 0; ; tried++) {
    const written = { text: '', tokens: 0 }
    try {
      return yield* once(said, manner, purse, me, read, written)
    } catch (error) {
      if (purse.spent(me.clock.now()) === 'time') return 'time'
      const garbled = garbledBy(error)
      if (garbled !== undefined) {
        yield paid(read, written.tokens, purse, me)
        return { ...turnOf(written.text, manner), ...garbled }
      }
      const waitMs = waitBefore(error, tried)
      if (waitMs === undefined) throw error
      yield { kind: 'retry', speaker: me.id, reason: error instanceof Error ? error.message : String(error) }
      await me.sleep(waitMs)
    }
  }
}

async function* once(said: Said, manner: Manner, purse: Purse, me: Caller, read: number, written: Written): AsyncGenerator<AgentChunk, Turn> {
  const { model, voice, maxTokens, temperature, holdsText } = manner
  const tokens = Math.min(maxTokens, purse.tokensLeft)
  const request = { ...voice.ask(said), maxTokens: tokens, ...(temperature !== undefined && { temperature }) }
  const options = { urgency: 'interactive', deadline: purse.deadline, timeout: MODEL_CALL_MS } as const
  const reader = voice.reader(said)
  const shows = reader !== undefined && !holdsText
  const call = me.infer<GenerateResult, GeneratePart>('generate', model, request, options)
  for await (const { text, thought } of call) {
    if (thought !== undefined) yield { kind: 'thought', speaker: me.id, text: thought }
    const words = reader?.(text) ?? ''
    if (shows && words !== '') yield { kind: 'text', speaker: me.id, text: words }
    written.text += words
    written.tokens += shareOfTokens(text + (thought ?? ''))
    const spent = purse.spentWith(read, written.tokens)
    const cut = written.tokens > ANSWER_EXCESS * maxTokens
    if (spent === undefined && !cut) continue
    // Leaving the loop calls the model off; a durable run that is read again leaves it at the same part.
    yield paid(read, written.tokens, purse, me)
    return { ...turnOf(written.text, manner, shows), cut, ...(spent !== undefined && { spent }) }
  }
  const result = await call
  const { promptTokens, completionTokens } = result.usage
  // A provider that counts nothing would never be done with a budget.
  const counts = promptTokens + completionTokens > 0
  yield paid(counts ? promptTokens : read, counts ? completionTokens : written.tokens, purse, me)
  const heard = voice.hear(result, said, purse.usage.steps)
  const turn = { role: 'assistant', content: heard.text, ...(heard.calls.length > 0 && { toolCalls: heard.calls.map(kept) }) }
  return { ...heard, cut: result.finishReason === 'length', streamed: shows, turn }
}

const turnOf = (text: string, { holdsText }: Manner, shows = !holdsText): Turn => ({ text, calls: [], value: undefined, cut: false, streamed: shows, turn: { role: 'assistant', content: text } })

/** An answer that is no JSON where it had to be, or not all of it. */
function garbledBy(error: unknown): Pick<Turn, 'cut' | 'wrong'> | undefined {
  const reason = error instanceof TroupeError && error.code === 'ModelFailed' ? error.details['reason'] : undefined
  return reason === 'no-json' ? { cut: false, wrong: 'it is not JSON' } : reason === 'cut-by-limit' ? { cut: true } : undefined
}

function paid(promptTokens: number, completionTokens: number, purse: Purse, { id }: Pick<Me, 'id'>): AgentChunk {
  const written = Math.ceil(completionTokens)
  purse.pay(promptTokens, written)
  return { kind: 'usage', speaker: id, promptTokens, completionTokens: written, money: purse.costOf(promptTokens, written) }
}
