import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { retriever, type Document, type IngestProgress, type Retriever, type Where } from 'troupe/actors'

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

describe('documents of several formats', () => {
  const texts = async (document: Document, limit = 20): Promise<{ title: string; text: string; source: string }[]> => {
    const ref = fresh()
    await ref.ask({ type: 'add', documents: [document] })
    return (await ref.ask({ type: 'search', query: 'x', limit })).passages.map(({ title, text, source }) => ({ title, text, source })).toSorted((a, b) => (a.text < b.text ? -1 : 1))
  }

  test('HTML gives its main text by headings, without scripts, menus and forms', async () => {
    const html = `<!doctype html><html><head><title>Care &amp; use</title><style>p { color: red }</style></head><body><nav><a href="/">Home</a></nav>
      <main><header><h1>Leather</h1></header><p>Wipe it with a <b>damp</b> cloth.</p><h2>Wool</h2><ul><li>Wash cold.<li>Dry flat.</ul>
      <table><tr><th>Part</th><th>Heat</th></tr><tr><td>Lining</td><td>30 °C</td></tr></table><script>alert('no')</script><pre>one\n  two</pre></main><footer>Imprint</footer></body></html>`
    expect(await texts({ id: 'care', source: 'care.html', format: 'html', text: html })).toEqual([
      { title: 'Wool', source: 'care.html', text: 'Wash cold. Dry flat.\nPart · Heat\nLining · 30 °C\none\n  two' },
      { title: 'Leather', source: 'care.html', text: 'Wipe it with a damp cloth.' },
    ].toSorted((a, b) => (a.text < b.text ? -1 : 1)))
  })

  test('a page of HTML without headings has its own title', async () => {
    expect(await texts({ id: 'p', source: 'p.html', format: 'html', text: '<title>Hours</title><p>Open daily' })).toEqual([{ title: 'Hours', source: 'p.html', text: 'Open daily' }])
  })

  test('plain text has no marks: what looks like Markdown stays', async () => {
    expect(await texts({ id: 't', title: 'Notes', source: 't.txt', format: 'text', text: '# not a heading\n\n2 * 3 * 4' })).toEqual([{ title: 'Notes', source: 't.txt', text: '# not a heading 2 * 3 * 4' }])
  })

  test('JSON lines give a record each, with what it says of itself', async () => {
    const ref = fresh()
    const lines = [{ text: 'A lamp.', title: 'Lamp', metadata: { price: 20 } }, { text: 'A chair.', source: 'chairs/1', metadata: { price: 90 } }].map((each) => JSON.stringify(each))
    await ref.ask({ type: 'add', documents: [{ id: 'goods', title: 'Goods', source: 'goods.jsonl', format: 'jsonl', metadata: { shop: 'L&P' }, text: `${lines.join('\n\n')}\n` }] })
    const { passages } = await ref.ask({ type: 'search', query: 'lamp chair', where: { metadata: { price: { from: 50 } } } })
    expect(passages).toMatchObject([{ title: 'Goods', text: 'A chair.', source: 'chairs/1', metadata: { price: 90, shop: 'L&P' } }])
    expect((await ref.ask({ type: 'search', query: 'lamp', limit: 1 })).passages[0]).toMatchObject({ title: 'Lamp', source: 'goods.jsonl#L1' })
  })

  test.each([
    ['not JSON', '{"text": "fine"}\nnot JSON', 'line 2 of goods is not JSON'],
    ['no object', '[1]', 'line 1 of goods is not an object'],
    ['a text that is none', '{"text": 7}', 'has a text that is not text'],
    ['metadata of metadata', '{"text": "x", "metadata": {"a": {}}}', 'has metadata that are not'],
    ['half a triple', '{"text": "x", "triples": [{"subject": "a"}]}', 'has triples that are not'],
  ])('a record with %s is refused, and the retriever goes on', async (_, text, message) => {
    const ref = fresh()
    await expect(ref.ask({ type: 'add', documents: [{ id: 'goods', source: 'g', format: 'jsonl', text }] })).rejects.toMatchObject({ code: 'InvalidMessage', message: expect.stringContaining(message) as string })
    expect(await ref.ask({ type: 'add', documents })).toMatchObject({ documents: 3 })
  })

  test('code and tables of Markdown keep their lines, front matter is left out', async () => {
    const text = '---\ndraft: true\n---\n# Setup\n\nRun this:\n\n```sh\nnpm ci  # once\nnpm start\n```\n\n| key | value |\n| --- | --- |\n| port | 80 |'
    expect(await texts({ id: 'm', title: 'm', source: 'm.md', text })).toEqual([{ title: 'Setup', source: 'm.md', text: 'Run this:\nnpm ci  # once\nnpm start\nkey · value\nport · 80' }])
  })

  test('a megabyte without a space is cut like any other', async () => {
    const ref = troupe.spawn('wide', retriever({ passage: { tokens: 2_000, chars: 8_000 } }))
    expect((await ref.ask({ type: 'add', documents: [{ id: 'x', source: 'x', format: 'text', text: '𝔘'.repeat(30_000) }] })).passages).toBeGreaterThan(8)
  })

  test('a passage keeps to the budget of tokens, Chinese ones being shorter', async () => {
    const ref = troupe.spawn('budget', retriever({ passage: { tokens: 60, chars: 10_000 } }))
    await ref.ask({ type: 'add', documents: [{ id: 'en', source: 'en', text: 'The lamp stands on the table. '.repeat(40) }, { id: 'zh', source: 'zh', text: '这盏灯放在桌子上。'.repeat(40) }] })
    const { passages } = await ref.ask({ type: 'search', query: 'lamp', limit: 100 })
    const longest = (source: string): number => Math.max(...passages.filter((each) => each.source === source).map(({ text }) => text.length))
    expect([longest('en') > 150, longest('en') <= 207, longest('zh') > 45, longest('zh') <= 70]).toEqual([true, true, true, true])
  })
})

describe('taking in again', () => {
  test('costs nothing for what is the same, and only the changed passages of what is not', async () => {
    const ref = fresh()
    const sections = Array.from({ length: 6 }, (_, i) => `## Part ${i}\n\nThis is part number ${i}.`)
    const book = (parts: readonly string[]): Document => ({ id: 'book', title: 'Book', source: 'book.md', text: parts.join('\n\n') })
    expect(await ref.ask({ type: 'add', documents: [book(sections), ...documents] })).toMatchObject({ documents: 4, unchanged: 0, embedded: 11 })
    expect(await ref.ask({ type: 'add', documents: [book(sections), ...documents] })).toMatchObject({ documents: 4, unchanged: 4, passages: 0, embedded: 0 })
    const edited = book(sections.with(2, '## Part 2\n\nSomething else entirely.'))
    expect(await ref.ask({ type: 'add', documents: [edited] })).toMatchObject({ unchanged: 0, passages: 6, embedded: 1 })
    const { passages } = await ref.ask({ type: 'search', query: 'something else', where: { documents: ['book'] }, limit: 20 })
    expect(passages).toHaveLength(6)
    expect(passages[0]?.text).toBe('Something else entirely.')
  })

  test('tells how far it is; who leaves stops it, and what was taken in stays', async () => {
    const ref = fresh()
    const many = Array.from({ length: 300 }, (_, i): Document => ({ id: `n${i}`, source: `n${i}`, text: `Note number ${i} is about topic ${i % 10}.` }))
    let seen: IngestProgress | undefined
    for await (const progress of ref.stream({ type: 'ingest', documents: many })) {
      expect(progress.documents).toBeGreaterThanOrEqual(seen?.documents ?? 0)
      seen = progress
      if (progress.documents > 0) break
    }
    expect(seen?.of).toBe(300)
    const rest = await ref.ask({ type: 'add', documents: many })
    expect(rest.documents).toBe(300)
    expect(rest.unchanged).toBeGreaterThanOrEqual(seen?.documents ?? 300)
    expect(rest.unchanged).toBeLessThan(300)
  })
})

describe('filters and facts', () => {
  const people: readonly Document[] = [
    { id: 'curie', title: 'Marie Curie', source: 'curie.md', text: 'She studied radiation in Paris.', metadata: { born: 1867, field: 'physics' }, triples: [{ subject: 'Marie Curie', relation: 'born in', object: 'Warsaw', subjectType: 'person', objectType: 'city' }] },
    { id: 'noether', title: 'Emmy Noether', source: 'noether.md', text: 'She studied algebra in Göttingen.', metadata: { born: 1882, field: 'mathematics' }, triples: [{ subject: 'Emmy Noether', relation: 'born in', object: 'Erlangen' }, { subject: 'Emmy Noether', relation: 'worked in', object: 'Göttingen' }] },
    { id: 'facts', source: 'facts.json', text: '', triples: [{ subject: 'Lise Meitner', relation: 'born in', object: 'Vienna' }] },
  ]
  test('narrow a search, and tell facts with their source', async () => {
    const ref = fresh()
    await ref.ask({ type: 'add', documents: people })
    const found = async (where: Where): Promise<string[]> => (await ref.ask({ type: 'search', query: 'studied', where })).passages.map(({ source }) => source)
    expect(await found({ metadata: { born: { from: 1880 } } })).toEqual(['noether.md'])
    expect(await found({ metadata: { field: ['physics', 'chemistry'] } })).toEqual(['curie.md'])
    expect(await found({ triples: [{ relation: 'born in', object: 'Erlangen' }] })).toEqual(['noether.md'])
    expect(await found({ triples: [{ object: 'Vienna' }] })).toEqual(['facts.json'])
    expect(await ref.ask({ type: 'facts', relation: 'born in', object: 'Warsaw' })).toEqual({ facts: [{ ...people[0]?.triples?.[0], document: 'curie', source: 'curie.md' }] })
    expect((await ref.ask({ type: 'facts', relation: 'born in' })).facts.map(({ object }) => object).toSorted()).toEqual(['Erlangen', 'Vienna', 'Warsaw'])
    expect((await ref.ask({ type: 'facts', limit: 1 })).facts).toHaveLength(1)
  })

  test('a filter that is none is refused by the schema', async () => {
    const wrong = { metadata: { born: { above: 3 } } } as unknown as Where
    await expect(fresh().ask({ type: 'search', query: 'x', where: wrong })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })
})

test('a reranker reads the best passages beside the question, and has the last word', async () => {
  const read: unknown[] = []
  const kernels = {
    infer: (task: string, model: string, input: unknown, options?: object) => {
      if (task !== 'rerank') return host.infer(task, model, input, options)
      const pairs = input as { text: string; pair: string }[]
      read.push(model, pairs[0]?.text)
      return Object.assign(Promise.resolve(pairs.map(({ pair }) => (pair.includes('Saturday') ? 0.9 : 0.1))), { async *[Symbol.asyncIterator]() {} })
    },
  }
  const other = await createTroupe({ host: kernels })
  const ref = other.spawn('retriever', retriever({ reranker: 'some/reranker' }))
  await ref.ask({ type: 'add', documents })
  const { passages } = await ref.ask({ type: 'search', query: 'How do I return a parcel?', limit: 1 })
  expect(passages).toMatchObject([{ source: 'hours.md', score: 0.9 }])
  expect(read).toEqual(['some/reranker', 'How do I return a parcel?'])
  await other.stop()
})
