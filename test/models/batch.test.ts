import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Line, passes, type Waiting } from '../../src/models/batch.js'

interface Item extends Waiting {
  id: number
  gone: boolean
}

const item = fc.record({
  group: fc.constantFrom('a', 'b'),
  cost: fc.integer({ min: 1, max: 512 }),
  urgency: fc.constantFrom('interactive' as const, 'normal' as const, 'bulk' as const),
  caller: fc.constantFrom('x', 'y', 'z'),
  gone: fc.boolean(),
})
const items = fc.array(item, { maxLength: 60 }).map((all) => all.map((each, id): Item => ({ ...each, id })))
const limits = fc.record({ tokens: fc.integer({ min: 1, max: 2000 }), countMax: fc.integer({ min: 1, max: 16 }) }).map(({ tokens, countMax }) => ({ tokens, tokensMax: () => tokens, countMax }))

const lineOf = (all: readonly Item[]): Line<Item> => {
  const line = new Line<Item>()
  for (const each of all) line.add(each)
  return line
}
const plain = (id: number, more: Partial<Item> = {}): Item => ({ id, group: 'a', cost: 10, urgency: 'normal', caller: 'x', gone: false, ...more })
const ids = (batch: readonly Item[]): number[] => batch.map(({ id }) => id)
const all = { tokensMax: () => 10_000, countMax: 100 }

describe('the waiting line', () => {
  test('hands out each piece that is still wanted exactly once, and nothing else', () => {
    fc.assert(
      fc.property(items, limits, (waiting, limit) => {
        const line = lineOf(waiting)
        const served: number[] = []
        for (let batch = line.gather(limit); batch.length > 0; batch = line.gather(limit)) served.push(...ids(batch))
        expect(served.sort((a, b) => a - b)).toEqual(ids(waiting.filter(({ gone }) => !gone)))
        expect([line.size, line.cost]).toEqual([0, 0])
      }),
    )
  })

  test('keeps a batch to one group, to its count and to its padded tokens', () => {
    fc.assert(
      fc.property(items, limits, (waiting, limit) => {
        const line = lineOf(waiting)
        for (let batch = line.gather(limit); batch.length > 0; batch = line.gather(limit)) {
          expect(new Set(batch.map(({ group }) => group)).size).toBe(1)
          expect(batch.length).toBeLessThanOrEqual(limit.countMax)
          if (batch.length > 1) expect(batch.length * Math.max(...batch.map(({ cost }) => cost))).toBeLessThanOrEqual(limit.tokens)
        }
      }),
    )
  })

  test('knows its size and cost, whatever is added, taken, given back, abandoned and swept', () => {
    const step = fc.oneof(
      item.map((each) => ({ kind: 'add' as const, each })),
      limits.map((limit) => ({ kind: 'gather' as const, limit })),
      fc.constant({ kind: 'give back' as const }),
      fc.nat(60).map((at) => ({ kind: 'abandon' as const, at })),
      fc.constant({ kind: 'sweep' as const }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const line = new Line<Item>()
        const made: Item[] = []
        let inHand: Item[] = []
        const inLine = new Set<Item>()
        for (const each of steps) {
          if (each.kind === 'add') {
            const made1 = { ...each.each, id: made.length }
            made.push(made1)
            inLine.add(made1)
            line.add(made1)
          } else if (each.kind === 'gather') {
            const batch = line.gather(each.limit)
            for (const taken of batch) inLine.delete(taken)
            inHand = batch
          } else if (each.kind === 'give back') {
            line.giveBack(inHand)
            for (const back of inHand) inLine.add(back)
            inHand = []
          } else if (each.kind === 'abandon') {
            const one = made[each.at]
            if (one !== undefined) one.gone = true
          } else {
            line.sweep()
            for (const one of inLine) if (one.gone) inLine.delete(one)
          }
        }
        line.sweep()
        const left = [...inLine].filter(({ gone }) => !gone)
        expect(line.size).toBe(left.length)
        expect(line.cost).toBe(left.reduce((sum, { cost }) => sum + cost, 0))
      }),
    )
  })

  test('lets interactive work overtake bulk, but not for ever', () => {
    const line = lineOf([plain(0, { urgency: 'bulk' })])
    const seen: number[] = []
    for (let id = 1; !seen.includes(0); id++) {
      line.add(plain(id, { urgency: 'interactive', group: `g${id}` }))
      seen.push(...ids(line.gather({ tokensMax: () => 10, countMax: 1 })))
    }
    expect(seen.slice(0, 3)).toEqual([1, 2, 3])
    expect(seen.length).toBeLessThan(25)
  })

  test('serves callers in turn: one who sends much waits for his own work, not others for him', () => {
    const line = lineOf([...Array.from({ length: 50 }, (_, id) => plain(id)), plain(50, { caller: 'y' })])
    expect(ids(line.gather({ tokensMax: () => 10_000, countMax: 2 }))).toContain(50)
  })

  test('lets no caller have more out than is allowed, serves each piece exactly once, and never holds up the others', () => {
    fc.assert(
      fc.property(items, limits, fc.integer({ min: 1, max: 4 }), fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), (waiting, limit, callerMax, pace) => {
        const line = new Line<Item>(callerMax)
        for (const each of waiting) line.add(each)
        const out: Item[][] = []
        const served: number[] = []
        for (let round = 0; line.size > 0 || out.length > 0; round++) {
          const batch = line.gather(limit)
          if (batch.length > 0) out.push(batch)
          served.push(...ids(batch))
          const held = (caller: string): number => out.flat().filter((each) => each.caller === caller).length
          for (const caller of ['x', 'y', 'z']) expect(held(caller)).toBeLessThanOrEqual(callerMax)
          // Nothing to hand out means that whoever waits has as much out as he may.
          if (batch.length === 0) for (const { caller } of waiting.filter(({ id, gone }) => !gone && !served.includes(id))) expect(held(caller)).toBe(callerMax)
          if (batch.length === 0 || pace[round % pace.length] === 0) line.release(out.shift() ?? [])
        }
        expect(served.sort((a, b) => a - b)).toEqual(ids(waiting.filter(({ gone }) => !gone)))
      }),
    )
  })

  test('does not pad a short text to a long one', () => {
    const line = lineOf([plain(0, { cost: 10 }), plain(1, { cost: 400 }), plain(2, { cost: 14 })])
    expect(ids(line.gather(all))).toEqual([0, 2])
    expect(ids(line.gather(all))).toEqual([1])
  })

  test('gives a piece that is larger than any batch a batch of its own', () => {
    expect(ids(lineOf([plain(0, { cost: 512 }), plain(1, { cost: 512 })]).gather({ tokensMax: () => 64, countMax: 9 }))).toEqual([0])
  })
})

test('passes hold every text once, within the tokens, and pad none to twice its length', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 512 }), { maxLength: 80 }), fc.integer({ min: 1, max: 4096 }), (lengths, tokensMax) => {
      const groups = passes(lengths, tokensMax)
      expect(groups.flat().sort((a, b) => a - b)).toEqual([...lengths.keys()])
      for (const group of groups) {
        const sizes = group.map((index) => lengths[index] as number)
        const longest = Math.max(...sizes)
        if (group.length > 1) expect(longest * group.length).toBeLessThanOrEqual(tokensMax)
        expect(longest).toBeLessThanOrEqual(Math.max(16, 2 * Math.min(...sizes)))
      }
    }),
  )
})
