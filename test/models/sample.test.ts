import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chanceOf, sample, type Sampling } from '../../src/models/kernels/sample.js'

const logits = [2, 1, 0, -1, -50]
const drawn = (sampling: Sampling, times = 400): Set<number> => {
  const chance = chanceOf(7)
  return new Set(Array.from({ length: times }, () => sample(Float32Array.from(logits), sampling, chance, [])))
}

describe('the next token', () => {
  test('is the likeliest when there is no temperature', () => {
    expect(drawn({})).toEqual(new Set([0]))
    expect(drawn({ temperature: 0, topK: 3 })).toEqual(new Set([0]))
  })

  test('is drawn among the top k, the top p, or those near the best', () => {
    expect(drawn({ temperature: 1 })).toEqual(new Set([0, 1, 2, 3]))
    expect(drawn({ temperature: 1, topK: 2 })).toEqual(new Set([0, 1]))
    expect(drawn({ temperature: 1, topP: 0.6 })).toEqual(new Set([0]))
    expect(drawn({ temperature: 1, topP: 0.7 })).toEqual(new Set([0, 1]))
    expect(drawn({ temperature: 1, minP: 0.1 })).toEqual(new Set([0, 1, 2]))
  })

  test('follows a bias and a repetition penalty', () => {
    expect(sample(Float32Array.from(logits), { logitBias: { 4: 100 } }, chanceOf(1), [])).toBe(4)
    expect(sample(Float32Array.from(logits), { repetitionPenalty: 3 }, chanceOf(1), [0])).toBe(1)
  })

  test('is the same for the same seed, and about as frequent as its probability', () => {
    const sequence = (seed: number): number[] => {
      const chance = chanceOf(seed)
      return Array.from({ length: 50 }, () => sample(Float32Array.from(logits), { temperature: 1 }, chance, []))
    }
    expect(sequence(1)).toEqual(sequence(1))
    expect(sequence(1)).not.toEqual(sequence(2))
    const chance = chanceOf(3)
    const hits = Array.from({ length: 4000 }, () => sample(Float32Array.from(logits), { temperature: 1 }, chance, [])).filter((id) => id === 0).length
    expect(hits / 4000).toBeCloseTo(Math.exp(2) / (Math.exp(2) + Math.exp(1) + 1 + Math.exp(-1)), 1)
  })

  test('agrees with a plain sort of the whole vocabulary', () => {
    const plain = (values: number[], { temperature = 1, topK = Infinity, topP = 1, minP = 0 }: Sampling, mark: number): number => {
      const highest = Math.max(...values)
      const all = values.map((value, id) => ({ id, weight: Math.exp((value - highest) / temperature) })).sort((a, b) => b.weight - a.weight || a.id - b.id)
      const total = all.reduce((sum, { weight }) => sum + weight, 0)
      let reached = 0
      const kept = all.filter(({ weight }, at) => {
        const keep = at < topK && weight >= minP && (at === 0 || reached < topP * total)
        if (keep) reached += weight
        return keep
      })
      let left = mark * kept.reduce((sum, { weight }) => sum + weight, 0)
      return (kept.find(({ weight }) => (left -= weight) < 0) ?? kept.at(-1))?.id ?? -1
    }
    const values = fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 60 })
    const sampling = fc.record({ temperature: fc.double({ min: 0.2, max: 2, noNaN: true }), topK: fc.integer({ min: 1, max: 70 }), topP: fc.double({ min: 0.05, max: 0.99, noNaN: true }), minP: fc.double({ min: 0, max: 0.5, noNaN: true }) })
    fc.assert(
      fc.property(values, sampling, fc.double({ min: 0, max: 0.999, noNaN: true }), (raw, how, mark) => {
        const numbers = [...Float32Array.from(raw)]
        expect(sample(Float32Array.from(numbers), how, () => mark, [])).toBe(plain(numbers, how, mark))
      }),
    )
  })
})
