/** Texts made shorter, and in another language: by a model for that, by the generator itself, or by choosing sentences. */
import type { GenerateResult } from '../../models/index.js'
import { TroupeError, type Work } from '../../runtime/index.js'
import { passagesOf } from '../retriever/passages.js'
import { tokensIn } from '../tokens.js'
import { extracted } from './extract.js'

export interface Writers {
  readonly model: string
  /** Whether the model can do what it is told; the embedded one only answers from passages. */
  readonly obeys: boolean
  readonly contextTokens: number
  readonly summariser: string | undefined
  readonly translator: string | undefined
}
export interface Usage {
  readonly promptTokens: number
  readonly completionTokens: number
}
/** Whoever may ask a model: an effect, or a handler. */
export type Asking = Pick<Work, 'infer' | 'signal'>

export interface Condensed {
  readonly text: string
  readonly how: 'written' | 'extracted'
  readonly usage: Usage
}

const NOTHING: Usage = { promptTokens: 0, completionTokens: 0 }
/** Summaries of parts are put together and summarised again; each round makes them some four times shorter. */
const ROUNDS_MAX = 6
const SHARE_FOR_TEXT = 0.6

export const sum = (a: Usage, b: Usage): Usage => ({ promptTokens: a.promptTokens + b.promptTokens, completionTokens: a.completionTokens + b.completionTokens })

export async function condensed(text: string, tokens: number, writers: Writers, work: Asking): Promise<Condensed> {
  if (writers.summariser === undefined && !writers.obeys) return { text: extracted(text, tokens), how: 'extracted', usage: NOTHING }
  let whole = text
  let usage = NOTHING
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const written: string[] = []
    const parts = partsOf(whole, writers.contextTokens)
    for (const part of parts) {
      const one = await summaryOf(part, tokens, writers, work)
      written.push(one.text)
      usage = sum(usage, one.usage)
    }
    whole = written.join('\n')
    if (parts.length <= 1) break
  }
  return { text: whole, how: 'written', usage }
}

const partsOf = (text: string, contextTokens: number): string[] => passagesOf([{ title: '', blocks: [{ kind: 'prose', text }] }], { tokens: Math.floor(SHARE_FOR_TEXT * contextTokens), chars: Infinity }).map((part) => part.text)

async function summaryOf(text: string, tokens: number, { model, summariser }: Writers, work: Asking): Promise<{ text: string; usage: Usage }> {
  if (summariser !== undefined) {
    const [summary = ''] = await work.infer<string[]>('summarise', summariser, { inputs: [text], maxTokens: tokens }, { signal: work.signal })
    return { text: summary.trim(), usage: NOTHING }
  }
  return told(`Summarise the text in at most ${Math.round(tokens * 0.7)} words, in its own language. Keep names, numbers and decisions. Reply with the summary alone.`, text, tokens, model, work)
}

interface Foreign {
  readonly text: string
  readonly targetLanguage: string
  readonly sourceLanguage?: string | undefined
  readonly maxTokens?: number | undefined
}

export async function translated({ text, targetLanguage: to, sourceLanguage: from, maxTokens }: Foreign, { model, obeys, translator }: Writers, work: Asking): Promise<string> {
  const tokens = maxTokens ?? 2 * tokensIn(text) + 16
  if (translator !== undefined) {
    const [translation = ''] = await work.infer<string[]>('translate', translator, { inputs: [text], to, maxTokens: tokens, ...(from === undefined ? {} : { from }) }, { signal: work.signal, urgency: 'interactive' })
    return translation.trim()
  }
  if (!obeys) throw new TroupeError('ModelNotFound', `${model} cannot translate`, "name a model that can: generator({ translator: 'Xenova/opus-mt-en-zh' })", { model, task: 'translate' })
  return (await told(`Translate the text ${from === undefined ? '' : `from ${from} `}to ${to}. Reply with the translation alone.`, text, tokens, model, work)).text
}

async function told(instruction: string, text: string, maxTokens: number, model: string, work: Asking): Promise<{ text: string; usage: Usage }> {
  const messages = [{ role: 'system', content: instruction }, { role: 'user', content: text }]
  const written = await work.infer<GenerateResult>('generate', model, { messages, maxTokens, temperature: 0 }, { signal: work.signal })
  return { text: written.text.trim(), usage: written.usage }
}
