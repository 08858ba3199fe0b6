import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { retriever, type Document, type Retriever } from 'troupe/actors'

const documents: readonly Document[] = [
  { id: 'returns', title: 'Returns', source: 'returns.md', text: '# Returns\n\nYou can return a parcel within 30 days of delivery. Items must be unused.\n\n## Refunds\n\nWe refund the price **within 5 days**. See [the form](form.md).' },
  { id: 'hours', title: 'Opening hours', source: 'hours.md', text: '# Opening hours\n\n- Monday to Friday: 9 am to 6 pm\n- Saturday: 10 am to 4 pm' },
  { id: 'zh', title: '常见问题', source: 'zh.md', text: '# 常见问题\n\n## 配送\n\n您购买的商品在三到五个工作日内送达。\n\n## 付款\n\n我们接受信用卡和银行转账。' },
]

let host: Host
let troupe: Troupe
beforeAll(async () => {
  host = await createHost()
  troupe = await createTroupe({ host })
})
afterAll(async () => {
  await troupe.stop()
  await host.stop()
})

let names = 0
const fresh = (): Ref<(typeof Retriever)['specs']> => troupe.spawn(`retriever-${(names += 1)}`, retriever())
async function filled(): Promise<Ref<(typeof Retriever)['specs']>> {
  const ref = fresh()
  await ref.ask({ type: 'add', documents })
  return ref
}

describe('finding', () => {
  test('an empty one finds nothing', async () => {
    expect(await fresh().ask({ type: 'search', query: 'anything' })).toEqual({ passages: [] })
  })

  test('gives passages by section, without Markdown, with title, source, score and highlights', async () => {
    const ref = await filled()
    const { passages } = await ref.ask({ type: 'search', query: 'How many days until the refund?', limit: 2 })
    const [best] = passages
    expect(passages).toHaveLength(2)
    expect(best).toMatchObject({ text: 'We refund the price within 5 days. See the form.', title: 'Refunds', source: 'returns.md' })
    expect(best?.score).toBeGreaterThan(passages[1]?.score ?? 1)
    expect(best?.highlights?.map(({ start, end }) => best.text.slice(start, end))).toEqual(['refund', 'days'])
  })

  test('a Chinese question finds the Chinese page', async () => {
    const ref = await filled()
    const { passages } = await ref.ask({ type: 'search', query: '我购买的商品在哪里？' })
    expect(passages[0]).toMatchObject({ source: 'zh.md', title: '配送' })
  })

  test('scores of what is there and what is not lie apart', async () => {
    const ref = await filled()
    const best = async (query: string): Promise<number> => (await ref.ask({ type: 'search', query })).passages[0]?.score ?? 0
    expect(await best('When can I return a parcel?')).toBeGreaterThan(0.4)
    expect(await best('Who wrote the symphony?')).toBeLessThan(0.15)
    expect(await best('')).toBeLessThan(0.15)
  })

  test('long texts become passages of at most 300 characters', async () => {
    const ref = fresh()
    const long = `${'A sentence about lamps and their switches. '.repeat(40)}${'x'.repeat(700)}`
    const { passages: count } = await ref.ask({ type: 'add', documents: [{ id: 'long', title: 'Long', source: 'long.md', text: long }] })
    const { passages } = await ref.ask({ type: 'search', query: 'lamps', limit: 100 })
    expect(passages).toHaveLength(count)
    expect(Math.max(...passages.map(({ text }) => text.length))).toBeLessThanOrEqual(300)
  })
})

describe('taking in', () => {
  test('a document with a known id replaces the earlier one; a removed one is gone', async () => {
    const ref = await filled()
    await ref.ask({ type: 'add', documents: [{ id: 'hours', title: 'Opening hours', source: 'hours.md', text: 'The shop is closed in August.' }] })
    const search = async (query: string): Promise<string[]> => (await ref.ask({ type: 'search', query, limit: 10 })).passages.map(({ text }) => text)
    expect(await search('Saturday')).not.toContainEqual(expect.stringContaining('Saturday'))
    expect((await search('August'))[0]).toBe('The shop is closed in August.')
    expect(await ref.ask({ type: 'remove', ids: ['hours', 'nobody'] })).toEqual({ removed: 1 })
    expect(await search('August')).not.toContain('The shop is closed in August.')
    expect(await ref.ask({ type: 'remove', ids: ['returns', 'zh'] })).toEqual({ removed: 2 })
    expect(await search('August')).toEqual([])
  })

  test('who searches while the first documents come in waits for them; several additions are taken in order', async () => {
    const ref = fresh()
    const [first, second] = documents as [Document, Document]
    const added = Promise.all([ref.ask({ type: 'add', documents: [first] }), ref.ask({ type: 'add', documents: [second] })])
    expect((await ref.ask({ type: 'search', query: 'return a parcel' })).passages[0]?.source).toBe('returns.md')
    expect((await added).map(({ documents }) => documents)).toEqual([1, 1])
    expect((await ref.ask({ type: 'search', query: 'open on Saturday' })).passages[0]?.source).toBe('hours.md')
  })

  test('words that mean the same here can be declared', async () => {
    const plain = await filled()
    const taught = troupe.spawn('taught', retriever({ synonyms: [['refund', 'money back', 'reimbursement']] }))
    await taught.ask({ type: 'add', documents })
    const query = 'When do I get my money back?'
    const before = (await plain.ask({ type: 'search', query })).passages[0]?.score ?? 0
    const [best] = (await taught.ask({ type: 'search', query })).passages
    expect(best?.title).toBe('Refunds')
    expect(best?.score).toBeGreaterThan(before + 0.2)
  })
})

test('many searches at once are all answered', async () => {
  const ref = await filled()
  const found = await Promise.all(Array.from({ length: 200 }, () => ref.ask({ type: 'search', query: 'return a parcel', limit: 1 })))
  expect(new Set(found.map(({ passages }) => passages[0]?.source))).toEqual(new Set(['returns.md']))
})
