/** An actor as the model of the AI SDK's `streamText`. */
import { streamText } from 'ai'
import type { Troupe } from 'troupe'
import { generator, languageModel } from 'troupe/actors'

export async function* continued(troupe: Troupe, prompt: string, signal?: AbortSignal): AsyncGenerator<string, void> {
  const model = languageModel(troupe.spawn('writer', generator({ verbatim: false })))
  yield* streamText({ model, prompt, maxOutputTokens: 48, ...(signal && { abortSignal: signal }) }).textStream
}
