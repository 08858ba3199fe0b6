import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { nlu, type Nlu } from 'troupe/actors'
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

test('who asks before declared examples are learnt waits for them', async () => {
  const declared = troupe.spawn('declared', nlu({ examples }))
  expect((await declared.ask({ type: 'parse', text: 'play a song' })).intents[0]?.name).toBe('play_music')
})
