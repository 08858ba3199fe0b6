import { rmSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'
import { folderModel } from './folder-model.js'
import type { Graph } from './onnx.mjs'

const IDS = ['batch', 'sequence'] as const

/** A classifier whose logits are, per label, how often the tokens of a text lie in a range: easy to foretell. */
function countingGraph(ranges: readonly (readonly [number, number])[]): Graph {
  const scalar = (name: string, value: number, type: 'int64' | 'float32' = 'int64') => ({ name, type, dims: [], data: [value] }) as const
  const nodes = [...ranges.keys()].flatMap((label) => [
    ['Greater', ['input_ids', `low${label}`], [`above${label}`]] as const,
    ['Less', ['input_ids', `high${label}`], [`below${label}`]] as const,
    ['And', [`above${label}`, `below${label}`], [`in${label}`]] as const,
    ['Cast', [`in${label}`], [`one${label}`], { to: 1 }] as const,
    ['ReduceSum', [`one${label}`, 'axis'], [`count${label}`], { keepdims: 1 }] as const,
  ])
  return {
    nodes: [...nodes, ['Concat', ranges.map((_, label) => `count${label}`), ['logits'], { axis: 1 }]],
    weights: [...ranges.flatMap(([low, high], label) => [scalar(`low${label}`, low - 1), scalar(`high${label}`, high + 1)]), { name: 'axis', type: 'int64', dims: [1], data: [1] }],
    inputs: [['input_ids', 'int64', IDS], ['attention_mask', 'int64', IDS]],
    outputs: [['logits', 'float32', ['batch', ranges.length]]],
  }
}

// In the embedded vocabulary the digits 0 to 9 are single tokens, one after the other.
const DIGIT = 25
const digits = (low: number, high: number): readonly [number, number] => [DIGIT + low, DIGIT + high]
const folders: string[] = []
let host: Host

function model(ranges: readonly (readonly [number, number])[], labels: readonly string[], more: Readonly<Record<string, unknown>> = {}): string {
  const folder = folderModel({ graphs: { 'model.onnx': countingGraph(ranges) }, config: { architectures: ['BertForSequenceClassification'], id2label: Object.fromEntries(labels.entries()), ...more } })
  folders.push(folder)
  return folder
}

beforeAll(async () => {
  host = await createHost()
})
afterAll(async () => {
  await host.stop()
  for (const folder of folders) rmSync(folder, { recursive: true })
})

test('classifying gives all labels with their scores, the best first', async () => {
  const name = model([digits(0, 4), digits(5, 9)], ['low', 'high'])
  const [low, high, none] = await host.classify(name, ['1 2 3', '7 8 9 1', 'no digit'])
  expect(low?.map(({ label }) => label)).toEqual(['low', 'high'])
  expect(low?.[0]?.score).toBeCloseTo(Math.exp(3) / (Math.exp(3) + 1), 5)
  expect(high?.[0]).toEqual({ label: 'high', score: expect.closeTo(Math.exp(3) / (Math.exp(3) + Math.exp(1)), 5) as number })
  expect(none?.map(({ score }) => score)).toEqual([0.5, 0.5])
})

test('labels can be scored each for itself', async () => {
  const name = model([digits(0, 4), digits(5, 9)], ['low', 'high'])
  const [scores] = await host.classify(name, '1 2 7 8', { multiLabel: true })
  expect(scores?.map(({ score }) => score)).toEqual([expect.closeTo(1 / (1 + Math.exp(-2)), 5), expect.closeTo(1 / (1 + Math.exp(-2)), 5)])
})

test('zero-shot tries the caller\'s labels as hypotheses', async () => {
  const name = model([digits(0, 0), digits(5, 9)], ['contradiction', 'entailment'])
  const [scores] = await host.zeroShot(name, 'which', { labels: ['0', '7', '7 8'], hypothesis: 'it is {}' })
  expect(scores?.map(({ label }) => label)).toEqual(['7 8', '7', '0'])
  expect(scores?.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5)
})

test('reranking reads question and passage together, and sorts', async () => {
  const name = model([digits(5, 9)], ['relevance'])
  const ranked = await host.rerank(name, 'q', ['nothing', '5 6 7', '5', 'x'.repeat(5000)])
  expect(ranked.map(({ index }) => index)).toEqual([1, 2, 0, 3])
  expect(ranked[0]?.score).toBeCloseTo(1 / (1 + Math.exp(-3)), 5)
})

test('a mistake of the graph is an error of its own batch', async () => {
  const name = model([digits(0, 4)], ['low'])
  await expect(host.embed(name, 'a')).rejects.toMatchObject({ code: 'ModelFailed', details: { reason: 'unsupported-task' } })
  expect(await host.classify(name, '1')).toHaveLength(1)
})
