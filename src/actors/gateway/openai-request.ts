/** What OpenAI's clients send, as a conversation of ours. What cannot be honoured is refused, not ignored. */
import { TroupeError } from '../../ground/errors.js'
import type { ChatRequest } from './chat.js'

export interface Wanted {
  readonly model: string
  readonly stream: boolean
  /** A last chunk of a stream tells the usage. */
  readonly includeUsage: boolean
  readonly request: ChatRequest
}
type Fields = Readonly<Record<string, unknown>>
type Turn = ChatRequest['messages'][number]

const wrong = (what: string, hint: string): TroupeError => new TroupeError('InvalidMessage', what, hint)
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

export function fieldsOf(body: unknown): Fields & { readonly model: string } {
  if (isFields(body) && typeof body['model'] === 'string') return body as Fields & { readonly model: string }
  throw wrong('the body names no model', 'send { "model": "…", … }, see /v1/models')
}

export function wantedIn(body: unknown): Wanted {
  const fields = fieldsOf(body)
  const { model, messages, n } = fields
  if (!Array.isArray(messages) || messages.length === 0) throw wrong('messages is no list of turns', 'send { "messages": [{ "role": "user", "content": "…" }] }')
  if (n !== undefined && n !== null && n !== 1) throw wrong('n is not 1', 'ask once for each answer')
  const tools = given(fields['tools'], toolsIn)
  const toolChoice = given(fields['tool_choice'], choiceIn)
  const schema = given(fields['response_format'], schemaIn)
  const stop = given(fields['stop'], (stop) => (Array.isArray(stop) ? stop : [stop]).filter((each) => typeof each === 'string'))
  const options = fields['stream_options']
  return {
    model,
    stream: fields['stream'] === true,
    includeUsage: isFields(options) && options['include_usage'] === true,
    request: {
      messages: messages.map(turnOf),
      ...(tools !== undefined && { tools }),
      ...(toolChoice !== undefined && { toolChoice }),
      ...(schema !== undefined && { schema }),
      ...(stop !== undefined && { stop }),
      ...figure('maxTokens', fields['max_completion_tokens'] ?? fields['max_tokens']),
      ...figure('temperature', fields['temperature']),
      ...figure('topP', fields['top_p']),
      ...figure('seed', fields['seed']),
    },
  }
}

/** OpenAI's clients write `null` for what they leave out. */
const given = <T>(value: unknown, read: (value: {}) => T): T | undefined => (value === undefined || value === null ? undefined : read(value))

function figure<K extends string>(name: K, value: unknown): { [N in K]?: number } {
  if (value === undefined || value === null) return {}
  if (typeof value === 'number' && Number.isFinite(value)) return { [name]: value } as { [N in K]?: number }
  throw wrong(`${name} is no number`, 'leave it out, or send a number')
}

function turnOf(message: unknown, at: number): Turn {
  if (!isFields(message)) throw wrong(`messages.${at} is no object`, 'send { role, content }')
  const { role, tool_calls: calls, tool_call_id: toolCallId } = message
  const known = role === 'developer' ? 'system' : role
  if (known !== 'system' && known !== 'user' && known !== 'assistant' && known !== 'tool') throw wrong(`messages.${at}.role is ${JSON.stringify(role)?.slice(0, 40)}`, 'use system, developer, user, assistant or tool')
  return {
    role: known,
    content: textOf(message['content'], at),
    ...(Array.isArray(calls) && calls.length > 0 && { toolCalls: calls.map((call) => callOf(call, at)) }),
    ...(typeof toolCallId === 'string' && { toolCallId }),
  }
}

function textOf(content: unknown, at: number): string {
  if (content === undefined || content === null) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw wrong(`messages.${at}.content is no text`, 'send a string, or a list of parts of the type text')
  return content
    .map((part: unknown) => {
      if (isFields(part) && part['type'] === 'text' && typeof part['text'] === 'string') return part['text']
      throw wrong(`messages.${at}.content has a part that is no text`, 'only text can be read here')
    })
    .join('')
}

function callOf(call: unknown, at: number): { id: string; name: string; arguments: string } {
  const named = isFields(call) && isFields(call['function']) ? call['function'] : {}
  const { name, arguments: text } = named
  if (isFields(call) && typeof call['id'] === 'string' && typeof name === 'string' && typeof text === 'string') return { id: call['id'], name, arguments: text }
  throw wrong(`messages.${at}.tool_calls has one without id, name or arguments`, 'send it as it was received')
}

function toolsIn(tools: unknown): NonNullable<ChatRequest['tools']> {
  if (!Array.isArray(tools)) throw wrong('tools is no list', 'send [{ "type": "function", "function": { … } }]')
  return tools.map((tool: unknown) => {
    const described = isFields(tool) && tool['type'] === 'function' && isFields(tool['function']) ? tool['function'] : {}
    const { name, description, parameters, strict } = described
    if (typeof name !== 'string') throw wrong('tools has one that is no function with a name', 'only functions can be called here')
    return { name, ...(typeof description === 'string' && { description }), ...(isFields(parameters) && { parameters }), ...(typeof strict === 'boolean' && { strict }) }
  })
}

function choiceIn(choice: unknown): string {
  if (choice === 'auto' || choice === 'none' || choice === 'required') return choice
  const name = isFields(choice) && isFields(choice['function']) ? choice['function']['name'] : undefined
  if (typeof name === 'string') return name
  throw wrong('tool_choice is none that is known', 'send auto, none, required, or { "type": "function", "function": { "name": "…" } }')
}

function schemaIn(format: unknown): Fields | undefined {
  const { type, json_schema: described } = isFields(format) ? format : {}
  if (type === 'text') return undefined
  if (type === 'json_object') return { type: 'object' }
  if (type === 'json_schema' && isFields(described) && isFields(described['schema'])) return described['schema']
  throw wrong('response_format is none that is known', 'send { "type": "json_schema", "json_schema": { "name": "…", "schema": { … } } }')
}
