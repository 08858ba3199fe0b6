import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { nlu, type Entity, type Nlu } from 'troupe/actors'
import { entitiesOf, withoutOverlaps } from '../../src/actors/nlu/entities.js'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const reference = { now: NOON, timeZone: 'America/New_York' }

/** What is exact by its form, as `type text → value`. */
async function exactIn(text: string, given = reference): Promise<string[]> {
  const entities = await entitiesOf(text, [], [], given)
  for (const { value, start, end } of entities) expect(text.slice(start, end)).toBe(value)
  return entities.map(({ type, value, number, unit, at, until, canonical }) => [`${type} ${value} →`, number, unit, at, until, canonical].filter((part) => part !== undefined).join(' '))
}

describe('numbers and money', () => {
  test.each([
    ['I have two cats and 3.5 dogs', ['number two → 2', 'number 3.5 → 3.5']],
    ['one hundred and twenty three', ['number one hundred and twenty three → 123']],
    ['1,250,000 people in twenty-five towns', ['number 1,250,000 → 1250000', 'number twenty-five → 25']],
    ['the one I want, not that one', []],
    ['version 1.2.3 of the 2nd edition', []],
    ['三千五百个人', ['number 三千五百 → 3500']],
    ['三万五', ['number 三万五 → 35000']],
    ['等一下', []],
    ['订一张票', ['number 一 → 1']],
    ['pay $1.5 million', ['money $1.5 million → 1500000 USD']],
    ['300 EUR or USD 320', ['money 300 EUR → 300 EUR', 'money USD 320 → 320 USD']],
    ['twenty dollars and five cents', ['money twenty dollars → 20 USD', 'money five cents → 0.05 USD']],
    ['三块五', ['money 三块五 → 3.5 CNY']],
    ['一共¥99', ['money ¥99 → 99 CNY']],
    ['3.5亿美元', ['money 3.5亿美元 → 350000000 USD']],
  ])('%s', async (text, found) => {
    expect(await exactIn(text)).toEqual(found)
  })

  test('whole numbers below a billion are read back as they are written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 999_999_999 }), async (number) => {
        expect(await exactIn(`about ${number.toLocaleString('en-US')} of them`)).toEqual([expect.stringMatching(` → ${number}$`)])
      }),
      { numRuns: 50 },
    )
  })
})

describe('addresses, telephones and orders', () => {
  test.each([
    ['mail Ada.L+x@example.co.uk, please', ['email Ada.L+x@example.co.uk → ada.l+x@example.co.uk']],
    ['发邮件到li@163.com吧', ['email li@163.com → li@163.com']],
    ['see https://a.b/c?d=e(f). Thanks', ['url https://a.b/c?d=e(f) → https://a.b/c?d=e(f)']],
    ['go to www.example.com, then', ['url www.example.com → https://www.example.com']],
    ['ring +1 (555) 123-4567', ['phone +1 (555) 123-4567 → +15551234567']],
    ['打13812345678', ['phone 13812345678 → 13812345678']],
    ['card 4111 1111 1111 1111', ['card 4111 1111 1111 1111 → 4111111111111111']],
    ['host 192.168.1.10', []],
    ['my order number is AB-12345', ['order AB-12345 → AB-12345']],
    ['where is #98321?', ['order #98321 → 98321']],
    ['订单号是2023051234', ['order 2023051234 → 2023051234']],
    ['in order to order a pizza', []],
  ])('%s', async (text, found) => {
    expect(await exactIn(text)).toEqual(found)
  })

  test('no text makes them slow', async () => {
    for (const part of ['a', '1', 'a.', '1-', '(1', '#1', 'a@', '一', 'www.', '$1,', 'one hundred and ', 'order ']) {
      const text = part.repeat(Math.floor(10_000 / part.length))
      expect((await entitiesOf(text, [], [], reference)).every(({ end }) => end <= text.length)).toBe(true)
    }
  })
})

describe('dates and times are reckoned from a given now in a given zone', () => {
  test.each([
    ['Book it for tomorrow at 7 pm', ['time tomorrow at 7 pm → 2026-03-11T19:00:00-04:00']],
    ['next friday', ['date next friday → 2026-03-20']],
    ['from monday to wednesday', ['date monday to wednesday → 2026-03-16 2026-03-18']],
    ['in 20 minutes', ['time in 20 minutes → 2026-03-10T08:20:00-04:00']],
    ['Nov 1 at 9am', ['time Nov 1 at 9am → 2026-11-01T09:00:00-05:00']],
    ['3pm UTC on May 2', ['time 3pm UTC on May 2 → 2026-05-02T11:00:00-04:00']],
    ['on 2026-05-12', ['date 2026-05-12 → 2026-05-12']],
    ['the sun is out', []],
    ['明天下午三点', ['time 明天下午三点 → 2026-03-11T15:00:00-04:00']],
    ['后天', ['date 后天 → 2026-03-12']],
    ['两周后', ['date 两周后 → 2026-03-24']],
    ['半小时后', ['time 半小时后 → 2026-03-10T08:30:00-04:00']],
    ['下个星期一上午10点', ['time 下个星期一上午10点 → 2026-03-16T10:00:00-04:00']],
    ['周一到周三', ['date 周一到周三 → 2026-03-16 2026-03-18']],
    ['2026年5月12日开会', ['date 2026年5月12日 → 2026-05-12']],
    ['明年三月', ['date 明年三月 → 2027-03-01']],
    ['2月30日', []],
  ])('%s', async (text, found) => {
    expect((await exactIn(text)).filter((each) => !each.startsWith('number'))).toEqual(found)
  })

  test('the same words mean another instant elsewhere, and a skipped hour the one after it', async () => {
    expect(await exactIn('tomorrow at 7 pm', { now: NOON, timeZone: 'Asia/Shanghai' })).toEqual(['time tomorrow at 7 pm → 2026-03-11T19:00:00+08:00'])
    expect(await exactIn('March 29 at 2:30am', { now: NOON, timeZone: 'Europe/Paris' })).toEqual(['time March 29 at 2:30am → 2026-03-29T03:30:00+02:00'])
  })

  test('what is no zone is refused', async () => {
    await expect(exactIn('tomorrow', { now: NOON, timeZone: 'Mars/Olympus' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  })
})

describe('one text, one set of entities', () => {
  const span = (rank: number, type: string, start: number, end: number): Parameters<typeof withoutOverlaps>[0][number] => ({ rank, entity: { type, value: '', start, end, score: 1, source: 'exact' } })

  test('they never overlap, whatever is found, and come in order', () => {
    const spans = fc.array(fc.tuple(fc.nat(4), fc.nat(40), fc.integer({ min: 1, max: 10 })).map(([rank, start, length]) => span(rank, 'any', start, start + length)))
    fc.assert(
      fc.property(spans, (found) => {
        const kept = withoutOverlaps(found)
        expect(kept.every((each, at) => at === 0 || (kept[at - 1] as Entity).end <= each.start)).toBe(true)
        expect(kept.length > 0).toBe(found.length > 0)
      }),
    )
  })

  test('a number within an address belongs to it; a date does not give way to the tagger', async () => {
    const tagged = [
      { type: 'address', value: '12 Baker Street', start: 8, end: 23, score: 0.9 },
      { type: 'person', value: 'tomorrow Ada', start: 24, end: 36, score: 0.9 },
    ]
    const entities = await entitiesOf('meet at 12 Baker Street tomorrow Ada', tagged, [], reference)
    expect(entities.map(({ type, value, source }) => [type, value, source])).toEqual([
      ['address', '12 Baker Street', 'tagger'],
      ['date', 'tomorrow', 'exact'],
    ])
  })
})

describe('through parse', () => {
  let host: Host
  let troupe: Troupe
  let ref: Ref<(typeof Nlu)['specs']>
  beforeAll(async () => {
    host = await createHost()
    troupe = await createTroupe({ host })
    const entities = [
      { type: 'size', values: { small: ['S', 'tiny'], large: ['L', '大份'] } },
      { type: 'city', values: ['New York', 'New York City', '北京'] },
      { type: 'gate', pattern: /gate ([A-Z]\d+)/ },
    ]
    ref = troupe.spawn('nlu', nlu({ entities, timeZone: 'Europe/Paris' }))
  })
  afterAll(async () => {
    await troupe.stop()
    await host.stop()
  })
  const named = (entities: readonly Entity[]): unknown[] => entities.filter(({ source }) => source === 'declared').map(({ type, value, canonical }) => [type, value, canonical])

  test('declared names and patterns are found, the longest first, whole words only', async () => {
    const { entities } = await ref.ask({ type: 'parse', text: 'a Tiny pizza to New York City, gate B12, not smallish' })
    expect(named(entities)).toEqual([
      ['size', 'Tiny', 'small'],
      ['city', 'New York City', 'New York City'],
      ['gate', 'B12', 'B12'],
    ])
    expect(named((await ref.ask({ type: 'parse', text: '我要大份的送到北京' })).entities)).toEqual([
      ['size', '大份', 'large'],
      ['city', '北京', '北京'],
    ])
  })

  test("dates are in the definition's zone, or the message's", async () => {
    const at = async (extra: object): Promise<unknown> => (await ref.ask({ type: 'parse', text: 'at 7 pm tomorrow', now: NOON, ...extra })).entities.find(({ type }) => type === 'time')?.at
    expect(await at({})).toBe('2026-03-11T19:00:00+01:00')
    expect(await at({ timeZone: 'UTC' })).toBe('2026-03-11T19:00:00+00:00')
  })

  test('words come with their part of speech on request, at their places', async () => {
    const of = async (text: string): Promise<unknown[]> => {
      const { tokens } = await ref.ask({ type: 'parse', text, partOfSpeech: true })
      for (const token of tokens) expect(text.slice(token.start, token.end)).toBe(token.text)
      return tokens.map((token) => `${token.text}/${token.partOfSpeech}`)
    }
    expect(await of("I can't book  it.")).toEqual(['I/PRON', 'ca/AUX', "n't/PART", 'book/VERB', 'it/PRON', './PUNCT'])
    expect(await of('我想去北京。')).toEqual(['我/PRON', '想/VERB', '去/VERB', '北京/PROPN', '。/PUNCT'])
  })

  test('sentences have their places', async () => {
    const text = 'Hello there. 你好！我在这里。'
    const { sentences } = await ref.ask({ type: 'parse', text })
    expect(sentences?.map(({ start, end }) => text.slice(start, end).trim())).toEqual(['Hello there.', '你好！', '我在这里。'])
  })
})

test('a pattern that is none is a definition error', () => {
  expect(() => nlu({ entities: [{ type: 'broken', pattern: '(' }] })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
})
