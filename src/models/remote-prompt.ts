/** A request in the words of the AI SDK: its prompt, its settings, its tools. */
import type { ChatMessage } from './kernel.js'
import type { GenerateRequest } from './kernels/generate.js'

export function settingsOf({ maxTokens, temperature, topK, topP, seed, stop, schema, tools }: GenerateRequest): Record<string, unknown> {
  const given = {
    maxOutputTokens: maxTokens,
    temperature,
    topK,
    topP,
    seed,
    stopSequences: typeof stop === 'string' ? [stop] : stop,
    responseFormat: schema === undefined ? undefined : { type: 'json', schema },
    tools: tools?.map(({ name, description, parameters }) => ({ type: 'function', name, inputSchema: parameters, ...(description !== undefined && { description }) })),
    toolChoice: tools === undefined ? undefined : { type: 'auto' },
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

export function promptOf({ messages, prompt }: GenerateRequest): unknown[] {
  return (messages ?? [{ role: 'user', content: prompt ?? '' }]).map(turnOf)
}

function turnOf({ role, content, images = [], toolCalls = [], toolCallId, toolName }: ChatMessage): unknown {
  if (role === 'system') return { role, content }
  if (role === 'tool') return { role, content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: content } }] }
  const text = content === '' && toolCalls.length + images.length > 0 ? [] : [{ type: 'text', text: content }]
  const calls = toolCalls.map(({ id, name, input }) => ({ type: 'tool-call', toolCallId: id, toolName: name, input: asValue(input) }))
  const files = images.map(({ mediaType, data }) => ({ type: 'file', mediaType, data }))
  return { role: role === 'assistant' ? role : 'user', content: [...text, ...files, ...calls] }
}

/** A provider gets back what its model wrote, also where that was no JSON. */
function asValue(input: string): unknown {
  try {
    return JSON.parse(input)
  } catch {
    return input
  }
}
