/** An agent, or a team, behind the AI SDK's model interface: it runs its own tools and tells of them. */
import { TroupeError } from '../../ground/errors.js'
import type { Ref } from '../../runtime/index.js'
import type { Agent, AgentChunk, AgentOutcome, AgentTask } from '../agent/protocol.js'
import { conversationOf } from './conversation.js'
import { modelOf } from './model.js'
import { Blocks, usageOf } from './parts.js'
import { jsonOf, type SdkCall, type SdkContent, type SdkFinish, type SdkLanguageModel, type SdkPart, type SdkToolPart, type SdkWarning } from './specification.js'

type AgentRef = Ref<(typeof Agent)['specs']>

export const agentModel = (ref: AgentRef): SdkLanguageModel =>
  modelOf<AgentChunk>({
    address: ref.address,
    open: (call) => {
      const { task, warnings } = taskOf(call)
      return { chunks: ref.stream({ type: 'run', ...task }, call.abortSignal === undefined ? {} : { signal: call.abortSignal }), warnings }
    },
    telling,
    gathering: () => {
      const content: SdkContent[] = []
      return (chunk) => {
        if (chunk.kind === 'tool-call' || chunk.kind === 'tool-result') content.push(toolPart(chunk))
        if (chunk.kind !== 'done') return undefined
        return { content: [...content, { type: 'text', text: textOf(chunk) }], finishReason: finishOf(chunk), usage: usageOf(chunk.usage) }
      }
    },
  })

/** An agent has instructions of its own, so what the application says first is the first thing that it hears. */
function taskOf(call: SdkCall): { task: AgentTask; warnings: SdkWarning[] } {
  const { system, turns, parts, schema, warnings } = conversationOf(call, { taken: ['maxOutputTokens'], insteadOfTools: 'the agent has tools of its own', files: true })
  const last = turns.at(-1)
  if (last?.role !== 'user') throw new TroupeError('InvalidMessage', 'the conversation does not end with a message of the user', 'give the agent something to answer')
  const earlier = [...(system === '' ? [] : [{ role: 'user' as const, content: system }]), ...turns.slice(0, -1)]
  const budget = call.maxOutputTokens === undefined ? {} : { budget: { tokens: call.maxOutputTokens } }
  return { task: { input: last.content, ...(parts.length > 0 && { parts }), ...(earlier.length > 0 && { messages: earlier }), ...(schema !== undefined && { schema }), ...budget }, warnings }
}

function telling(): (chunk: AgentChunk) => SdkPart[] {
  const blocks = new Blocks()
  let said = false
  return (chunk) => {
    switch (chunk.kind) {
      case 'text':
        said = true
        return blocks.say('text', chunk.text, chunk.speaker)
      case 'thought':
        return blocks.say('reasoning', chunk.text, chunk.speaker)
      case 'tool-call':
      case 'tool-result':
        return [...blocks.end(), toolPart(chunk)]
      case 'turn':
      case 'retry':
        return blocks.end()
      case 'done':
        return [...(said ? [] : blocks.say('text', textOf(chunk))), ...blocks.end(), { type: 'finish', usage: usageOf(chunk.usage), finishReason: finishOf(chunk) }]
      case 'approval':
      case 'failed':
      case 'usage':
        return []
    }
  }
}

const textOf = ({ text, value }: AgentOutcome): string => (value === undefined ? text : JSON.stringify(value))

function toolPart(chunk: Extract<AgentChunk, { kind: 'tool-call' | 'tool-result' }>): SdkToolPart {
  if (chunk.kind === 'tool-call') return { type: 'tool-call', toolCallId: chunk.id, toolName: chunk.tool, input: JSON.stringify(chunk.input ?? {}), providerExecuted: true, dynamic: true }
  return { type: 'tool-result', toolCallId: chunk.id, toolName: chunk.tool, result: jsonOf(chunk.output), isError: !chunk.ok, dynamic: true }
}

const FINISHES: Readonly<Record<AgentOutcome['finish'], SdkFinish['unified']>> = { stop: 'stop', length: 'length', steps: 'length', tokens: 'length', time: 'length', money: 'length', refused: 'content-filter' }
const finishOf = ({ finish }: AgentOutcome): SdkFinish => ({ unified: FINISHES[finish], raw: finish })
