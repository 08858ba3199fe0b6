// The colleagues are stand-ins here, so that each turn of a conversation can be led where it is to go.
import { afterEach, describe, expect, test } from 'vitest'
import { actor, createTroupe, TroupeError, type Ref, type Troupe } from 'troupe'
import { Dialogue, dialogue, Generator, Nlu, Retriever, type DialogueChunk, type GeneratorChunk } from 'troupe/actors'

const passages = [
  { text: 'You can return a parcel within 30 days.', title: 'Returns', source: 'returns.md', score: 0.8 },
  { text: 'Delivery takes 3 days.', title: 'Delivery', source: 'delivery.md', score: 0.7 },
]
const done = { kind: 'done', citations: [{ number: 2, title: 'Delivery', source: 'delivery.md' }], grounded: true, usage: { promptTokens: 1, completionTokens: 1 }, finishReason: 'stop' } as const

interface Script {
  readonly intent?: { name: string; score: number }
  readonly language?: string
  readonly score?: number
  readonly chunks?: readonly GeneratorChunk[]
  /** The generator goes on for ever. */
  readonly endless?: boolean
}

let troupe: Troupe
const asked: string[] = []
let stopped = 0
afterEach(async () => {
  await troupe.stop()
  asked.length = 0
  stopped = 0
})

async function open(script: Script): Promise<Ref<(typeof Dialogue)['specs']>> {
  troupe = await createTroupe()
  const { intent = { name: 'question', score: 0.9 }, language = 'en', score, chunks = [{ kind: 'text', text: 'Delivery takes 3 days. [2]' }, done], endless = false } = script
  const nlu = actor(Nlu, {
    on: {
      parse: () => ({ language, sentences: [], tokens: [], entities: [], intents: [intent], scope: 1, outOfScope: false }),
      train: () => ({ intents: [], examples: 0 }),
      evaluate: () => ({ accuracy: 0, macroF1: 0, calibrationError: 0, examples: 0, perIntent: [] }),
      feedback: () => ({ examples: 0, learnt: false }),
      save: () => ({ bytes: new Uint8Array() }),
      load: () => ({ intents: [], examples: 0 }),
    },
  })
  const retriever = actor(Retriever, {
    on: {
      search: ({ query }) => {
        asked.push(query)
        if (query === 'fail') throw new TroupeError('ModelFailed', 'the encoder is gone', 'try later')
        return { passages: score === undefined ? passages : passages.map((passage) => ({ ...passage, score })) }
      },
      add: () => ({ documents: 0, of: 0, unchanged: 0, passages: 0, embedded: 0 }),
      ingest: function* () {},
      facts: () => ({ facts: [] }),
      reindex: () => ({ documents: 0, of: 0, unchanged: 0, passages: 0, embedded: 0 }),
      remove: () => ({ removed: 0 }),
    },
  })
  const generator = actor(Generator, {
    on: {
      answer: async function* () {
        try {
          for (const chunk of chunks) yield chunk
          while (endless) yield { kind: 'text', text: 'on and ' } satisfies GeneratorChunk
        } finally {
          stopped++
        }
      },
      chat: function* () {},
      complete: function* () {},
      summarise: () => ({ text: '', how: 'extracted' as const }),
      translate: () => ({ text: '' }),
    },
  })
  return troupe.keyed('dialogue', dialogue({ nlu: troupe.spawn('nlu', nlu), retriever: troupe.spawn('retriever', retriever), generator: troupe.spawn('generator', generator), replies: { greet: { en: 'Hello!', zh: '您好！' } } }))('c1')
}

async function said(ref: Ref<(typeof Dialogue)['specs']>, text: string): Promise<{ text: string; done: Extract<DialogueChunk, { kind: 'done' }> | undefined }> {
  let whole = ''
  let last: Extract<DialogueChunk, { kind: 'done' }> | undefined
  for await (const chunk of ref.stream({ type: 'say', text })) {
    if (chunk.kind === 'text') whole += chunk.text
    else last = chunk
  }
  return { text: whole, done: last }
}

describe('a turn', () => {
  test('is answered from the sources, cited from 1', async () => {
    const ref = await open({ chunks: [{ kind: 'text', text: 'Delivery takes 3 days. [' }, { kind: 'text', text: '2]' }, done] })
    expect(await said(ref, 'How long?')).toEqual({
      text: 'Delivery takes 3 days. [1]',
      done: { kind: 'done', how: 'answered', sources: [{ number: 1, title: 'Delivery', source: 'delivery.md' }], language: 'en', intent: 'question', confidence: 0.8, grounded: true },
    })
  })

  test('of small talk gets the declared reply, in its language, without a search', async () => {
    const ref = await open({ intent: { name: 'greet', score: 0.95 }, language: 'zh' })
    expect(await said(ref, '你好')).toMatchObject({ text: '您好！', done: { how: 'declared', intent: 'greet', sources: [] } })
    expect(asked).toEqual([])
  })

  test('that is perhaps small talk is looked up', async () => {
    expect((await said(await open({ intent: { name: 'greet', score: 0.5 } }), 'hello?')).done?.how).toBe('answered')
  })

  test('that no passage matches gets an honest no in its language', async () => {
    const ref = await open({ score: 0.1, language: 'zh' })
    expect(await said(ref, '火星的首都？')).toMatchObject({ text: '抱歉，我们的资料中没有提到这一点。', done: { how: 'unanswered', sources: [], confidence: 0.1 } })
  })

  test('that the generator refuses is quoted from a good match', async () => {
    const ref = await open({ chunks: [{ kind: 'refusal', reason: 'refused', text: 'The sources do not say.' }, { ...done, citations: [] }] })
    expect(await said(ref, 'How long?')).toMatchObject({ text: 'You can return a parcel within 30 days. [1]', done: { how: 'quoted', sources: [{ number: 1, title: 'Returns', source: 'returns.md' }] } })
  })

  test('that the generator refuses over a poor match gets the honest no', async () => {
    const ref = await open({ score: 0.25, chunks: [{ kind: 'refusal', reason: 'refused', text: 'The sources do not say.' }, { ...done, citations: [] }] })
    expect((await said(ref, 'How long?')).done?.how).toBe('unanswered')
  })

  test('whose search fails tells so, and the conversation goes on', async () => {
    const ref = await open({})
    await expect(said(ref, 'fail')).rejects.toBeInstanceOf(TroupeError)
    expect((await said(ref, 'How long?')).done?.how).toBe('answered')
  })
})

describe('a conversation', () => {
  test('answers in order what is said at once', async () => {
    const ref = await open({})
    const turns = await Promise.all(['one', 'two', 'three'].map((text) => said(ref, text)))
    expect(turns.every(({ done }) => done?.how === 'answered')).toBe(true)
    expect(asked).toEqual(['one', 'two', 'three'])
  })

  test('remembers what a follow-up is about, until it is reset', async () => {
    const ref = await open({})
    await said(ref, 'How long does delivery take?')
    await said(ref, 'And to Norway?')
    await ref.tell({ type: 'reset' })
    await said(ref, 'And to Norway?')
    expect(asked).toEqual(['How long does delivery take?', 'How long does delivery take? And to Norway?', 'And to Norway?'])
  })

  test('a reader who leaves stops the generator, and the next turn is answered', async () => {
    const ref = await open({ endless: true })
    for await (const chunk of ref.stream({ type: 'say', text: 'one' })) if (chunk.kind === 'text') break
    for await (const chunk of ref.stream({ type: 'say', text: 'two' })) if (chunk.kind === 'text') break
    expect(asked).toEqual(['one', 'two'])
    expect(stopped).toBeGreaterThanOrEqual(1)
  })

  test('a reset calls off the answer under way, and tells its reader', async () => {
    const ref = await open({ endless: true })
    await expect(async () => {
      for await (const chunk of ref.stream({ type: 'say', text: 'one' })) if (chunk.kind === 'text') void ref.tell({ type: 'reset' })
    }).rejects.toMatchObject({ code: expect.stringMatching(/Cancelled|Interrupted/) as string })
  })
})
