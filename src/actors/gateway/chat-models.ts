/** What can stand behind the name of a model: an actor of `Chat`, an agent or a team, a generator, or a model of a host. */
import { TroupeError } from '../../ground/errors.js'
import type { Ref } from '../../runtime/index.js'
import type { GenerateRequest, Host } from '../../models/index.js'
import type { Agent } from '../agent/protocol.js'
import type { Generator } from '../generator/protocol.js'
import { Chat, type ChatPart, type ChatRequest } from './chat.js'

export type ChatRef = Ref<(typeof Chat)['specs']>
export type AgentRef = Ref<(typeof Agent)['specs']>
export type GeneratorRef = Ref<(typeof Generator)['specs']>
/** A model of a host, by its name there. */
export interface Hosted {
  readonly host: Pick<Host, 'generate' | 'embed'>
  readonly model: string
}
export type ChatModel = ChatRef | AgentRef | GeneratorRef | Hosted
export type Parts = AsyncIterable<ChatPart>

const isHosted = (model: ChatModel): model is Hosted => 'host' in model
const isAgent = (ref: ChatRef | AgentRef | GeneratorRef): ref is AgentRef => 'run' in ref.protocol.specs
const isGenerator = (ref: ChatRef | GeneratorRef): ref is GeneratorRef => 'answer' in ref.protocol.specs

/** Asks whatever stands behind the name. Reading slowly slows the model down; the signal calls it off. */
export function chat(model: ChatModel, request: ChatRequest, signal: AbortSignal): Parts {
  if (isHosted(model)) return hosted(model, request, signal)
  if (isAgent(model)) return worked(model, request, signal)
  return isGenerator(model) ? generated(model, request, signal) : model.stream({ type: 'chat', ...request }, { signal })
}

function withoutTools({ tools }: ChatRequest): void {
  if (tools !== undefined && tools.length > 0) throw new TroupeError('InvalidMessage', 'this model calls no tools', 'leave out tools, or serve an actor of the Chat protocol that calls them')
}

const manner = ({ maxTokens, temperature, topP, stop, seed, schema }: ChatRequest): Pick<GenerateRequest, 'maxTokens' | 'temperature' | 'topP' | 'stop' | 'seed' | 'schema'> => ({
  ...(maxTokens !== undefined && { maxTokens }),
  ...(temperature !== undefined && { temperature }),
  ...(topP !== undefined && { topP }),
  ...(stop !== undefined && { stop }),
  ...(seed !== undefined && { seed }),
  ...(schema !== undefined && { schema }),
})

async function* hosted({ host, model }: Hosted, request: ChatRequest, signal: AbortSignal): Parts {
  withoutTools(request)
  const turns = request.messages.map(({ role, content }) => ({ role, content }))
  const generation = host.generate(model, { messages: turns, ...manner(request) }, { signal, urgency: 'interactive' })
  for await (const { text } of generation) if (text !== '') yield { kind: 'text', text }
  const { usage, finishReason } = await generation
  yield { kind: 'done', finishReason, usage }
}

async function* generated(ref: GeneratorRef, request: ChatRequest, signal: AbortSignal): Parts {
  withoutTools(request)
  const system = request.messages.flatMap(({ role, content }) => (role === 'system' ? content : [])).join('\n')
  const messages = request.messages.flatMap(({ role, content }) => (role === 'user' || role === 'assistant' ? [{ role, content }] : []))
  for await (const chunk of ref.stream({ type: 'chat', messages, ...(system !== '' && { system }), ...manner(request) } as never, { signal })) {
    if (chunk.kind === 'done') yield { kind: 'done', finishReason: chunk.finishReason, usage: chunk.usage }
    else if (chunk.text !== '') yield { kind: 'text', text: chunk.text }
  }
}

/** An agent uses its own tools and has its own manner; what it decides itself is refused, so that nobody believes it was heeded. */
async function* worked(ref: AgentRef, request: ChatRequest, signal: AbortSignal): Parts {
  withoutTools(request)
  const own = (['temperature', 'topP', 'seed', 'stop'] as const).find((setting) => request[setting] !== undefined)
  if (own !== undefined) throw new TroupeError('InvalidMessage', `this model decides on ${own} itself`, `leave out ${own}`)
  // It has instructions of its own: what the application says first is the first thing that it hears.
  const turns = request.messages.flatMap(({ role, content }) => (role === 'tool' ? [] : [{ role: role === 'system' ? ('user' as const) : role, content }]))
  const last = turns.pop()
  if (last?.role !== 'user') throw new TroupeError('InvalidMessage', 'the conversation does not end with a message of the user', 'give the agent something to answer')
  const { schema, maxTokens } = request
  const task = { input: last.content, ...(turns.length > 0 && { messages: turns }), ...(schema !== undefined && { schema }), ...(maxTokens !== undefined && { budget: { tokens: maxTokens } }) }
  let said = false
  for await (const chunk of ref.stream({ type: 'run', ...task }, { signal })) {
    if (chunk.kind === 'text') {
      said = true
      yield { kind: 'text', text: chunk.text }
    }
    if (chunk.kind !== 'done') continue
    if (!said) yield { kind: 'text', text: chunk.value === undefined ? chunk.text : JSON.stringify(chunk.value) }
    yield { kind: 'done', finishReason: chunk.finish === 'stop' || chunk.finish === 'refused' ? 'stop' : 'length', usage: { promptTokens: chunk.usage.promptTokens, completionTokens: chunk.usage.completionTokens } }
  }
}
