// Actors as models of the AI SDK, asked by the SDK's own functions.
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { afterEach, describe, expect, test } from 'vitest'
import { actor, createTroupe, protocol, request, TroupeError, type Troupe } from 'troupe'
import { Agent, embeddingModel, generator, languageModel, nlu, type AgentChunk, type AgentTask } from 'troupe/actors'
import { z } from 'zod'

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })

const spent = { steps: 1, promptTokens: 12, completionTokens: 5, money: 0 }
const open: Troupe[] = []
afterEach(async () => void (await Promise.all(open.splice(0).map((troupe) => troupe.stop()))))

interface Stage {
  readonly tasks: AgentTask[]
  readonly produced: () => number
  readonly cancelled: Promise<string>
}

/** An agent that looks up the weather, thinks aloud, and answers; or writes without end. */
async function weatherAgent(): Promise<{ model: ReturnType<typeof languageModel>; stage: Stage }> {
  const tasks: AgentTask[] = []
  let produced = 0
  let heard: (reason: string) => void = () => {}
  const cancelled = new Promise<string>((resolve) => (heard = resolve))
  const definition = actor(Agent, {
    concurrency: 8,
    on: {
      run: async function* (task, me): AsyncGenerator<AgentChunk> {
        tasks.push(task)
        const speaker = me.id
        if (task.input === 'endless') {
          me.signal.addEventListener('abort', () => heard((me.signal.reason as TroupeError).code))
          for (; ; produced++) yield { kind: 'text', speaker, text: 'and on ' }
        }
        if (task.input === 'break') throw new TroupeError('Overloaded', 'too much weather', 'ask later')
        if (task.schema !== undefined) {
          yield { kind: 'done', speaker, text: '', value: { celsius: 21 }, finish: 'stop', usage: spent }
          return
        }
        yield { kind: 'thought', speaker, text: 'the user wants weather' }
        yield { kind: 'tool-call', speaker, id: 'c1', tool: 'weather', input: { city: 'Bern' } }
        yield { kind: 'tool-result', speaker, id: 'c1', tool: 'weather', ok: true, output: { celsius: 21 } }
        yield { kind: 'text', speaker, text: 'It is ' }
        yield { kind: 'text', speaker, text: '21 °C.' }
        yield { kind: 'done', speaker, text: 'It is 21 °C.', finish: task.input === 'long' ? 'steps' : task.input === 'forbidden' ? 'refused' : 'stop', usage: spent }
      },
      answer: () => ({ speaker: 'weather', text: '', finish: 'stop' as const, usage: spent }),
    },
  })
  const troupe = await createTroupe()
  open.push(troupe)
  return { model: languageModel(troupe.spawn('weather', definition)), stage: { tasks, produced: () => produced, cancelled } }
}

describe('an agent as a LanguageModel', () => {
  test('answers generateText, with its tool calls, its usage and why it finished', async () => {
    const { model } = await weatherAgent()
    const { text, usage, finishReason, content } = await generateText({ model, prompt: 'the weather in Bern?' })
    expect([text, finishReason, usage.inputTokens, usage.outputTokens]).toEqual(['It is 21 °C.', 'stop', 12, 5])
    expect(content.map(({ type }) => type)).toEqual(['tool-call', 'tool-result', 'text'])
    expect(content[1]).toMatchObject({ toolName: 'weather', output: { celsius: 21 }, providerExecuted: true })
  })

  test('streams text, reasoning and tools to streamText in their order', async () => {
    const { model } = await weatherAgent()
    const types: string[] = []
    const answer = streamText({ model, prompt: 'the weather in Bern?' })
    for await (const part of answer.fullStream) types.push(part.type)
    expect(types).toEqual(['start', 'start-step', 'reasoning-start', 'reasoning-delta', 'reasoning-end', 'tool-call', 'tool-result', 'text-start', 'text-delta', 'text-delta', 'text-end', 'finish-step', 'finish'])
    expect([await answer.text, await answer.reasoningText]).toEqual(['It is 21 °C.', 'the user wants weather'])
  })

  test('hears the whole conversation: what the application says first, earlier turns, and the last one as its input', async () => {
    const { model, stage } = await weatherAgent()
    await generateText({ model, system: 'Be brief.', messages: [{ role: 'user', content: 'hello' }, { role: 'assistant', content: 'hi' }, { role: 'user', content: 'and Bern?' }] })
    expect(stage.tasks[0]).toEqual({ type: 'run', input: 'and Bern?', messages: [{ role: 'user', content: 'Be brief.' }, { role: 'user', content: 'hello' }, { role: 'assistant', content: 'hi' }] })
  })

  test('gives a value for a schema', async () => {
    const { model, stage } = await weatherAgent()
    const { output } = await generateText({ model, prompt: 'Bern', output: Output.object({ schema: z.object({ celsius: z.number() }) }) })
    expect(output).toEqual({ celsius: 21 })
    expect(stage.tasks[0]?.schema).toMatchObject({ type: 'object', properties: { celsius: { type: 'number' } } })
    const { partialOutputStream, output: streamed } = streamText({ model, prompt: 'Bern', output: Output.object({ schema: z.object({ celsius: z.number() }) }) })
    for await (const partial of partialOutputStream) expect(partial).toEqual({ celsius: 21 })
    expect(await streamed).toEqual({ celsius: 21 })
  })

  test('says that a budget was spent, or that it refused', async () => {
    const { model } = await weatherAgent()
    expect((await generateText({ model, prompt: 'long' })).finishReason).toBe('length')
    expect((await generateText({ model, prompt: 'forbidden' })).finishReason).toBe('content-filter')
  })

  test('warns of tools and settings that it does not take', async () => {
    const { model } = await weatherAgent()
    const mine = tool({ description: 'mine', inputSchema: z.object({}), execute: () => 'never' })
    const { warnings } = await generateText({ model, prompt: 'Bern', temperature: 1, tools: { mine }, stopWhen: stepCountIs(1) })
    expect(warnings?.map((each) => ('feature' in each ? each.feature : each.type))).toEqual(['temperature', 'tools'])
  })

  test('is cancelled with the call, and held back by a reader who takes nothing', async () => {
    const { model, stage } = await weatherAgent()
    const stopping = new AbortController()
    const answer = streamText({ model, prompt: 'endless', abortSignal: stopping.signal, onError: () => {} })
    let read = 0
    for await (const part of answer.fullStream) {
      if (part.type === 'text-delta' && ++read === 40) stopping.abort()
    }
    expect(await stage.cancelled).toBe('Cancelled')
    // The SDK reads ahead by a few; an actor that nobody held back would have written without end.
    expect(stage.produced()).toBeLessThan(200)
  })

  test('fails with the error of its actor', async () => {
    const { model } = await weatherAgent()
    await expect(generateText({ model, prompt: 'break', maxRetries: 0 })).rejects.toMatchObject({ code: 'ActorFailed' })
    const errors: unknown[] = []
    for await (const part of streamText({ model, prompt: 'break', onError: () => {} }).fullStream) if (part.type === 'error') errors.push(part.error)
    expect(errors).toMatchObject([{ code: 'ActorFailed' }])
  })

  test('gets images, sounds and texts as they are, of earlier messages too', async () => {
    const { model, stage } = await weatherAgent()
    const [picture, sound] = [new Uint8Array([0x89, 0x50, 0x4e, 0x47]), new Uint8Array([0x49, 0x44, 0x33])]
    const before = [{ type: 'text' as const, text: 'this sky?' }, { type: 'image' as const, image: picture }]
    const now = [{ type: 'text' as const, text: 'and this?' }, { type: 'file' as const, data: Buffer.from(sound).toString('base64'), mediaType: 'audio/mpeg' }, { type: 'file' as const, data: new TextEncoder().encode('rain'), mediaType: 'text/plain' }]
    await generateText({ model, messages: [{ role: 'user', content: before }, { role: 'assistant', content: 'blue' }, { role: 'user', content: now }] })
    expect(stage.tasks[0]).toMatchObject({ input: 'and this?', messages: [{ content: 'this sky?' }, { content: 'blue' }], parts: [{ type: 'image', blob: picture }, { type: 'audio', blob: sound }, { type: 'text', text: 'rain' }] })
  })

  test('refuses other files, and a conversation that asks nothing', async () => {
    const { model } = await weatherAgent()
    const paper = { type: 'file' as const, data: new Uint8Array([1]), mediaType: 'application/pdf' }
    await expect(generateText({ model, messages: [{ role: 'user', content: [paper] }], maxRetries: 0 })).rejects.toMatchObject({ code: 'InvalidMessage', details: { mediaType: 'application/pdf' } })
    await expect(generateText({ model, messages: [{ role: 'user', content: 'hello' }, { role: 'assistant', content: 'hi' }], maxRetries: 0 })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })
})

describe('with the embedded models', () => {
  test('a generator streams and counts its tokens', async () => {
    const troupe = await createTroupe()
    open.push(troupe)
    const model = languageModel(troupe.spawn('generator', generator({ verbatim: false })))
    const answer = streamText({ model, prompt: 'How long do I have to return a parcel?', maxOutputTokens: 12, topP: 0.5 })
    let text = ''
    for await (const delta of answer.textStream) text += delta
    const usage = await answer.usage
    expect(text).not.toBe('')
    expect(usage.outputTokens).toBeGreaterThan(0)
    expect(usage.outputTokens).toBeLessThanOrEqual(12)
    expect((await answer.warnings)?.map((each) => ('feature' in each ? each.feature : each.type))).toEqual(['topP'])
    expect((await generateText({ model, prompt: 'How long do I have to return a parcel?', maxOutputTokens: 12 })).text).toBe(text)
  })

  test('a generator takes no files', async () => {
    const troupe = await createTroupe()
    open.push(troupe)
    const picture = { type: 'file' as const, data: new Uint8Array([1]), mediaType: 'image/png' }
    await expect(generateText({ model: languageModel(troupe.spawn('generator', generator())), messages: [{ role: 'user', content: [picture] }], maxRetries: 0 })).rejects.toMatchObject({ code: 'InvalidMessage', details: { mediaType: 'image/png' } })
  })

  test('an nlu embeds for embedMany, nearer texts nearer', async () => {
    const troupe = await createTroupe()
    open.push(troupe)
    const model = embeddingModel(troupe.spawn('nlu', nlu()))
    const { embeddings } = await embedMany({ model, values: ['where is my parcel', 'my package has not arrived', 'play some jazz'] })
    const cosine = (a: readonly number[] = [], b: readonly number[] = []): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)
    expect(cosine(embeddings[0], embeddings[0])).toBeCloseTo(1, 3)
    expect(cosine(embeddings[0], embeddings[1])).toBeGreaterThan(cosine(embeddings[0], embeddings[2]))
  })
})

test('a ref of another protocol is refused', async () => {
  const troupe = await createTroupe()
  open.push(troupe)
  const clock = troupe.spawn('clock', actor(protocol({ now: request(null, z.number()) }), { on: { now: () => 0 } }))
  expect(() => languageModel(clock as never)).toThrow(expect.objectContaining({ code: 'InvalidMessage' }))
})
