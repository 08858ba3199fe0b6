/** How a model is told of tools and heard calling them: by its provider's own means, or, for a model that runs here, as constrained JSON. */
import type { ChatMessage, GenerateRequest, GenerateResult, ToolCall, ToolSpec } from '../../models/index.js'
import type { JsonObject } from '../json-schema-of.js'
import { answerText } from './answer-text.js'

/** What is said to a model. */
export interface Said {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly ToolSpec[]
  /** What the answer has to be. */
  readonly schema: JsonObject | undefined
}
/** What a model said. */
export interface Heard {
  readonly text: string
  readonly calls: readonly ToolCall[]
  readonly value: unknown
}

export interface Voice {
  readonly ask: (said: Said) => Pick<GenerateRequest, 'messages' | 'tools' | 'schema'>
  readonly hear: (result: GenerateResult, said: Said, step: number) => Heard
  /** Reads one turn as it comes, piece by piece: what more there is to show. Nothing where it cannot be shown before its end. */
  readonly reader: (said: Said) => ((piece: string) => string) | undefined
}

/** A provider's word that these are calls is not taken for it. */
const asCall = ({ id, name, input }: Readonly<Record<keyof ToolCall, unknown>>): ToolCall => ({ id: String(id), name: String(name), input: typeof input === 'string' ? input : JSON.stringify(input ?? {}) })

const asItIs = (piece: string): string => piece

export const NATIVE: Voice = {
  ask: ({ messages, tools, schema }) => ({ messages, ...(tools.length > 0 && { tools }), ...(schema !== undefined && { schema }) }),
  hear: ({ text, toolCalls = [], value }) => ({ text, calls: toolCalls.map(asCall), value }),
  reader: () => asItIs,
}

/** One of the tools with its input, or an answer: nothing else can be written, so each call parses and names a tool that there is. */
export const CONSTRAINED: Voice = {
  ask: ({ messages, tools, schema }) => {
    if (tools.length === 0) return { messages, ...(schema !== undefined && { schema }) }
    return { messages: [...messages.filter(isSystem), { role: 'system', content: listOf(tools) }, ...messages.filter((each) => !isSystem(each)).map(asText)], schema: choiceOf(tools, schema) }
  },
  hear: ({ text, value }, { tools, schema }, step) => {
    if (tools.length === 0) return { text, calls: [], value }
    const { tool, input, answer } = value as { tool?: string; input?: unknown; answer?: unknown }
    if (tool !== undefined) return { text: '', calls: [{ id: `call-${step}`, name: tool, input: JSON.stringify(input) }], value: undefined }
    return schema === undefined ? { text: String(answer), calls: [], value: undefined } : { text: JSON.stringify(answer), calls: [], value: answer }
  },
  reader: ({ tools, schema }) => (tools.length === 0 ? asItIs : schema === undefined ? answerText() : undefined),
}

const isSystem = ({ role }: ChatMessage): boolean => role === 'system'

const choiceOf = (tools: readonly ToolSpec[], schema: JsonObject | undefined): JsonObject => ({
  anyOf: [
    ...tools.map(({ name, parameters }) => ({ type: 'object', properties: { tool: { const: name }, input: parameters }, required: ['tool', 'input'], additionalProperties: false })),
    { type: 'object', properties: { answer: schema ?? { type: 'string' } }, required: ['answer'], additionalProperties: false },
  ],
})

const listOf = (tools: readonly ToolSpec[]): string =>
  ['Reply with {"tool": name, "input": …} to use a tool, or with {"answer": …}. Tools:', ...tools.map(({ name, description, parameters }) => `${name}${description === undefined ? '' : ` (${description})`}: ${JSON.stringify(parameters)}`)].join('\n')

/** A turn as models know it that were never taught to call tools. */
function asText({ role, content, images, toolCalls = [], toolName }: ChatMessage): ChatMessage {
  if (role === 'tool') return { role: 'user', content: `${toolName} gave: ${content}` }
  return { role, content: [content, ...toolCalls.map(({ name, input }) => `{"tool":${JSON.stringify(name)},"input":${input}}`)].filter((part) => part !== '').join('\n'), ...(images !== undefined && { images }) }
}
