/** What `generator` does outside its chart: writes the answer, part by part, and checks it. */
import type { GeneratePart, GenerateResult } from '../../models/index.js'
import { streamOnce, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Effect } from '../settled.js'
import { checkCitations } from './citations.js'
import { PASSAGES_MAX, promptOf } from './prompt.js'
import type { GeneratorChunk, Source } from './protocol.js'
import { isRefusal, mayBecomeRefusal } from './refusals.js'

export interface AnswerInput {
  readonly question: string
  readonly passages: readonly Source[]
  readonly into: ReturnAddress
}
export interface GeneratorWork {
  readonly answer: Effect<undefined, AnswerInput>
}
interface Settings {
  readonly model: string
  readonly maxTokens: number
}

export const generatorWork = (settings: Settings): GeneratorWork => ({
  answer: streamOnce('answer', (input: AnswerInput, work) => answer(input, work, settings)),
})

async function* answer({ question, passages: given }: AnswerInput, work: Work, { model, maxTokens }: Settings): AsyncGenerator<GeneratorChunk, undefined> {
  const passages = given.slice(0, PASSAGES_MAX)
  const generation = work.infer<GenerateResult, GeneratePart>('generate', model, { messages: promptOf(question, passages), maxTokens }, { signal: work.signal, urgency: 'interactive' })
  let whole = ''
  let held = ''
  for await (const { text } of generation) {
    whole += text
    held += text
    // What may be a refusal is held back, so that whoever shows text as it comes never has to take it back.
    if (mayBecomeRefusal(whole)) continue
    yield { kind: 'text', text: held }
    held = ''
  }
  if (isRefusal(whole)) yield { kind: 'refusal', text: whole.trim() }
  else if (held !== '') yield { kind: 'text', text: held }
  const { usage, finishReason } = await generation
  yield { kind: 'done', ...checkCitations(whole, passages), usage, finishReason }
  return undefined
}
