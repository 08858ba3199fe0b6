/** What runs here as OpenAI's interface: `/v1/chat/completions`, `/v1/embeddings`, `/v1/models`. */
import { TroupeError } from '../../ground/errors.js'
import { tokensIn } from '../tokens.js'
import type { ChatPart } from './chat.js'
import { chat, type ChatModel, type Hosted, type Parts } from './chat-models.js'
import type { EventWriter } from './event-stream.js'
import type { Answer, Call, Face, Route } from './face.js'
import { fieldsOf, wantedIn, type Wanted } from './openai-request.js'
import { refusal, type Problem } from './statuses.js'

export interface OpenAiOptions {
  /** Names of models that converse, and what stands behind each. */
  readonly models?: Readonly<Record<string, ChatModel>>
  /** Names of models that embed. */
  readonly embeddings?: Readonly<Record<string, Hosted>>
}

/** In a scope, the face's address; its message types are the names of models. */
const V1 = '/v1'
const OWNER = 'troupe'
const INPUTS_MAX = 2_048

type Done = Extract<ChatPart, { readonly kind: 'done' }>
type Tool = Extract<ChatPart, { readonly kind: 'tool' }>

/** For `gateway({ faces: [openai({ … })] })`. */
export function openai({ models = {}, embeddings = {} }: OpenAiOptions): Face {
  const embedding = new Map(Object.entries(embeddings))
  return {
    routes: ({ clock, from }) => {
      const conversing = new Map(Object.entries(models).map(([name, model]) => [name, 'host' in model ? model : model.sentBy(from)]))
      let answered = 0
      const begin = (model: string): Head => ({ id: `chatcmpl-${clock.now().toString(36)}-${++answered}`, created: Math.floor(clock.now() / 1_000), model })
      const started = Math.floor(clock.now() / 1_000)
      const card = (id: string): object => ({ id, object: 'model', created: started, owned_by: OWNER })
      const names = ({ caller }: Call): string[] => [...new Set([...conversing.keys(), ...embedding.keys()])].filter((name) => caller.may(V1, name))
      const routes: Route[] = [
        { method: 'GET', path: '/v1/models', handle: (call) => ok({ object: 'list', data: names(call).map(card) }) },
        { method: 'GET', path: '/v1/models/*', handle: (call) => ok(card(names(call).find((name) => name === call.rest) ?? unknown(call.rest))) },
        { method: 'POST', path: '/v1/chat/completions', handle: (call) => complete(call, conversing, begin) },
        { method: 'POST', path: '/v1/embeddings', handle: (call) => embed(call, embedding) },
      ]
      return routes.map((route) => ({ ...route, problem: asOpenAi }))
    },
  }
}

interface Head {
  readonly id: string
  readonly created: number
  readonly model: string
}

const ok = (body: unknown): Answer => ({ kind: 'json', status: 200, body })

function unknown(name: string): never {
  throw refusal(404, 'ModelNotFound', `no model ${JSON.stringify(name.slice(0, 80))} is served here`, 'see /v1/models')
}

/** The model of this name, if the caller may use it. */
function find<T>(call: Call, models: ReadonlyMap<string, T>, name: string): T {
  call.asks(name)
  call.allow(V1, name)
  return models.get(name) ?? unknown(name)
}

async function complete(call: Call, models: ReadonlyMap<string, ChatModel>, begin: (model: string) => Head): Promise<Answer> {
  const wanted = wantedIn(call.body)
  const parts = chat(find(call, models, wanted.model), wanted.request, call.signal)
  const head = begin(wanted.model)
  if (!wanted.stream) return ok(await whole(head, parts))
  const iterator = parts[Symbol.asyncIterator]()
  // What is wrong with the request shows before the first part: then it is a status.
  const first = await iterator.next()
  return { kind: 'events', run: (events) => stream(head, wanted, first, iterator, events) }
}

const usageOf = ({ usage: { promptTokens, completionTokens } }: Done): object => ({ prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens })
const callOf = ({ id, name, arguments: text }: Tool): object => ({ id, type: 'function', function: { name, arguments: text } })

async function whole({ id, created, model }: Head, parts: Parts): Promise<object> {
  let text = ''
  const calls: object[] = []
  let done: Done | undefined
  for await (const part of parts) {
    if (part.kind === 'text') text += part.text
    else if (part.kind === 'tool') calls.push(callOf(part))
    else done = part
  }
  if (done === undefined) throw cutShort(model)
  const message = { role: 'assistant', content: text === '' && calls.length > 0 ? null : text, refusal: null, ...(calls.length > 0 && { tool_calls: calls }) }
  return { id, object: 'chat.completion', created, model, choices: [{ index: 0, message, logprobs: null, finish_reason: done.finishReason }], usage: usageOf(done) }
}

async function stream({ id, created, model }: Head, { includeUsage }: Wanted, first: IteratorResult<ChatPart>, rest: AsyncIterator<ChatPart>, events: EventWriter): Promise<void> {
  const chunk = (delta: object, finish: string | null): Promise<void> | undefined =>
    events.send({ id, object: 'chat.completion.chunk', created, model, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...(includeUsage && { usage: null }) })
  let calls = 0
  let done: Done | undefined
  try {
    await chunk({ role: 'assistant', content: '', refusal: null }, null)
    for (let next = first; next.done !== true && !events.closed; next = await rest.next()) {
      const part = next.value
      if (part.kind === 'text') await chunk({ content: part.text }, null)
      else if (part.kind === 'tool') await chunk({ tool_calls: [{ index: calls++, ...callOf(part) }] }, null)
      else await chunk({}, (done = part).finishReason)
    }
    if (done === undefined) throw cutShort(model)
    if (includeUsage) await events.send({ id, object: 'chat.completion.chunk', created, model, choices: [], usage: usageOf(done) })
    await events.text('[DONE]')
  } finally {
    await rest.return?.()
  }
}

const cutShort = (model: string): TroupeError => new TroupeError('Interrupted', `${model} ended without a word about how`, 'ask again')

async function embed(call: Call, models: ReadonlyMap<string, Hosted>): Promise<Answer> {
  const { model, input, dimensions, encoding_format: format = 'float' } = fieldsOf(call.body)
  const { host, model: behind } = find(call, models, model)
  const texts = typeof input === 'string' ? [input] : Array.isArray(input) && input.every((text) => typeof text === 'string') ? input : undefined
  if (texts === undefined || texts.length === 0 || texts.length > INPUTS_MAX) throw new TroupeError('InvalidMessage', 'input is no text and no list of texts', `send a string, or 1 to ${INPUTS_MAX} of them; tokens are not taken`)
  if (format !== 'float' && format !== 'base64') throw new TroupeError('InvalidMessage', 'encoding_format is neither float nor base64', 'leave it out')
  const vectors = await host.embed(behind, texts, { signal: call.signal, ...(typeof dimensions === 'number' && { dimensions }) })
  const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: format === 'base64' ? base64(vector) : Array.from(vector) }))
  // The host does not tell how many there were.
  const tokens = texts.reduce((sum, text) => sum + tokensIn(text), 0)
  return ok({ object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } })
}

const base64 = (vector: Float32Array): string => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')

const KINDS: Readonly<Record<number, string>> = { 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 429: 'rate_limit_error' }

function asOpenAi({ code, message, hint }: Problem, status: number): object {
  return { error: { message: `${message}; ${hint}`, type: KINDS[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error'), param: null, code } }
}
