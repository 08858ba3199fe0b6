import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { actor, createTroupe, event, protocol, request, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { virtualClock } from 'troupe/testing'
import { commands, nlu, Nlu, slot } from 'troupe/actors'
import { z } from 'zod'
import { gate } from '../runtime/stage.js'
import { inSlices } from '../../src/actors/in-slices.js'
import { featuresOf, trainHead } from '../../src/actors/nlu/head.js'

const said: Readonly<Record<string, readonly string[]>> = {
  book_table: ['book a table for two', 'reserve a table tonight', 'I need a table for four people', 'can we get a table at eight', 'table for six please', 'make a restaurant reservation', 'reserve dinner for three', 'book us a table by the window', 'is a table free tomorrow', 'I would like to reserve a table'],
  weather: ['what is the weather like', 'will it rain today', 'is it going to snow', 'how warm is it outside', 'weather forecast for tomorrow', 'do I need an umbrella', 'is it sunny in Rome', 'what is the temperature', 'how windy is it', 'any storms this weekend'],
  play_music: ['play some jazz', 'put on a song', 'I want to hear rock music', 'play the latest album', 'start my playlist', 'play something relaxing', 'turn on the radio', 'play a song by Queen', 'shuffle my music', 'next track please'],
  天气: ['今天天气怎么样', '明天会下雨吗', '外面冷不冷', '今天多少度', '周末天气好吗', '会不会下雪', '需要带伞吗', '北京的天气如何', '今天刮风吗', '天气预报怎么说'],
}
const heldBack = [
  { text: 'please reserve a table for five', intent: 'book_table' },
  { text: 'get us a table for tomorrow night', intent: 'book_table' },
  { text: 'is rain expected this afternoon', intent: 'weather' },
  { text: 'how cold will it be tomorrow', intent: 'weather' },
  { text: 'play my favourite song', intent: 'play_music' },
  { text: 'put some music on', intent: 'play_music' },
  { text: '明天天气好吗', intent: '天气' },
  { text: '今天会下雪吗', intent: '天气' },
]
const examples = Object.entries(said).flatMap(([intent, texts]) => texts.map((text) => ({ text, intent })))

let host: Host
let troupe: Troupe
let ref: Ref<(typeof Nlu)['specs']>
beforeAll(async () => {
  host = await createHost()
  troupe = await createTroupe({ host })
  ref = troupe.spawn('nlu', nlu())
})
afterAll(async () => {
  await troupe.stop()
  await host.stop()
})

describe('before training', () => {
  test('it tells language, tokens and entities with their places', async () => {
    const text = 'Book a table for four at 7 pm in Paris 🎉'
    const { language, tokens, entities, intents, outOfScope, vector } = await ref.ask({ type: 'parse', text })
    expect({ language, intents, outOfScope, vector }).toEqual({ language: 'en', intents: [], outOfScope: false, vector: undefined })
    expect(tokens.map((token) => text.slice(token.start, token.end))).toEqual(['Book', 'a', 'table', 'for', 'four', 'at', '7', 'pm', 'in', 'Paris', '🎉'])
    expect(entities).toContainEqual(expect.objectContaining({ type: 'place', value: 'Paris', start: 33, end: 38 }))
  })

  test('it gives the vector to those who ask for it', async () => {
    expect((await ref.ask({ type: 'parse', text: 'hello', vector: true })).vector).toHaveLength(320)
  })

  test.each([
    ['How are you?', 'en'],
    ['我购买的商品在哪里？', 'zh'],
    ['我的iPhone订单在哪里？', 'zh'],
    ['注文はどこですか', 'ja'],
    ['주문은 어디에 있나요', 'ko'],
    ['Где мой заказ?', 'ru'],
    ['Wo ist meine Bestellung?', 'de'],
    ['Ich möchte einen Tisch für vier Personen reservieren', 'de'],
    ['¿Dónde está mi pedido?', 'es'],
    ['quiero devolver este paquete por favor', 'es'],
    ['Où est ma commande ?', 'fr'],
    ["Je voudrais réserver une table pour ce soir, s'il vous plaît", 'fr'],
    ["Dov'è il mio ordine?", 'it'],
    ['vorrei prenotare un tavolo per due', 'it'],
    ['Waar is mijn bestelling?', 'nl'],
    ['ik wil graag een tafel voor vier', 'nl'],
    ['Onde está o meu pedido?', 'pt'],
    ['gostaria de reservar uma mesa para quatro', 'pt'],
    ['play la vie en rose', 'en'],
    ['book a table at Café Müller', 'en'],
    ['order 4711', 'en'],
    ['12 + 30', 'und'],
    ['', 'und'],
  ])('%s is %s', async (text, language) => {
    expect((await ref.ask({ type: 'parse', text })).language).toBe(language)
  })

  test('there is nothing to evaluate', async () => {
    await expect(ref.ask({ type: 'evaluate', examples: heldBack })).rejects.toMatchObject({ code: 'Unhandled' })
  })

  test('a single intent is no lesson, and it stays able to answer', async () => {
    await expect(ref.ask({ type: 'train', examples: [{ text: 'hello', intent: 'greet' }] })).rejects.toMatchObject({ code: 'InvalidMessage' })
    expect((await ref.ask({ type: 'parse', text: 'hello' })).intents).toEqual([])
  })

  test('what is no list of examples is refused', async () => {
    await expect(ref.ask({ type: 'train', examples: [{ text: 7, intent: 'greet' }] as never })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })
})

describe('after training on ten examples of each intent', () => {
  test('it knows what it has not seen, in both languages', async () => {
    const trained = await ref.ask({ type: 'train', examples })
    expect(trained).toMatchObject({ intents: ['book_table', 'play_music', 'weather', '天气'], examples: 40 })
    expect(trained.accuracy).toBeGreaterThan(0.6)
    const { accuracy, macroF1, perIntent } = await ref.ask({ type: 'evaluate', examples: heldBack })
    console.log(`nlu: ${trained.accuracy} on what training held back, accuracy ${accuracy}, macro F1 ${macroF1.toFixed(2)} on ${heldBack.length} more`)
    expect(accuracy).toBeGreaterThanOrEqual(0.875)
    expect(macroF1).toBeGreaterThanOrEqual(0.85)
    expect(perIntent.map(({ intent }) => intent)).toEqual(['book_table', 'play_music', 'weather', '天气'])
  })

  test('scores are sorted and add up to one; strange things are out of scope', async () => {
    const { intents } = await ref.ask({ type: 'parse', text: 'play some jazz for me' })
    expect(intents[0]?.name).toBe('play_music')
    expect(intents.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 3)
    expect(intents.map(({ score }) => score)).toEqual(intents.map(({ score }) => score).toSorted((a, b) => b - a))
  })

  test('the same vectors and seed give the same head', () => {
    const vectorOf = (text: string): Float32Array => Float32Array.from({ length: 8 }, (_, at) => Math.sin(text.length * (at + 1)))
    const intents = Object.keys(said)
    const train = (seed: number): Float32Array => {
      const work = trainHead(examples.map(({ text, intent }) => ({ features: featuresOf(text, vectorOf(text)), intent: intents.indexOf(intent) })), intents, seed)
      for (;;) {
        const step = work.next()
        if (step.done === true) return step.value.weights
      }
    }
    expect(train(1)).toEqual(train(1))
    expect(train(1)).not.toEqual(train(2))
  })

  test('training hands the event loop back before five milliseconds of work are done, whatever there is to learn', async () => {
    // A clock that runs by the work: a millisecond for each example that is looked at.
    let now = 0
    let begun = 0
    const slices: number[] = []
    const clock = {
      elapsed: () => now,
      nextTurn: (run: () => void) => {
        slices.push(now - begun)
        begun = now
        queueMicrotask(run)
      },
    }
    const intents = Object.keys(said)
    const lesson = examples.map(({ text, intent }) => ({ features: featuresOf(text, new Float32Array(8)), intent: intents.indexOf(intent) }))
    const ticking = function* (): Generator<void, { weights: Float32Array }> {
      const work = trainHead(lesson, intents, 1)
      for (;;) {
        const step = work.next()
        now += 1
        if (step.done === true) return step.value
        yield
      }
    }
    await inSlices(ticking(), undefined, clock)
    expect(Math.max(...slices)).toBeLessThanOrEqual(5)
    // One example at a time, in every one of its rounds: no step grows with the lesson.
    expect(now).toBeGreaterThan(15 * lesson.length)
  })

  test('the old head answers while a new one is trained', async () => {
    let training = true
    const many = Array.from({ length: 6 }, (_, i) => examples.map(({ text, intent }) => ({ text: `${text} ${i}`, intent: intent === 'weather' ? 'sky' : intent }))).flat()
    const trained = ref.ask({ type: 'train', examples: many }).finally(() => (training = false))
    const { intents } = await ref.ask({ type: 'parse', text: 'will it rain tomorrow' })
    expect(training).toBe(true)
    expect(intents[0]?.name).toBe('weather')
    await trained
    expect((await ref.ask({ type: 'parse', text: 'will it rain tomorrow' })).intents[0]?.name).toBe('sky')
  })
})

describe('who waits no more', () => {
  /** A model that never answers, and says when nobody wants it to. */
  const hanging = () => {
    const [begun, left] = [gate(), gate()]
    const infer = (_task: string, _model: string, _input: unknown, { signal }: { signal?: AbortSignal } = {}) => {
      begun.open()
      const answer = new Promise<never>((_resolve, reject) => signal?.addEventListener('abort', () => (left.open(), reject(signal.reason as Error))))
      return Object.assign(answer, { async *[Symbol.asyncIterator]() {} }) as never
    }
    return { begun: begun.passed, left: left.passed, host: { infer } }
  }

  test('who cancels a parse stops the model too', async () => {
    const { begun, left, host: slow } = hanging()
    const other = await createTroupe({ host: slow })
    const abort = new AbortController()
    const answer = other.spawn('nlu', nlu()).ask({ type: 'parse', text: 'hello' }, { signal: abort.signal })
    await begun
    abort.abort()
    await expect(answer).rejects.toMatchObject({ code: 'Cancelled' })
    await left
    await other.stop()
  })

  test('so does a deadline', async () => {
    const { begun, left, host: slow } = hanging()
    const clock = virtualClock()
    const other = await createTroupe({ host: slow, clock })
    const answer = other.spawn('nlu', nlu()).ask({ type: 'parse', text: 'hello' }, { timeout: '1s' }).catch(({ code }: { code: string }) => code)
    await begun
    await clock.advance(1_000)
    expect(await answer).toBe('DeadlineExceeded')
    await left
    await other.stop()
  })
})

test('who asks before declared examples are learnt waits for them', async () => {
  const declared = troupe.spawn('declared', nlu({ examples }))
  expect((await declared.ask({ type: 'parse', text: 'play a song' })).intents[0]?.name).toBe('play_music')
})

describe('what it learnt', () => {
  const learnt = (name: string, options: Parameters<typeof nlu>[0] = {}): Ref<(typeof Nlu)['specs']> => troupe.spawn(name, nlu({ examples, ...options }))

  test('is explained by the nearest examples', async () => {
    const { nearest } = await learnt('explained').ask({ type: 'parse', text: 'will it rain tomorrow', nearest: 3 })
    expect(nearest).toHaveLength(3)
    expect(nearest?.[0]).toMatchObject({ text: 'will it rain today', intent: 'weather' })
    expect(nearest?.map(({ similarity }) => similarity)).toEqual(nearest?.map(({ similarity }) => similarity).toSorted((a, b) => b - a))
  })

  test('tells what is none of its intents from what is', async () => {
    const ref = learnt('bounded')
    const scopes = async (texts: readonly string[]) => Promise.all(texts.map(async (text) => (await ref.ask({ type: 'parse', text })).scope ?? 0))
    const inside = await scopes(heldBack.map(({ text }) => text))
    const outside = await scopes(['my tooth hurts', 'transfer two hundred dollars to savings', 'who wrote the old man and the sea', '我的护照过期了'])
    expect(Math.max(...outside)).toBeLessThan(Math.max(...inside))
    expect(outside.reduce((a, b) => a + b, 0) / outside.length).toBeLessThan(inside.reduce((a, b) => a + b, 0) / inside.length - 0.1)
  })

  test('is corrected by feedback, in the background', async () => {
    const ref = learnt('corrected')
    const text = 'will it rain tomorrow'
    expect((await ref.ask({ type: 'parse', text })).intents[0]?.name).toBe('weather')
    const given = ref.ask({ type: 'feedback', text, intent: 'umbrella', wait: true })
    expect(await ref.ask({ type: 'feedback', text: 'should I take my umbrella', intent: 'umbrella' })).toEqual({ examples: 42, learnt: false })
    // The old head answers until the new one is there.
    expect((await ref.ask({ type: 'parse', text })).intents.map(({ name }) => name)).not.toContain('umbrella')
    expect(await given).toMatchObject({ learnt: true })
    expect((await ref.ask({ type: 'parse', text })).intents[0]?.name).toBe('umbrella')
    // A text that is corrected again has its last intent only.
    expect(await ref.ask({ type: 'feedback', text, intent: 'weather', wait: true })).toEqual({ examples: 42, learnt: true })
    expect((await ref.ask({ type: 'parse', text })).intents[0]?.name).toBe('weather')
  })

  test('can come from feedback alone', async () => {
    const ref = troupe.spawn('taught', nlu())
    expect(await ref.ask({ type: 'feedback', text: 'hello there', intent: 'greet' })).toEqual({ examples: 1, learnt: false })
    await ref.ask({ type: 'feedback', text: 'see you later', intent: 'leave', wait: true })
    expect((await ref.ask({ type: 'parse', text: 'hello there' })).intents[0]?.name).toBe('greet')
  })

  test('is saved as bytes, and answers the same from them elsewhere', async () => {
    const ref = learnt('saved')
    const { bytes } = await ref.ask({ type: 'save' })
    const copy = troupe.spawn('copy', nlu({ head: bytes }))
    const loaded = troupe.spawn('loaded', nlu())
    expect(await loaded.ask({ type: 'load', bytes })).toMatchObject({ intents: ['book_table', 'play_music', 'weather', '天气'], examples: 40 })
    for (const { text } of heldBack) {
      const [first, ...others] = await Promise.all([ref, copy, loaded].map((each) => each.ask({ type: 'parse', text, nearest: 1 })))
      for (const other of others) {
        expect(other.intents[0]?.name).toBe(first?.intents[0]?.name)
        expect(other.intents[0]?.score).toBeCloseTo(first?.intents[0]?.score ?? 0, 2)
        expect(other.nearest?.[0]?.text).toBe(first?.nearest?.[0]?.text)
      }
    }
  })

  test('is refused when its bytes are broken, or of another encoder', async () => {
    const { bytes } = await learnt('source').ask({ type: 'save' })
    const ref = troupe.spawn('picky', nlu())
    for (const broken of [bytes.slice(0, -2), bytes.slice(1), new Uint8Array(), new TextEncoder().encode('troupe-nlu-2\n{}\n')]) {
      await expect(ref.ask({ type: 'load', bytes: broken })).rejects.toMatchObject({ code: 'StoreCorrupt' })
    }
    const renamed = new TextEncoder().encode(new TextDecoder('latin1').decode(bytes.subarray(0, 60)).replace('embedded:encoder', 'embedded:eleventh'.slice(0, 16)))
    const other = bytes.slice()
    other.set(renamed.subarray(0, 60))
    await expect(ref.ask({ type: 'load', bytes: other })).rejects.toMatchObject({ code: 'Incompatible' })
    expect((await ref.ask({ type: 'parse', text: 'hello' })).intents).toEqual([])
  })
})

test.each([
  ['I love this phone, it works great', 'positive'],
  ['terrible service, I will never come back', 'negative'],
  ['set an alarm for six', 'neutral'],
])('%s is %s', async (text, label) => {
  expect((await ref.ask({ type: 'parse', text })).sentiment?.label).toBe(label)
})

describe('an utterance becomes a command', () => {
  const Tables = protocol({
    book: request(z.object({ guests: z.number().int().positive().max(20), at: z.string(), under: z.string().optional() }), z.string()),
    closed: event(z.object({ day: z.string() })),
  })
  const understand = commands(Tables, { book_table: { request: 'book', slots: { guests: slot.number(), at: slot.at('time'), under: slot.or(slot.text('person'), undefined) } } })
  const parse = async (text: string) => troupe.ref(Nlu, 'waiter').ask({ type: 'parse', text, now: Date.parse('2026-03-10T12:00:00Z') })
  beforeAll(() => void troupe.spawn('waiter', nlu({ examples, scopeMin: 0 })))

  test('with its fields typed, ready to ask', async () => {
    const tables = troupe.spawn('tables', actor(Tables, { on: { book: ({ guests, at }) => `${guests} at ${at}`, closed: () => {} } }))
    const command = understand(await parse('book a table for four tomorrow at 7 pm'))
    expect(command).toMatchObject({ kind: 'command', intent: 'book_table', message: { type: 'book', guests: 4, at: '2026-03-11T19:00:00+00:00' } })
    if (command.kind === 'command') expect(await tables.ask(command.message)).toBe('4 at 2026-03-11T19:00:00+00:00')
  })

  test('or tells what is missing, or that it is none', async () => {
    expect(understand(await parse('book a table for tomorrow at 7 pm'))).toEqual({ kind: 'incomplete', intent: 'book_table', request: 'book', missing: ['guests'] })
    expect(understand(await parse('reserve a table for ninety people at 8 pm'))).toEqual({ kind: 'incomplete', intent: 'book_table', request: 'book', missing: ['guests'] })
    expect(understand(await parse('play some jazz'))).toEqual({ kind: 'none', reason: 'no-such-intent' })
    expect(understand({ entities: [], intents: [{ name: 'book_table', score: 0.9 }], outOfScope: true })).toEqual({ kind: 'none', reason: 'out-of-scope' })
  })

  test('of a request that the protocol has', () => {
    expect(() => commands(Tables, { day_off: { request: 'closed' as never, slots: {} as never } })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
  })
})
