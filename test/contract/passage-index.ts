// What every index of passages keeps, in memory and on disk: run by each with a way to open a new one.
import { describe, expect, test } from 'vitest'
import type { Entry, PassageIndex, Query } from '../../src/actors/retriever/passage-index.js'
import { matches, type Triple, type Where } from '../../src/actors/retriever/where.js'

const at = (angle: number): Float32Array => Float32Array.of(Math.cos(angle), Math.sin(angle), 0, 0)
const entry = (document: string, text: string, given: Partial<Entry> = {}): Entry => ({
  document, at: 0, hash: 'h', title: '', source: `${document}.md`, text, vector: at(0), metadata: {}, triples: [], leads: true, ...given,
})
const asked = (text: string, given: Partial<Query> = {}): Query => ({ text, vector: at(0), limit: 10, ...given })
const isA = (subject: string, object: string): Triple => ({ subject, relation: 'is a', object })

export function passageIndexContract(name: string, open: () => Promise<PassageIndex>): void {
  describe(`${name} keeps the promise of an index of passages`, () => {
    const filled = async (...entries: Entry[]): Promise<PassageIndex> => {
      const index = await open()
      await index.replace([...new Set(entries.map(({ document }) => document))], entries)
      return index
    }
    const documents = async (index: PassageIndex, query: Query): Promise<string[]> => (await index.search(query)).map(({ document }) => document)

    test('an empty one finds nothing and knows nothing', async () => {
      const index = await open()
      expect([index.size, await index.search(asked('lamp')), await index.entries(['a']), await index.remove(['a']), await index.facts({}, 10), (await index.hashes(['a'])).size]).toEqual([0, [], [], 0, [], 0])
      await index.settle()
      await index.rebuild()
      expect(await index.documents()).toEqual([])
    })

    test('finds by words and by vector, the best first, and tells where the words stand', async () => {
      const index = await filled(entry('lamp', 'A lamp gives light.', { vector: at(1.5) }), entry('chair', 'Chairs are for sitting.', { vector: at(0) }), entry('far', 'Nothing of the kind.', { vector: at(3) }))
      const [best, second] = await index.search(asked('Where is my lamp?', { vector: at(0.1) }))
      expect([best?.document, second?.document]).toEqual(['lamp', 'chair'])
      expect(best?.highlights.map(({ start, end }) => best.text.slice(start, end))).toEqual(['lamp'])
      expect(best?.source).toBe('lamp.md')
    })

    test('finds Chinese by its words', async () => {
      const index = await filled(entry('pay', '我们接受信用卡和银行转账。'), entry('ship', '您购买的商品在三到五个工作日内送达。'))
      expect((await documents(index, asked('可以用信用卡吗？')))[0]).toBe('pay')
    })

    test('a passage that says all that was asked scores near 1, and what nobody says counts against all', async () => {
      const index = await filled(entry('a', 'amber amber amber amber amber amber amber amber'), entry('b', 'birch'), entry('c', 'cedar'))
      const score = async (text: string): Promise<number> => (await index.search(asked(text, { vector: at(Math.PI / 2) })))[0]?.score ?? 0
      expect(await score('amber')).toBeGreaterThan(0.7)
      expect(await score('amber zeppelin')).toBeLessThan(0.5)
      expect(await score('zeppelin')).toBeCloseTo(0, 6)
    })

    test('a document replaces all passages of its earlier self, and one without passages is gone', async () => {
      const index = await filled(entry('a', 'amber one'), entry('a', 'amber two', { at: 1 }), entry('a', 'amber three', { at: 2 }), entry('b', 'birch'))
      await index.replace(['a'], [entry('a', 'azure', { hash: 'new' })])
      expect(index.size).toBe(2)
      expect((await index.search(asked('amber'))).map(({ text }) => text).toSorted()).toEqual(['azure', 'birch'])
      await index.replace(['a', 'unknown'], [])
      expect([index.size, await documents(index, asked('azure'))]).toEqual([1, ['b']])
    })

    test('gives back what it was given, in order', async () => {
      const given = [0, 1, 2].map((place) => entry("it's", `text ${place}`, { at: place, title: 'T', metadata: { year: 2024, open: true, name: 'x' }, triples: [isA('x', 'y')], vector: at(place) }))
      const index = await filled(...given, entry('other', 'other'))
      expect(await index.entries(["it's", 'nobody'])).toEqual(given)
      expect([...(await index.hashes(["it's", 'nobody']))]).toEqual([["it's", 'h']])
    })

    test('tells how many documents it removed', async () => {
      const index = await filled(entry('a', 'amber'), entry('a', 'amber again', { at: 1 }), entry('b', 'birch'))
      expect([await index.remove(['a', 'nobody', 'a#1']), index.size]).toEqual([1, 1])
      expect(await documents(index, asked('amber'))).toEqual(['b'])
    })

    const described = [
      entry('a', 'amber', { metadata: { year: 1999, lang: 'en', open: true }, triples: [isA('amber', 'resin'), { subject: 'amber', relation: 'found in', object: 'Poland', objectType: 'country' }] }),
      entry('b', 'amber', { metadata: { year: 2024, lang: 'zh', 'odd "name" (1)': -2.5 }, triples: [isA('birch', 'tree')] }),
      entry('c', 'amber', { metadata: { year: '2024', lang: "fr's", open: false } }),
      entry('d', 'amber'),
    ]
    test.each<[string, Where, string[]]>([
      ['nothing asked', {}, ['a', 'b', 'c', 'd']],
      ['a value', { metadata: { lang: 'en' } }, ['a']],
      ['a value with a quote', { metadata: { lang: "fr's" } }, ['c']],
      ['a number is not its digits', { metadata: { year: 2024 } }, ['b']],
      ['a boolean', { metadata: { open: false } }, ['c']],
      ['one of several values', { metadata: { lang: ['en', 'zh', 'de'] } }, ['a', 'b']],
      ['one of none', { metadata: { lang: [] } }, []],
      ['a range', { metadata: { year: { from: 2000, to: 2024 } } }, ['b']],
      ['an open range', { metadata: { year: { to: 1999 } } }, ['a']],
      ['a range of an odd name', { metadata: { 'odd "name" (1)': { from: -2.5 } } }, ['b']],
      ['two conditions', { metadata: { year: { from: 1990 }, lang: 'zh' } }, ['b']],
      ['what nobody has', { metadata: { constructor: 'x' } }, []],
      ['a triple', { triples: [{ relation: 'is a' }] }, ['a', 'b']],
      ['a triple by two parts', { triples: [{ relation: 'is a', object: 'resin' }] }, ['a']],
      ['two triples', { triples: [{ subject: 'amber' }, { objectType: 'country' }] }, ['a']],
      ['parts of different triples', { triples: [{ relation: 'is a', object: 'Poland' }] }, []],
      ['documents', { documents: ['b', 'c', 'nobody'] }, ['b', 'c']],
    ])('filters by %s', async (_, where, expected) => {
      const index = await filled(...described)
      expect((await documents(index, asked('amber', { where }))).toSorted()).toEqual(expected)
      await index.settle()
      expect((await documents(index, asked('amber', { where }))).toSorted()).toEqual(expected)
    })

    test('passages of one document may be described differently: each record of a list is', async () => {
      const index = await filled(entry('a', 'amber', { metadata: { n: 1 } }), entry('a', 'azure', { at: 1, metadata: { n: 2 }, triples: [isA('azure', 'colour')] }))
      expect((await index.search(asked('amber azure', { where: { metadata: { n: 2 } } }))).map(({ text }) => text)).toEqual(['azure'])
      expect(await index.facts({ object: 'colour' }, 10)).toHaveLength(1)
    })

    test('tells the triples with their source', async () => {
      const index = await filled(...described, entry('a', 'more', { at: 1, leads: false, triples: described[0]?.triples ?? [] }))
      expect(await index.facts({ relation: 'is a', object: 'resin' }, 10)).toEqual([{ ...isA('amber', 'resin'), document: 'a', source: 'a.md' }])
      const all = await index.facts({}, 10)
      expect(all).toHaveLength(3)
      expect(all.every((fact) => matches(fact, {}))).toBe(true)
      expect(await index.facts({}, 2)).toHaveLength(2)
      expect(await index.facts({ subject: 'nobody' }, 10)).toEqual([])
    })

    test('is the same after it has tidied up', async () => {
      const index = await filled(...Array.from({ length: 600 }, (_, i) => entry(`d${i}`, `word${i} amber`, { vector: at(i / 300) })))
      const before = await index.search(asked('word7 word8', { limit: 5 }))
      await index.settle()
      expect(await index.search(asked('word7 word8', { limit: 5 }))).toEqual(before)
      await index.rebuild()
      expect(await index.search(asked('word7 word8', { limit: 5 }))).toEqual(before)
      expect(new Set(await index.documents()).size).toBe(600)
      expect(before.slice(0, 2).map(({ document }) => document).toSorted()).toEqual(['d7', 'd8'])
    })
  })
}
