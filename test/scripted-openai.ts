// A provider on loopback that says what it is told to say, in the shapes that real ones use: text and tool calls in
// fragments, several calls at once, usage at the end, errors with a status, connections that break.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { RemoteLanguageModel } from 'troupe/models'

export interface Asked {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: unknown; readonly tool_calls?: readonly { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }[]; readonly tool_call_id?: string }[]
  readonly tools?: readonly { readonly function: { readonly name: string; readonly description?: string; readonly parameters: Record<string, unknown> } }[]
  readonly response_format?: { readonly type: string }
  readonly max_tokens?: number
}
export interface Called {
  readonly name: string
  /** As the model writes it: not always JSON. */
  readonly arguments: string
}
export type Answer =
  | { readonly text: string; readonly reason?: 'stop' | 'length' }
  | { readonly calls: readonly Called[]; readonly text?: string; readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } }
  | { readonly status: number; readonly retryAfter?: string }
  /** The connection breaks after this text. */
  | { readonly broken: string }
  /** Nothing more comes after this text. */
  | { readonly stuck: string }
/** The answer to each request: in order, or by what was asked. */
export type Script = Answer[] | ((asked: Asked) => Answer)

export interface ScriptedOpenAI {
  readonly model: RemoteLanguageModel
  readonly url: string
  readonly asked: Asked[]
  /** Requests whose client left before the answer was over. */
  readonly left: number
  /** Resolves with the next request that is left by its client. */
  onLeft(): Promise<void>
  close(): Promise<void>
}

const USAGE = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 }

export async function scriptedOpenAI(script: Script, port = 0): Promise<ScriptedOpenAI> {
  const asked: Asked[] = []
  let left = 0
  let told: () => void = () => {}
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (response.writableFinished) return
      left++
      told()
    })
    void bodyOf(request).then((body) => {
      asked.push(body)
      const answer = typeof script === 'function' ? script(body) : script.shift()
      write(answer ?? { status: 500 }, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const model = createOpenAICompatible({ name: 'scripted', baseURL: url, includeUsage: true, supportsStructuredOutputs: true })('scripted-1')
  return {
    model: model as unknown as RemoteLanguageModel,
    url,
    asked,
    get left() {
      return left
    },
    onLeft: () => new Promise((resolve) => (told = resolve)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<Asked> {
  let text = ''
  for await (const piece of request) text += String(piece)
  return JSON.parse(text) as Asked
}

function write(answer: Answer, response: ServerResponse): void {
  if ('status' in answer) {
    response.writeHead(answer.status, { 'content-type': 'application/json', ...(answer.retryAfter !== undefined && { 'retry-after': answer.retryAfter }) })
    return void response.end(JSON.stringify({ error: { message: `status ${answer.status}`, type: 'scripted', code: answer.status } }))
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (choice: object | undefined, more: object = {}): void => void response.write(`data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'scripted-1', choices: choice === undefined ? [] : [{ index: 0, ...choice }], ...more })}\n\n`)
  const text = 'broken' in answer ? answer.broken : 'stuck' in answer ? answer.stuck : (answer.text ?? '')
  for (const piece of text.match(/.{1,4}/gsu) ?? []) send({ delta: { role: 'assistant', content: piece }, finish_reason: null })
  if ('broken' in answer) return void setImmediate(() => response.socket?.destroy())
  if ('stuck' in answer) return
  if ('calls' in answer) {
    for (const [index, call] of answer.calls.entries()) send({ delta: { tool_calls: [{ index, id: `call_${index}_${call.name}`, type: 'function', function: { name: call.name, arguments: '' } }] }, finish_reason: null })
    const pieces = answer.calls.map((call) => call.arguments.match(/.{1,5}/gsu) ?? [])
    // Fragments of parallel calls come interleaved.
    for (let at = 0; at < Math.max(...pieces.map(({ length }) => length)); at++) {
      for (const [index, all] of pieces.entries()) if (all[at] !== undefined) send({ delta: { tool_calls: [{ index, function: { arguments: all[at] } }] }, finish_reason: null })
    }
  }
  send({ delta: {}, finish_reason: 'calls' in answer ? 'tool_calls' : 'reason' in answer ? answer.reason : 'stop' })
  send(undefined, { usage: ('usage' in answer ? answer.usage : undefined) ?? USAGE })
  response.end('data: [DONE]\n\n')
}
