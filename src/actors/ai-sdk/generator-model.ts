/** A generator behind the AI SDK's model interface. */
import { TroupeError } from '../../ground/errors.js'
import type { Ref } from '../../runtime/index.js'
import type { ChatBody, Generator, GeneratorChunk } from '../generator/protocol.js'
import { conversationOf } from './conversation.js'
import { Blocks, partsOf, usageOf } from './parts.js'
import type { SdkCall, SdkFinish, SdkLanguageModel, SdkPart, SdkWarning } from './specification.js'

type GeneratorRef = Ref<(typeof Generator)['specs']>
type Done = Extract<GeneratorChunk, { kind: 'done' }>

export function generatorModel(ref: GeneratorRef): SdkLanguageModel {
  const open = (call: SdkCall): { chunks: AsyncIterableIterator<GeneratorChunk>; warnings: SdkWarning[] } => {
    const { body, warnings } = bodyOf(call)
    return { chunks: ref.stream({ type: 'chat', ...body }, call.abortSignal === undefined ? {} : { signal: call.abortSignal }), warnings }
  }
  return {
    specificationVersion: 'v3',
    provider: 'troupe',
    modelId: ref.address,
    supportedUrls: {},
    doStream: async (call) => {
      const { chunks, warnings } = open(call)
      return { stream: partsOf(chunks, warnings, telling()) }
    },
    doGenerate: async (call) => {
      const { chunks, warnings } = open(call)
      let text = ''
      let refused = false
      for await (const chunk of chunks) {
        if (chunk.kind === 'done') return { content: [{ type: 'text', text }], finishReason: finishOf(chunk, refused), usage: usageOf(chunk.usage), warnings }
        text += chunk.text
        refused ||= chunk.kind === 'refusal'
      }
      throw new TroupeError('ModelFailed', `${ref.address} ended its text without an outcome`, 'a generator closes its stream with a chunk `done`', { model: ref.address })
    },
  }
}

function bodyOf(call: SdkCall): { body: ChatBody; warnings: SdkWarning[] } {
  const { system, turns, schema, warnings } = conversationOf(call, { taken: ['maxOutputTokens', 'temperature', 'seed'], insteadOfTools: 'a generator calls none; an agent does' })
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
