import { afterEach, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'

let host: Host
afterEach(() => host.stop())

test('the model not used for longest rests when memory is short, and wakes when it is asked again', async () => {
  const loads: string[] = []
  const one = { replicas: 1 }
  host = await createHost({ memoryMax: 1, placement: { 'embedded:encoder': one, 'embedded:generator': one }, onProgress: (each) => void (each.kind === 'loaded' && loads.push(each.model)) })
  const held = (model: string): number => host.metrics()[model]?.memoryBytes ?? 0
  const [before] = await host.embed('embedded:encoder', 'hello')
  expect(held('embedded:encoder')).toBeGreaterThan(12_000_000)
  await host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 2 })
  expect([held('embedded:encoder'), host.metrics()['embedded:encoder']?.threads]).toEqual([0, 0])
  const [after] = await host.embed('embedded:encoder', 'hello')
  expect(after).toEqual(before)
  expect(loads).toEqual(['embedded:encoder', 'embedded:generator', 'embedded:encoder'])
})

test('a model that is at work is never put to rest', async () => {
  host = await createHost({ memoryMax: 1, placement: { 'embedded:generator': { replicas: 1 }, 'embedded:encoder': { replicas: 1 } } })
  const writing = host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 60, logitBias: { 9: -100 } })
  for await (const { text } of writing) {
    expect(text).toBeTypeOf('string')
    expect(await host.embed('embedded:encoder', 'hello')).toHaveLength(1)
  }
  expect((await writing).usage.completionTokens).toBe(60)
})
