/** What `generator` does outside its chart: writes the answer, part by part, and checks it. */
import type { GeneratePart, GenerateResult } from '../../models/index.js'
import { streamOnce, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Effect } from '../settled.js'
import { checkCitations } from './citations.js'
import { PASSAGES_MAX, promptOf } from './prompt.js'
import type { GeneratorChunk, Source } from './protocol.js'
import { isRefusal, mayBecomeRefusal } from './refusals.js'
import { Verbatim } from './verbatim.js'

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
  readonly verbatim: boolean
}

export const generatorWork = (settings: Settings): GeneratorWork => ({
  answer: streamOnce('answer', (input: AnswerInput, work) => answer(input, work, settings)),
})

async function* answer({ question, passages: given }: AnswerInput, work: Work, { model, maxTokens, verbatim }: Settings): AsyncGenerator<GeneratorChunk, undefined> {
  const passages = given.slice(0, PASSAGES_MAX)
  const generation = work.infer<GenerateResult, GeneratePart>('generate', model, { messages: promptOf(question, passages), maxTokens }, { signal: work.signal, urgency: 'interactive' })
  const editor = verbatim ? new Verbatim(passages) : AS_WRITTEN
  let whole = ''
  let held = ''
  let said = ''
  for await (const { text } of generation) {
    whole += text
    held += text
    // What may be a refusal is held back, so that whoever shows text as it comes never has to take it back.
    if (mayBecomeRefusal(whole)) continue
    const shown = editor.push(held)
    held = ''
    said += shown
    if (shown !== '') yield { kind: 'text', text: shown }
  }
  const { usage, finishReason } = await generation
  const refused = isRefusal(whole)
  const rest = refused ? '' : editor.push(held) + editor.end()
  if (rest !== '') yield { kind: 'text', text: rest }
  said += rest
  if (said === '') yield { kind: 'refusal', reason: refused ? 'refused' : 'ungrounded', text: whole.trim() }
  yield { kind: 'done', ...checkCitations(said, passages), usage, finishReason }
  return undefined
}

/** For models that are trusted to write: their text as it is, checked at the end. */
const AS_WRITTEN = { push: (text: string): string => text, end: (): string => '' }
