import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'
import { prefillOf } from '../../src/models/kernels/generate.js'
import { Prefixes } from '../../src/models/kernels/prefixes.js'

test('the longest common beginning is found, in whole pieces, and never the whole prompt', () => {
  const tokens = fc.array(fc.integer({ min: 0, max: 1 }), { maxLength: 24 })
  fc.assert(
    fc.property(fc.array(tokens, { maxLength: 6 }), tokens, (kept, prompt) => {
      const prefixes = new Prefixes(8192)
      for (const each of kept) prefixes.keep(each, {})
      const common = (a: readonly number[]): number => a.findIndex((id, at) => id !== prompt[at])
      const lengths = kept.map((each) => (common(each) < 0 ? each.length : common(each))).map((length) => Math.min(length, prompt.length - 1))
      const longest = Math.max(0, ...lengths.map((length) => length - (length % 4)))
      expect(prefixes.find(prompt, 4)?.length ?? 0).toBe(longest)
    }),
  )
})

test('what is kept has a bound, and the one not used for longest goes', () => {
  const prefixes = new Prefixes(8192)
  const prompt = (id: number): number[] => [id, ...Array.from({ length: 2047 }, () => 0)]
  for (let id = 0; id < 4; id++) prefixes.keep(prompt(id), {})
  expect(prefixes.find([...prompt(0), 1], 64)?.length).toBe(2048)
  prefixes.keep(prompt(4), {})
  expect([0, 1, 2, 3, 4].map((id) => prefixes.find([...prompt(id), 1], 64)?.length)).toEqual([2048, undefined, 2048, 2048, 2048])
})

test('a larger model reads fewer tokens of a prompt in a pass, so that none lasts long', () => {
  expect([1_000, 23_000_000, 200_000_000, 200_000_001, 400_000_000, 1_000_000_000, 40_000_000_000].map(prefillOf)).toEqual([64, 64, 64, 32, 32, 8, 8])
})

let host: Host
beforeAll(async () => {
  host = await createHost({ placement: { 'embedded:generator': { replicas: 1 } } })
})
afterAll(() => host.stop())

test('a prompt that begins like an earlier one is read from where they part, and answered word for word as without', async () => {
  const system = 'You answer from the sources, and cite them. '.repeat(40)
  const ask = async (own: Host, question: string): Promise<{ text: string; read: number; cached: number }> => {
    const { text, usage } = await own.generate('embedded:generator', { messages: [{ role: 'system', content: system }, { role: 'user', content: question }], maxTokens: 1 })
    return { text, read: usage.promptTokens - (usage.cachedTokens ?? 0), cached: usage.cachedTokens ?? 0 }
  }
  const first = await ask(host, 'When is my parcel delivered?')
  expect([first.cached, first.read > 300]).toEqual([0, true])
  const again = [await ask(host, 'When is my parcel delivered?'), await ask(host, 'Can I pay by card?'), await ask(host, 'Where is the shop?')]
  // What is read again is the question and less than one whole piece before it.
  for (const { read, cached } of again) expect([read < prefillOf(1) + 40, cached % prefillOf(1)]).toEqual([true, 0])
  expect(again[0]?.text).toBe(first.text)
  const fresh = await createHost({ placement: { 'embedded:generator': { replicas: 1 } } })
  const alone = await ask(fresh, 'Where is the shop?')
  expect([alone.text, alone.cached]).toEqual([again[2]?.text, 0])
  await fresh.stop()
})
