import { afterEach, describe, expect, test } from 'vitest'
import { createHost, type Host, type HostOptions, type RemoteEmbeddingModel, type RemoteLanguageModel } from 'troupe/models'
import { ManualClock } from './manual-clock.js'

let host: Host
afterEach(() => host.stop())

type Parts = readonly unknown[]
const delta = (text: string): unknown => ({ type: 'text-delta', id: '0', delta: text })
const finish = (reason: unknown = { unified: 'stop', raw: 'stop' }): unknown => ({ type: 'finish', finishReason: reason, usage: { inputTokens: { total: 7 }, outputTokens: { total: 3 } } })
const busy = (status: number, headers: Record<string, string> = {}): Error => Object.assign(new Error(`status ${status}`), { statusCode: status, isRetryable: status >= 429, responseHeaders: headers })

/** A provider that answers each call with the next of these: parts, or an error. */
function provider(answers: (Parts | Error)[]): { model: RemoteLanguageModel; calls: Record<string, unknown>[]; pulled: () => number } {
  const calls: Record<string, unknown>[] = []
  let pulled = 0
  const doStream = (options: Record<string, unknown>): Promise<{ stream: ReadableStream<unknown> }> => {
    calls.push(options)
    const answer = answers.shift() ?? []
    if (answer instanceof Error) return Promise.reject(answer)
    const parts = [...answer]
    const pull = (controller: ReadableStreamDefaultController<unknown>): void => {
      pulled++
      if (parts.length === 0) controller.close()
      else controller.enqueue(parts.shift())
    }
    return Promise.resolve({ stream: new ReadableStream({ pull }, { highWaterMark: 0 }) })
  }
  return { model: { modelId: 'm', provider: 'p', doStream }, calls, pulled: () => pulled }
}

async function using(remote: NonNullable<HostOptions['remote']>, more: HostOptions = {}): Promise<void> {
  host = await createHost({ remote, ...more })
}

describe('a remote language model', () => {
  test('streams, tells its usage, and is given the settings and the conversation', async () => {
    const { model, calls } = provider([[{ type: 'stream-start' }, delta('Hel'), delta('lo'), finish({ unified: 'length', raw: 'max' })]])
    await using({ gpt: model })
    const inference = host.generate('gpt', { messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'Hi' }], maxTokens: 5, temperature: 0.5, stop: 'x' })
    const parts: string[] = []
    for await (const { text } of inference) parts.push(text)
    expect(parts).toEqual(['Hel', 'lo'])
    expect(await inference).toEqual({ text: 'Hello', usage: { promptTokens: 7, completionTokens: 3 }, finishReason: 'length' })
    expect(calls[0]).toMatchObject({ maxOutputTokens: 5, temperature: 0.5, stopSequences: ['x'], prompt: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: [{ type: 'text', text: 'Hi' }] }] })
  })

  test('is told of tools and of what they gave, and its calls come as it wrote them', async () => {
    const { model, calls } = provider([[{ type: 'reasoning-delta', id: '0', delta: 'Hm.' }, delta('Let me look.'), { type: 'tool-call', toolCallId: 'c2', toolName: 'weather', input: '{"city":' }, finish({ unified: 'tool-calls', raw: 'tool_calls' })]])
    await using({ gpt: model })
    const parameters = { type: 'object', properties: { city: { type: 'string' } } }
    const inference = host.generate('gpt', {
      messages: [{ role: 'user', content: 'Rain?' }, { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'weather', input: '{"city":"Rome"}' }] }, { role: 'tool', content: 'sun', toolCallId: 'c1', toolName: 'weather' }],
      tools: [{ name: 'weather', description: 'of a city', parameters }],
    })
    const parts: unknown[] = []
    for await (const part of inference) parts.push(part)
    expect(parts).toEqual([{ text: '', thought: 'Hm.' }, { text: 'Let me look.' }])
    expect((await inference).toolCalls).toEqual([{ id: 'c2', name: 'weather', input: '{"city":' }])
    expect(calls[0]).toMatchObject({
      tools: [{ type: 'function', name: 'weather', description: 'of a city', inputSchema: parameters }],
      toolChoice: { type: 'auto' },
      prompt: [
        { role: 'user', content: [{ type: 'text', text: 'Rain?' }] },
        { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c1', toolName: 'weather', input: { city: 'Rome' } }] },
        { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'c1', toolName: 'weather', output: { type: 'text', value: 'sun' } }] },
      ],
    })
    await expect(host.generate('embedded:generator', { prompt: 'a', tools: [] })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })

  test('is asked again when it is busy, after as long as it says, and then gives Overloaded', async () => {
    const clock = new ManualClock()
    const { model, calls } = provider([busy(429, { 'retry-after': '2' }), [delta('ok'), finish()], busy(429), busy(429), busy(429)])
    await using({ gpt: model }, { clock })
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    const first = host.generate('gpt', { prompt: 'a' })
    await settle()
    clock.advance(1_999)
    await settle()
    expect(calls).toHaveLength(1)
    clock.advance(1)
    expect((await first).text).toBe('ok')
    const second = Promise.resolve(host.generate('gpt', { prompt: 'a' })).catch((error: unknown) => error)
    for (let i = 0; i < 3; i++) {
      await settle()
      clock.advance(5_000)
    }
    expect(await second).toMatchObject({ code: 'Overloaded', details: { retryAfterMs: 2_000, provider: 'p' } })
    expect(calls).toHaveLength(5)
    // Twice: the first call waited the two seconds it was told, the second one and two of our own steps of the clock.
    expect(host.remoteMetrics()['gpt']).toMatchObject({ calls: 2, open: 0, failed: 1, retries: 3, waitedMs: 12_000, rateLimits: 4, promptTokens: 7, completionTokens: 3 })
  })

  test('tells what it was asked and what it took', async () => {
    const clock = new ManualClock()
    const { model } = provider([[delta('Hello'), finish()], [delta('Bye'), finish()]])
    const slow: RemoteLanguageModel = { ...model, doStream: (options) => {
      clock.advance(250)
      return model.doStream(options)
    } }
    const never: RemoteLanguageModel = { ...model, doStream: () => new Promise(() => undefined) }
    await using({ gpt: slow, never }, { clock, callsMax: 1 })
    expect(host.remoteMetrics()).toEqual({})
    await host.generate('gpt', { prompt: 'a' })
    await host.generate('gpt', { prompt: 'b' })
    const open = Promise.resolve(host.generate('never', { prompt: 'a' })).catch((error: unknown) => error)
    await expect(host.generate('never', { prompt: 'b' })).rejects.toMatchObject({ code: 'Overloaded' })
    const none = { failed: 0, retries: 0, waitedMs: 0, rateLimits: 0, texts: 0 }
    expect(host.remoteMetrics()).toEqual({ gpt: { ...none, calls: 2, open: 0, promptTokens: 14, completionTokens: 6, requestMs: 500, overloads: 0 }, never: { ...none, calls: 1, open: 1, promptTokens: 0, completionTokens: 0, requestMs: 0, overloads: 1 } })
    await host.stop()
    await open
  })

  test('that refuses, fails, or breaks off in the middle is an error and not asked again', async () => {
    const { model, calls } = provider([busy(401), busy(400), [delta('half'), { type: 'error', error: busy(500) }]])
    await using({ gpt: model })
    await expect(host.generate('gpt', { prompt: 'a' })).rejects.toMatchObject({ code: 'Unauthorized' })
    await expect(host.generate('gpt', { prompt: 'a' })).rejects.toMatchObject({ code: 'ModelFailed', details: { status: 400 } })
    await expect(host.generate('gpt', { prompt: 'a' })).rejects.toMatchObject({ code: 'ModelFailed' })
    expect(calls).toHaveLength(3)
  })

  test('that writes without end, in words or in the input of a call, is called off, and one that stops without an end has failed', async () => {
    const flood = Array.from({ length: 50 }, () => 'x'.repeat(100_000))
    const endless = provider([flood.map(delta), flood.map((part) => ({ type: 'tool-input-delta', id: '0', delta: part }))])
    await using({ gpt: endless.model, half: provider([[delta('half an')]]).model })
    for (let call = 0; call < 2; call++) await expect(host.generate('gpt', { prompt: 'Hi' })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'endless' } })
    expect(endless.pulled()).toBeLessThan(90)
    await expect(host.generate('half', { prompt: 'Hi' })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'connection' } })
  })

  test('that says it is busy for longer than anybody waits is not asked again', async () => {
    const clock = new ManualClock()
    const { model, calls } = provider([busy(429, { 'retry-after': '3600' })])
    await using({ gpt: model }, { clock })
    await expect(host.generate('gpt', { prompt: 'a' })).rejects.toMatchObject({ code: 'Overloaded', details: { retryAfterMs: 3_600_000 } })
    expect([calls.length, clock.timers]).toEqual([1, 0])
  })

  test('leaves no timer behind when its caller leaves while it is busy', async () => {
    const clock = new ManualClock()
    const { model } = provider([busy(503)])
    await using({ gpt: model }, { clock })
    const controller = new AbortController()
    const left = host.generate('gpt', { prompt: 'a' }, { signal: controller.signal })
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(clock.timers).toBe(1)
    controller.abort()
    await expect(left).rejects.toMatchObject({ code: 'Cancelled' })
    expect(clock.timers).toBe(0)
  })

  test('that was given a schema gives a value, or an error that says why there is none', async () => {
    const { model, calls } = provider([[delta('{"a":'), delta('1}'), finish()], [delta('{"a":'), finish({ unified: 'length', raw: 'max' })], [delta('Sure! {"a":1}'), finish()]])
    await using({ gpt: model })
    const schema = { type: 'object', properties: { a: { type: 'integer' } } }
    expect((await host.generate('gpt', { prompt: 'a', schema })).value).toEqual({ a: 1 })
    expect(calls[0]).toMatchObject({ responseFormat: { type: 'json', schema } })
    await expect(host.generate('gpt', { prompt: 'a', schema })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'cut-by-limit' } })
    await expect(host.generate('gpt', { prompt: 'a', schema })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'no-json' } })
  })

  test('is not read ahead of its reader without bound, and hears of a cancel', async () => {
    const { model, calls, pulled } = provider([Array.from({ length: 500 }, () => delta('x'))])
    await using({ gpt: model })
    const controller = new AbortController()
    const reader = host.generate('gpt', { prompt: 'a' }, { signal: controller.signal })[Symbol.asyncIterator]()
    await reader.next()
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    expect(pulled()).toBeLessThan(60)
    controller.abort()
    await expect(async () => {
      for (;;) if ((await reader.next()).done === true) break
    }).rejects.toMatchObject({ code: 'Cancelled' })
    expect(calls[0]?.['abortSignal']).toMatchObject({ aborted: true })
  })

  test('has its bound of open calls', async () => {
    const { model } = provider([])
    const never: RemoteLanguageModel = { ...model, doStream: () => new Promise(() => undefined) }
    await using({ gpt: never }, { callsMax: 1 })
    const open = Promise.resolve(host.generate('gpt', { prompt: 'a' })).catch((error: unknown) => error)
    await expect(host.generate('gpt', { prompt: 'b' })).rejects.toMatchObject({ code: 'Overloaded' })
    await host.stop()
    expect(await open).toMatchObject({ code: 'Cancelled' })
  })
})

test('a remote embedding model gives vectors, in as many calls as it needs', async () => {
  const batches: number[] = []
  const model: RemoteEmbeddingModel = {
    modelId: 'e',
    provider: 'p',
    maxEmbeddingsPerCall: 2,
    doEmbed: ({ values }) => {
      batches.push(values.length)
      return Promise.resolve({ embeddings: values.map((value) => [value.length, 1]), usage: { tokens: 2 * values.length } })
    },
  }
  await using({ ada: model })
  expect(await host.embed('ada', ['a', 'bb', 'ccc'])).toEqual([[1, 1], [2, 1], [3, 1]].map((each) => Float32Array.from(each)))
  expect(batches).toEqual([2, 1])
  expect(host.remoteMetrics()['ada']).toMatchObject({ calls: 1, texts: 3, promptTokens: 6 })
  await expect(host.generate('ada', { prompt: 'a' })).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'unsupported-task' } })
  await expect(host.infer('tag', 'ada', ['a'])).rejects.toMatchObject({ code: 'ModelFailed' })
})
