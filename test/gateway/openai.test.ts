// What runs behind a gateway, as OpenAI's own client sees it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import OpenAI, { APIError, AuthenticationError, PermissionDeniedError } from 'openai'
import { actor, createTroupe, TroupeError, type Troupe } from 'troupe'
import { Agent, Chat, gateway, generator, openai, type AgentChunk, type ChatPart } from 'troupe/actors'
import { createHost } from 'troupe/models'

let troupe: Troupe
let host: Awaited<ReturnType<typeof createHost>>
let url: string
let api: OpenAI
const asked: unknown[] = []

/** Looks the weather up with a tool, then tells it; says what it was asked for otherwise. */
const forecaster = actor(Chat, {
  concurrency: 8,
  on: {
    chat: async function* (request): AsyncGenerator<ChatPart> {
      asked.push(request)
      const usage = { promptTokens: 7, completionTokens: 3 }
      const last = request.messages.at(-1)
      if (last?.content === 'fail') throw new Error('the secret is 42')
      if (last?.content === 'be busy') throw new TroupeError('Overloaded', 'busy', 'later', { retryAfterMs: 1_000 })
      if (request.tools !== undefined && last?.role !== 'tool') {
        for (const city of ['Oslo', 'Rome']) yield { kind: 'tool', id: `call-${city}`, name: 'weather', arguments: JSON.stringify({ city }) }
        yield { kind: 'done', finishReason: 'tool_calls', usage }
        return
      }
      for (const text of request.schema === undefined ? ['It is ', last?.content ?? ''] : ['{"sky":', '"grey"}']) yield { kind: 'text', text }
      yield { kind: 'done', finishReason: 'stop', usage }
    },
  },
})

/** Repeats what it was given, as an agent with a tool of its own does. */
const clerk = actor(Agent, {
  concurrency: 8,
  on: {
    run: async function* ({ input, messages = [], schema, budget }, me): AsyncGenerator<AgentChunk> {
      asked.push({ input, messages, budget })
      const speaker = me.id
      const usage = { steps: 2, promptTokens: 9, completionTokens: 4, money: 0 }
      yield { kind: 'tool-call', speaker, id: 'c', tool: 'books', input: {} }
      yield { kind: 'tool-result', speaker, id: 'c', tool: 'books', ok: true, output: 7 }
      if (schema === undefined) for (const text of ['seven ', 'books']) yield { kind: 'text', speaker, text }
      yield { kind: 'done', speaker, text: 'seven books', ...(schema !== undefined && { value: { books: 7 } }), finish: input === 'all' ? 'tokens' : 'stop', usage }
    },
    answer: (_, me) => ({ speaker: me.id, text: '', finish: 'stop' as const, usage: { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 } }),
  },
})

beforeAll(async () => {
  host = await createHost()
  troupe = await createTroupe({ host, log: () => {} })
  const models = { forecaster: troupe.spawn('forecaster', forecaster), small: { host, model: 'embedded:generator' }, writer: troupe.spawn('writer', generator()), clerk: troupe.spawn('clerk', clerk) }
  const face = openai({ models, embeddings: { encoder: { host, model: 'embedded:encoder' } } })
  const keys = [{ name: 'app', key: 'a-key-of-the-application', may: { '/v1': ['forecaster', 'small', 'writer', 'encoder', 'clerk'] } }, { name: 'other', key: 'a-key-of-somebody-else', may: { '/v1': ['encoder'] } }]
  ;({ url } = await troupe.spawn('gateway', gateway(troupe, { actors: {}, faces: [face], keys })).ask({ type: 'listening' }))
  api = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'a-key-of-the-application', maxRetries: 0 })
})
afterAll(async () => {
  await troupe.stop()
  await host.stop()
})

const say = (content: string): OpenAI.ChatCompletionMessageParam[] => [{ role: 'system', content: 'You are brief.' }, { role: 'user', content }]
const tools: OpenAI.ChatCompletionTool[] = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }]

describe('chat completions', () => {
  test('come whole, with usage', async () => {
    const { choices, usage, object } = await api.chat.completions.create({ model: 'forecaster', messages: say('grey'), max_completion_tokens: 20, temperature: 0, seed: 1, stop: '.' })
    expect([object, choices[0]?.message.content, choices[0]?.finish_reason, usage]).toEqual(['chat.completion', 'It is grey', 'stop', { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }])
    expect(asked.at(-1)).toMatchObject({ messages: [{ role: 'system', content: 'You are brief.' }, { role: 'user', content: 'grey' }], maxTokens: 20, temperature: 0, seed: 1, stop: ['.'] })
  })

  test('come part by part, with usage at the end when it is asked for', async () => {
    const stream = await api.chat.completions.create({ model: 'forecaster', messages: say('grey'), stream: true, stream_options: { include_usage: true } })
    const texts: string[] = []
    let total: number | undefined
    for await (const { choices, usage } of stream) {
      texts.push(choices[0]?.delta.content ?? '')
      total = usage?.total_tokens ?? total
    }
    expect([texts.join(''), total]).toEqual(['It is grey', 10])
  })

  test('call tools, and go on with what these found', async () => {
    const first = await api.chat.completions.create({ model: 'forecaster', messages: say('weather?'), tools, tool_choice: 'required' })
    const called = first.choices[0]?.message
    expect([first.choices[0]?.finish_reason, called?.content, called?.tool_calls?.map((call) => call.type === 'function' && call.function.arguments)]).toEqual(['tool_calls', null, ['{"city":"Oslo"}', '{"city":"Rome"}']])
    expect(asked.at(-1)).toMatchObject({ toolChoice: 'required', tools: [{ name: 'weather' }] })
    const results = (called?.tool_calls ?? []).map(({ id }) => ({ role: 'tool' as const, tool_call_id: id, content: 'rain' }))
    const second = await api.chat.completions.create({ model: 'forecaster', messages: [...say('weather?'), called as OpenAI.ChatCompletionMessageParam, ...results], tools })
    expect(second.choices[0]?.message.content).toBe('It is rain')
    expect(asked.at(-1)).toMatchObject({ messages: [{}, {}, { role: 'assistant', toolCalls: [{ id: 'call-Oslo', name: 'weather' }, {}] }, { role: 'tool', toolCallId: 'call-Oslo' }, {}] })
  })

  test("stream the calls of tools as the client's own helper gathers them", async () => {
    const gathered = await api.chat.completions.stream({ model: 'forecaster', messages: say('weather?'), tools }).finalChatCompletion()
    expect(gathered.choices[0]?.message.tool_calls?.map((call) => call.type === 'function' && call.function.arguments)).toEqual(['{"city":"Oslo"}', '{"city":"Rome"}'])
  })

  test('follow a JSON schema', async () => {
    const schema = { type: 'object', properties: { sky: { enum: ['grey', 'blue'] } }, required: ['sky'], additionalProperties: false }
    const format = { type: 'json_schema' as const, json_schema: { name: 'sky', schema, strict: true } }
    const scripted = await api.chat.completions.create({ model: 'forecaster', messages: say('sky?'), response_format: format })
    expect(JSON.parse(scripted.choices[0]?.message.content ?? '')).toEqual({ sky: 'grey' })
    const real = await api.chat.completions.create({ model: 'small', messages: [{ role: 'user', content: 'The sky is grey.' }], response_format: format, max_tokens: 40 })
    expect(['grey', 'blue']).toContain((JSON.parse(real.choices[0]?.message.content ?? '') as { sky: string }).sky)
  })

  test('come from a model of a host, and from a generator', async () => {
    for (const model of ['small', 'writer']) {
      const { choices, usage } = await api.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 })
      expect(['stop', 'length']).toContain(choices[0]?.finish_reason)
      expect(usage?.completion_tokens).toBeGreaterThan(0)
    }
  })

  test('end where they are told to, whether a host or a generator writes', async () => {
    for (const model of ['small', 'writer']) {
      const about = { model, messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 12, temperature: 0 }
      const whole = (await api.chat.completions.create(about)).choices[0]?.message.content ?? ''
      const stop = whole.trim().slice(2, 5)
      const cut = await api.chat.completions.create({ ...about, stop, top_p: 0.5 })
      expect([cut.choices[0]?.message.content, cut.choices[0]?.finish_reason], model).toEqual([whole.slice(0, whole.indexOf(stop)), 'stop'])
    }
  })

  test.each([
    [{ model: 'nobody', messages: say('x') }, 403, 'Unauthorized'],
    [{ model: 'encoder', messages: say('x') }, 404, 'ModelNotFound'],
    [{ model: 'forecaster', messages: [] }, 400, 'InvalidMessage'],
    [{ model: 'forecaster', messages: say('x'), n: 2 }, 400, 'InvalidMessage'],
    [{ model: 'small', messages: say('x'), tools }, 400, 'InvalidMessage'],
    [{ model: 'forecaster', messages: say('fail') }, 500, 'ActorFailed'],
    [{ model: 'forecaster', messages: say('be busy'), stream: true }, 500, 'ActorFailed'],
  ] as const)('that cannot be are refused as the client expects it: %j', async (body, status, code) => {
    const error = await api.chat.completions.create(body as never).then(
      () => undefined,
      (error: unknown) => error as APIError,
    )
    expect(error).toBeInstanceOf(APIError)
    expect([error?.status, error?.code]).toEqual([status, code])
    expect(error?.message).not.toContain('secret')
  })
})

describe('embeddings', () => {
  test('are those of the host, in both forms', async () => {
    const [expected] = await host.embed('embedded:encoder', ['a red car'])
    const packed = await api.embeddings.create({ model: 'encoder', input: ['a red car', 'a blue car'] })
    const plain = await api.embeddings.create({ model: 'encoder', input: 'a red car', encoding_format: 'float' })
    expect(packed.data).toHaveLength(2)
    expect(packed.usage.total_tokens).toBeGreaterThan(0)
    for (const { data } of [packed, plain]) for (const [at, number] of (data[0]?.embedding ?? []).entries()) expect(number).toBeCloseTo(expected?.[at] as number, 2)
  })
})

describe('models', () => {
  test('are listed as far as the key may use them', async () => {
    const namesFor = async (apiKey: string): Promise<string[]> => (await new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 }).models.list()).data.map(({ id }) => id)
    expect(await namesFor('a-key-of-the-application')).toEqual(['forecaster', 'small', 'writer', 'clerk', 'encoder'])
    expect(await namesFor('a-key-of-somebody-else')).toEqual(['encoder'])
    expect((await api.models.retrieve('small')).owned_by).toBe('troupe')
    await expect(namesFor('nobody-has-this-key')).rejects.toBeInstanceOf(AuthenticationError)
    await expect(new OpenAI({ baseURL: `${url}/v1`, apiKey: 'a-key-of-somebody-else', maxRetries: 0 }).chat.completions.create({ model: 'small', messages: say('x') })).rejects.toBeInstanceOf(PermissionDeniedError)
  })
})

describe('an agent as a model', () => {
  test('uses its own tools and answers, whole and in parts', async () => {
    const messages = [...say('hello'), { role: 'assistant' as const, content: 'yes?' }, { role: 'user' as const, content: 'how many?' }]
    const { choices, usage } = await api.chat.completions.create({ model: 'clerk', messages, max_tokens: 50 })
    expect([choices[0]?.message.content, choices[0]?.finish_reason, usage?.total_tokens]).toEqual(['seven books', 'stop', 13])
    expect(asked.at(-1)).toEqual({ input: 'how many?', messages: [{ role: 'user', content: 'You are brief.' }, { role: 'user', content: 'hello' }, { role: 'assistant', content: 'yes?' }], budget: { tokens: 50 } })
    let text = ''
    for await (const part of await api.chat.completions.create({ model: 'clerk', messages, stream: true })) text += part.choices[0]?.delta.content ?? ''
    expect(text).toBe('seven books')
  })

  test('gives a value for a schema, says when a budget was spent, and refuses settings that are its own', async () => {
    const schema = { type: 'json_schema' as const, json_schema: { name: 'count', schema: { type: 'object', properties: { books: { type: 'integer' } } } } }
    expect((await api.chat.completions.create({ model: 'clerk', messages: say('how many?'), response_format: schema })).choices[0]?.message.content).toBe('{"books":7}')
    expect((await api.chat.completions.create({ model: 'clerk', messages: say('all') })).choices[0]?.finish_reason).toBe('length')
    await expect(api.chat.completions.create({ model: 'clerk', messages: say('how many?'), temperature: 1 })).rejects.toThrow('temperature')
    await expect(api.chat.completions.create({ model: 'clerk', messages: say('how many?'), tools })).rejects.toThrow('tools')
  })
})
