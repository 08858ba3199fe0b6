/** A conversation with a model, in the words that OpenAI's interface has for it: what an actor takes that is served so. */
import { protocol, stream } from '../../runtime/index.js'
import { boolean, count, kinds, list, number, oneOf, optional, record, string, typed, type Shaped } from '../shape.js'

const schema = typed<Readonly<Record<string, unknown>>>('a JSON schema', (value) => typeof value === 'object' && value !== null && !Array.isArray(value))

/** A call of a tool, its arguments as the JSON that the model wrote. */
const toolCall = record({ id: string, name: string, arguments: string })
const message = record({
  role: oneOf('system', 'user', 'assistant', 'tool'),
  content: string,
  /** Of an assistant: the tools that it called. */
  toolCalls: optional(list(toolCall)),
  /** Of a tool: which call this is the result of. */
  toolCallId: optional(string),
})
const tool = record({ name: string, description: optional(string), parameters: optional(schema), strict: optional(boolean) })

const body = record({
  messages: list(message),
  tools: optional(list(tool)),
  /** `auto`, `none`, `required`, or the name of the one tool to call. */
  toolChoice: optional(string),
  /** The text is JSON that this schema accepts. */
  schema: optional(schema),
  maxTokens: optional(count),
  temperature: optional(number),
  topP: optional(number),
  seed: optional(number),
  stop: optional(list(string)),
})
const part = kinds({
  text: { text: string },
  tool: { id: string, name: string, arguments: string },
  done: { finishReason: oneOf('stop', 'length', 'tool_calls'), usage: record({ promptTokens: number, completionTokens: number }) },
})

export type ChatRequest = Shaped<typeof body>
export type ChatPart = Shaped<typeof part>

/** Any actor with this protocol can be served as a model. */
export const Chat = protocol({
  /** Goes on with a conversation. */
  chat: stream(body, part),
})
