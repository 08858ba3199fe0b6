import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { generator, type Generator, type GeneratorChunk, type Source } from 'troupe/actors'
import { Verbatim } from '../../src/actors/generator/verbatim.js'
import { checkCitations } from '../../src/actors/generator/citations.js'

const delivery = { title: 'Delivery', source: 'delivery.md', text: 'Orders are delivered within 3 to 5 working days. Delivery is free.' }
const returns = { title: 'Returns', source: 'returns.md', text: 'You can return a parcel within 30 days of delivery. Items must be unused.' }
const payment = { title: 'Payment', source: 'payment.md', text: 'We take cards and bank transfers.' }
const chinese = { title: '配送', source: 'zh.md', text: '您的商品在配送中心，预计在明天到达。' }

let host: Host
let troupe: Troupe
let ref: Ref<(typeof Generator)['specs']>
beforeAll(async () => {
  host = await createHost()
  troupe = await createTroupe({ host })
  ref = troupe.spawn('generator', generator())
})
afterAll(async () => {
  await troupe.stop()
  await host.stop()
})

async function asked(question: string, passages: readonly Source[]): Promise<{ chunks: GeneratorChunk[]; text: string }> {
  const chunks: GeneratorChunk[] = []
  for await (const chunk of ref.stream({ type: 'answer', question, passages })) chunks.push(chunk)
  return { chunks, text: chunks.map((chunk) => (chunk.kind === 'text' ? chunk.text : '')).join('') }
}

describe('an answer', () => {
  test('comes part by part, cites its passage, and ends with what it cost', async () => {
    const { chunks, text } = await asked('How long do I have to return a parcel?', [delivery, returns])
    expect(text).toBe('You can return a parcel within 30 days of delivery. [2]')
    expect(chunks.length).toBeGreaterThan(4)
    expect(chunks.at(-1)).toEqual({
      kind: 'done',
      citations: [{ number: 2, title: 'Returns', source: 'returns.md' }],
      grounded: true,
      usage: { promptTokens: expect.any(Number) as number, completionTokens: expect.any(Number) as number },
      finishReason: 'stop',
    })
  })

  test('comes in Chinese too', async () => {
    expect((await asked('我购买的商品在哪里？', [chinese, delivery])).text).toBe('您的商品在配送中心，预计在明天到达。 [1]')
  })

  test('what the passages do not tell is refused, in one piece', async () => {
    const { chunks, text } = await asked('What is the capital of Mars?', [delivery, payment])
    expect(text).toBe('')
    expect(chunks.map(({ kind }) => kind)).toEqual(['refusal', 'done'])
    expect(chunks[0]).toMatchObject({ reason: 'refused' })
    expect(chunks[1]).toMatchObject({ citations: [], grounded: false })
  })

  test('many at once are all answered', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => asked('How long do I have to return a parcel?', [delivery, returns])))
    expect(all.filter(({ text }) => text.startsWith('You can return a parcel'))).toHaveLength(20)
  })
})

describe('a reader who leaves', () => {
  test('stops the generation within a few tokens', async () => {
    const passages = [{ ...returns, text: `${returns.text} Print the label and hand the parcel in at any post office. The money goes back to your card.` }]
    const whole = (await asked('How can I return a parcel and when?', passages)).chunks.at(-1)
    for await (const chunk of ref.stream({ type: 'answer', question: 'How can I return a parcel and when?', passages })) if (chunk.kind === 'text') break
    expect(whole?.kind).toBe('done')
    // Another answer needs the same decoder: had the first gone on, its tokens would be counted as well.
    const before = host.metrics()['embedded:generator']?.tokensWritten ?? 0
    const after = (await asked('How long do I have to return a parcel?', [returns])).chunks.at(-1)
    const written = (host.metrics()['embedded:generator']?.tokensWritten ?? 0) - before
    expect(written - (after?.kind === 'done' ? after.usage.completionTokens : 0)).toBeLessThanOrEqual(3)
  })

  test('leaves room for the next, however often', async () => {
    for (let i = 0; i < 20; i++) for await (const _ of ref.stream({ type: 'answer', question: 'How long do I have to return a parcel?', passages: [returns] })) break
    expect((await asked('How long do I have to return a parcel?', [returns])).text).toContain('30 days')
  })
})

describe('only what stands in the passages is let through', () => {
  const passages = [delivery, returns]
  const shown = (written: string): string => {
    const verbatim = new Verbatim(passages)
    return verbatim.push(written) + verbatim.end()
  }
  test.each([
    ['a copied sentence, and its citation set right', 'You can return a parcel within 30 days of delivery. [1]', 'You can return a parcel within 30 days of delivery. [2]'],
    ['a start in mid-sentence begins where the sentence does', 'within 3 to 5 working days. [1]', 'Orders are delivered within 3 to 5 working days. [1]'],
    ['a stray is led back to the end of the sentence', 'You can return a parcel within 99 years. [2]', 'You can return a parcel within 30 days of delivery. [2]'],
    ['the title before it is left out', 'Returns: Items must be unused. [2]', 'Items must be unused. [2]'],
    ['two sentences, two sources', 'Delivery is free. [1] Items must be unused. [2]', 'Delivery is free. [1] Items must be unused. [2]'],
    ['what stands nowhere', 'PHPLy covers faults of material. [1]', ''],
    ['nothing', '', ''],
  ])('%s', (_, written, expected) => {
    expect(shown(written)).toBe(expected)
  })

  test('it is the same in parts as in one piece', () => {
    const verbatim = new Verbatim(passages)
    const written = 'Delivery is free. [1] Items must be unused. [2]'
    expect(Array.from(written, (char) => verbatim.push(char)).join('') + verbatim.end()).toBe(shown(written))
  })
})

describe('citations of a model that writes freely', () => {
  test.each([
    ['covered by the passage', 'A parcel can be returned within 30 days. [2]', { numbers: [2], grounded: true }],
    ['not covered', 'Parcels can be returned in the harbour museum for ever. [2]', { numbers: [2], grounded: false }],
    ['of a passage that is not there', 'Delivery is free. [7]', { numbers: [], grounded: false }],
    ['missing', 'Delivery is free.', { numbers: [], grounded: false }],
  ])('%s', (_, text, { numbers, grounded }) => {
    const checked = checkCitations(text, [delivery, returns])
    expect({ numbers: checked.citations.map(({ number }) => number), grounded: checked.grounded }).toEqual({ numbers, grounded })
  })
})
