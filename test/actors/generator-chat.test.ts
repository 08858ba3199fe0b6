// A decoder that does as it is told stands in here, so that what it was given to read can be looked at.
import { afterEach, describe, expect, test } from 'vitest'
import { createTroupe, TroupeError, type Ref, type Troupe } from 'troupe'
import { createHost } from 'troupe/models'
import { generator, type Generator, type GeneratorChunk, type GeneratorOptions } from 'troupe/actors'
import { extracted } from '../../src/actors/generator/extract.js'
import { costOf, pack } from '../../src/actors/generator/packing.js'

interface Call {
  readonly task: string
  readonly model: string
  readonly input: { readonly messages?: readonly { role: string; content: string }[]; readonly prompt?: string; readonly schema?: object; readonly inputs?: readonly string[]; readonly to?: string; readonly from?: string }
  readonly signal: AbortSignal | undefined
}
type Done = Extract<GeneratorChunk, { kind: 'done' }>

let troupe: Troupe
let calls: Call[]
afterEach(() => troupe.stop())

/** `says` is what the decoder writes, word by word. */
async function open(says: (call: Call) => string, options: GeneratorOptions = { model: 'some/model' }): Promise<Ref<(typeof Generator)['specs']>> {
  calls = []
  const infer = (task: string, model: string, input: unknown, given?: { signal?: AbortSignal }) => {
    const call: Call = { task, model, input: input as Call['input'], signal: given?.signal }
    calls.push(call)
    const text = says(call)
    const usage = { promptTokens: 10, completionTokens: text.split(' ').length }
    const result = task === 'generate' ? { text, usage, finishReason: 'stop', ...(call.input.schema !== undefined && { value: JSON.parse(text) as unknown }) } : [text]
    return Object.assign(Promise.resolve(result), {
      async *[Symbol.asyncIterator]() {
        for (const part of text.split(/(?<= )/)) yield await Promise.resolve({ text: part })
      },
    })
  }
  troupe = await createTroupe({ host: { infer } })
  return troupe.spawn('generator', generator(options))
}

async function read(chunks: AsyncIterable<GeneratorChunk>): Promise<{ text: string; kinds: string[]; done: Done }> {
  const all: GeneratorChunk[] = []
  for await (const chunk of chunks) all.push(chunk)
  return { text: all.map((chunk) => (chunk.kind === 'text' ? chunk.text : '')).join(''), kinds: [...new Set(all.map(({ kind }) => kind))], done: all.at(-1) as Done }
}

const user = (content: string) => ({ role: 'user', content }) as const
const assistant = (content: string) => ({ role: 'assistant', content }) as const
const lamp = { title: 'Lamp', source: 'lamp.md', text: 'The lamp needs two batteries.' }

describe('a conversation', () => {
  test('streams, with what it cost, and reads system and turns as they are', async () => {
    const ref = await open(() => 'Good day to you')
    const { text, kinds, done } = await read(ref.stream({ type: 'chat', system: 'Be kind.', messages: [user('Hi'), assistant('Yes?'), user('Good day')], temperature: 0.5, seed: 7, maxTokens: 9 }))
    expect([text, kinds]).toEqual(['Good day to you', ['text', 'done']])
    expect(done).toEqual({ kind: 'done', citations: [], grounded: false, usage: { promptTokens: 10, completionTokens: 4 }, finishReason: 'stop' })
    expect(calls[0]?.input).toEqual({ messages: [{ role: 'system', content: 'Be kind.' }, user('Hi'), assistant('Yes?'), user('Good day')], temperature: 0.5, seed: 7, maxTokens: 9 })
  })

  test('that is too long is summed up from its beginning, and goes on from the summary', async () => {
    const ref = await open(({ input }) => (input.messages?.[0]?.content.startsWith('Summarise') === true ? 'They spoke of word0.' : 'And now this'), { model: 'some/model', contextTokens: 700, maxTokens: 100 })
    const turns = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? user : assistant)(`word${i} ${'and more of it '.repeat(12)}`))
    const { done } = await read(ref.stream({ type: 'chat', messages: [...turns, user('What now?')] }))
    const covered = done.summary?.turns ?? 0
    expect(done.summary?.text).toBe('They spoke of word0.')
    expect(covered).toBeGreaterThan(10)
    expect(done.usage.promptTokens).toBeGreaterThan(10)
    const said = calls.at(-1)?.input.messages ?? []
    expect(said[0]).toEqual({ role: 'system', content: 'Earlier in this conversation: They spoke of word0.' })
    expect(said.slice(1)).toEqual([...turns.slice(covered), user('What now?')])
    // The next message brings the summary, and nothing is summed up twice.
    const before = calls.length
    await read(ref.stream({ type: 'chat', summary: done.summary as NonNullable<Done['summary']>, messages: [...turns, user('What now?'), assistant('And now this'), user('Why?')] }))
    expect(calls.slice(before).map(({ input }) => input.messages?.at(-1)?.content)).toEqual(['Why?'])
    expect(calls.at(-1)?.input.messages?.[0]?.content).toContain('They spoke of word0.')
  })

  test('a last turn beyond what the model can read is refused with the numbers', async () => {
    const ref = await open(() => '', { model: 'some/model', contextTokens: 200 })
    await expect(read(ref.stream({ type: 'chat', messages: [user('long '.repeat(200))] }))).rejects.toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('contextTokens') as string })
    await expect(read(ref.stream({ type: 'chat', messages: [user('x'), assistant('y')] }))).rejects.toMatchObject({ code: 'InvalidMessage' })
  })

  test('about passages is told to keep to them, and its citations are checked', async () => {
    const ref = await open(() => 'The lamp needs two batteries. [1]')
    const { text, done } = await read(ref.stream({ type: 'chat', messages: [user('What does the lamp need?')], passages: [lamp] }))
    expect(text).toBe('The lamp needs two batteries. [1]')
    expect(done).toMatchObject({ grounded: true, citations: [{ number: 1, title: 'Lamp', source: 'lamp.md' }] })
    expect(calls[0]?.input.messages?.at(-1)?.content).toBe('Passages:\n[1] Lamp: The lamp needs two batteries.\n\nQuestion: What does the lamp need?')
    expect(calls[0]?.input.messages?.[0]?.content).toContain('I could not find that in the sources.')
  })

  test('that the passages do not answer gets an honest no, never shown as an answer', async () => {
    const ref = await open(() => 'I could not find that in the sources.')
    expect(await read(ref.stream({ type: 'chat', messages: [user('Who is king?')], passages: [lamp] }))).toMatchObject({ text: '', kinds: ['refusal', 'done'], done: { grounded: false, citations: [] } })
  })

  test('an invention is told apart', async () => {
    const ref = await open(() => 'The lamp was forged by dwarves underground. [1]')
    expect((await read(ref.stream({ type: 'chat', messages: [user('Whence?')], passages: [lamp] }))).done).toMatchObject({ grounded: false })
  })

  test('a schema makes the answer a value', async () => {
    const ref = await open(() => '{"batteries": 2}')
    const schema = { type: 'object', properties: { batteries: { type: 'integer' } } }
    expect((await read(ref.stream({ type: 'chat', messages: [user('How many?')], schema }))).done.value).toEqual({ batteries: 2 })
    expect(calls[0]?.input.schema).toEqual(schema)
  })

  test('a reader who leaves stops the decoder', async () => {
    const ref = await open(() => 'on and on and on '.repeat(100))
    for await (const chunk of ref.stream({ type: 'chat', messages: [user('Go on')] })) if (chunk.kind === 'text') break
    const signal = calls[0]?.signal
    if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener('abort', resolve))
    expect(signal?.aborted).toBe(true)
  })
})

test('a text is gone on with', async () => {
  const ref = await open(() => 'upon a time')
  expect((await read(ref.stream({ type: 'complete', prompt: 'Once ' }))).text).toBe('upon a time')
  expect(calls[0]?.input).toMatchObject({ prompt: 'Once ' })
})

describe('packing', () => {
  const turns = [user('a '.repeat(100)), assistant('b '.repeat(100)), user('last')]
  const passages = [{ ...lamp, text: 'c '.repeat(100) }, { ...lamp, text: 'd '.repeat(100) }]
  const costs = costOf('a '.repeat(100))

  test('takes everything that fits', () => {
    expect(pack({ system: 's', turns, passages }, 1_000)).toEqual({ turns, older: [], passages })
  })
  test.each([10 * costs, 5 * costs, 4 * costs, 3.2 * costs, 2.5 * costs, 1.6 * costs, costs, costs / 2])('never takes more than its budget of %d, and loses no turn', (budget) => {
    const packed = pack({ system: 's', turns, passages }, budget)
    const cost = costOf('s') + [...packed.turns.map(({ content }) => content), ...packed.passages.map(({ title, text }) => `${title}: ${text}`)].reduce((sum, text) => sum + costOf(text), 0)
    expect(cost).toBeLessThanOrEqual(budget)
    expect([...packed.older, ...packed.turns]).toEqual(turns)
    expect(packed.turns.at(-1)).toEqual(user('last'))
  })
})

describe('summaries and translations', () => {
  test('are made by models for that, when named', async () => {
    const ref = await open(({ task }) => (task === 'translate' ? '你好' : 'Short.'), { summariser: 'some/summariser', translator: 'some/translator' })
    expect(await ref.ask({ type: 'translate', text: 'Hello', targetLanguage: 'zh', sourceLanguage: 'en' })).toEqual({ text: '你好' })
    expect(await ref.ask({ type: 'summarise', text: 'A long text. It has two sentences.' })).toEqual({ text: 'Short.', how: 'written' })
    expect(calls.map(({ task, model, input }) => [task, model, input.inputs?.[0], input.to, input.from])).toEqual([['translate', 'some/translator', 'Hello', 'zh', 'en'], ['summarise', 'some/summariser', 'A long text. It has two sentences.', undefined, undefined]])
  })

  test('otherwise by the decoder; what is longer than it reads, part by part', async () => {
    const ref = await open(() => 'Part.', { model: 'some/model', contextTokens: 300 })
    expect(await ref.ask({ type: 'translate', text: 'Hello', targetLanguage: 'French' })).toEqual({ text: 'Part.' })
    expect(calls[0]?.input.messages?.[0]?.content).toContain('to French')
    calls.length = 0
    expect(await ref.ask({ type: 'summarise', text: 'This sentence is one of very many. '.repeat(60) })).toEqual({ text: 'Part.', how: 'written' })
    expect(calls.length).toBeGreaterThan(3)
  })

  test('the embedded decoder chooses sentences, and says that it cannot translate', async () => {
    const ref = await open(() => '', {})
    const text = 'The harbour was closed by the storm. Somebody sneezed. The storm sank two ships in the harbour. Tea was served.'
    expect(await ref.ask({ type: 'summarise', text, maxTokens: 24 })).toEqual({ text: 'The harbour was closed by the storm. The storm sank two ships in the harbour.', how: 'extracted' })
    await expect(ref.ask({ type: 'translate', text, targetLanguage: 'zh' })).rejects.toBeInstanceOf(TroupeError)
    expect(calls).toEqual([])
  })

  test('what is extracted stands in the text and keeps to its length', () => {
    const text = '灯放在桌子上。灯需要两节电池。今天天气很好。电池在盒子里。'
    const summary = extracted(text, 16)
    expect(summary).not.toBe('')
    for (const sentence of summary.split(' ')) expect(text).toContain(sentence)
    expect(extracted('', 16)).toBe('')
  })
})

test('the embedded decoder writes a value that a schema accepts, and ends a completion at its length', async () => {
  const host = await createHost()
  troupe = await createTroupe({ host })
  const ref = troupe.spawn('generator', generator())
  const schema = { type: 'object', properties: { answer: { enum: ['yes', 'no'] } }, required: ['answer'], additionalProperties: false }
  const { done, text } = await read(ref.stream({ type: 'chat', messages: [user('Is it raining?')], schema }))
  expect(done.value).toEqual(JSON.parse(text))
  expect(['yes', 'no']).toContain((done.value as { answer: string }).answer)
  const cut = await read(ref.stream({ type: 'complete', prompt: 'The lamp', maxTokens: 3 }))
  expect(cut.done).toMatchObject({ finishReason: 'length', usage: { completionTokens: 3 } })
  await troupe.stop()
  await host.stop()
})
