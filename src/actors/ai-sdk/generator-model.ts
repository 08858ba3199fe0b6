/** A generator behind the AI SDK's model interface. */
import type { Ref } from '../../runtime/index.js'
import type { ChatBody, Generator, GeneratorChunk } from '../generator/protocol.js'
import { conversationOf } from './conversation.js'
import { modelOf } from './model.js'
import { Blocks, usageOf } from './parts.js'
import type { SdkCall, SdkFinish, SdkLanguageModel, SdkPart, SdkWarning } from './specification.js'

type GeneratorRef = Ref<(typeof Generator)['specs']>
type Done = Extract<GeneratorChunk, { kind: 'done' }>

export const generatorModel = (ref: GeneratorRef): SdkLanguageModel =>
  modelOf<GeneratorChunk>({
    address: ref.address,
    open: (call) => {
      const { body, warnings } = bodyOf(call)
      return { chunks: ref.stream({ type: 'chat', ...body }, call.abortSignal === undefined ? {} : { signal: call.abortSignal }), warnings }
    },
    telling,
    gathering: () => {
      let text = ''
      let refused = false
      return (chunk) => {
        if (chunk.kind === 'done') return { content: [{ type: 'text', text }], finishReason: finishOf(chunk, refused), usage: usageOf(chunk.usage) }
        text += chunk.text
        refused ||= chunk.kind === 'refusal'
        return undefined
      }
    },
  })

function bodyOf(call: SdkCall): { body: ChatBody; warnings: SdkWarning[] } {
  const { system, turns, schema, warnings } = conversationOf(call, { taken: ['maxOutputTokens', 'temperature', 'seed'], insteadOfTools: 'a generator calls none; an agent does', files: false })
  const { maxOutputTokens, temperature, seed } = call
  const manner = { ...(maxOutputTokens !== undefined && { maxTokens: maxOutputTokens }), ...(temperature !== undefined && { temperature }), ...(seed !== undefined && { seed }), ...(schema !== undefined && { schema }) }
  return { body: { messages: turns, ...(system !== '' && { system }), ...manner }, warnings }
}

function telling(): (chunk: GeneratorChunk) => SdkPart[] {
  const blocks = new Blocks()
  let refused = false
  return (chunk) => {
    if (chunk.kind === 'done') return [...blocks.end(), { type: 'finish', usage: usageOf(chunk.usage), finishReason: finishOf(chunk, refused) }]
    refused ||= chunk.kind === 'refusal'
    return blocks.say('text', chunk.text)
  }
}

const finishOf = ({ finishReason }: Done, refused: boolean): SdkFinish => (refused ? { unified: 'content-filter', raw: 'refused' } : { unified: finishReason, raw: finishReason })
