import { rmSync } from 'node:fs'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost, type GenerateRequest, type Host } from 'troupe/models'
import { folderModel } from './folder-model.js'
import { pseudoRandom, type Graph } from './onnx.mjs'

const VOCABULARY = 12288
const WIDTH = 8

/** One layer of attention with its cache, in float32: small, and what it writes hangs on every token before. */
function decoder(): Graph {
  const ints = (name: string, data: number[]) => ({ name, type: 'int64', dims: [data.length], data }) as const
  const cache = (name: string) => [name, 'float32', ['batch', 1, 'past', WIDTH]] as const
  return {
    nodes: [
      ['Gather', ['words', 'input_ids'], ['word']],
      ['Gather', ['places', 'position_ids'], ['place']],
      ['Add', ['word', 'place'], ['x']],
      ['Unsqueeze', ['x', 'one'], ['q']],
      ['Concat', ['past_key_values.0.key', 'q'], ['present.0.key'], { axis: 2 }],
      ['Concat', ['past_key_values.0.value', 'q'], ['present.0.value'], { axis: 2 }],
      ['Transpose', ['present.0.key'], ['keys'], { perm: [0, 1, 3, 2] }],
      ['MatMul', ['q', 'keys'], ['scores']],
      ['Cast', ['attention_mask'], ['mask'], { to: 1 }],
      ['Sub', ['mask', 'whole'], ['banned']],
      ['Mul', ['banned', 'much'], ['low']],
      ['Unsqueeze', ['low', 'axes'], ['low4']],
      ['Add', ['scores', 'low4'], ['masked']],
      ['Softmax', ['masked'], ['weights'], { axis: -1 }],
      ['MatMul', ['weights', 'present.0.value'], ['mixed4']],
      ['Squeeze', ['mixed4', 'one'], ['mixed']],
      ['Add', ['mixed', 'x'], ['y']],
      ['MatMul', ['y', 'out'], ['logits']],
    ],
    weights: [
      { name: 'words', dims: [VOCABULARY, WIDTH], data: pseudoRandom(VOCABULARY * WIDTH, 2, 1) },
      { name: 'places', dims: [512, WIDTH], data: pseudoRandom(512 * WIDTH, 2, 2) },
      { name: 'out', dims: [WIDTH, VOCABULARY], data: pseudoRandom(WIDTH * VOCABULARY, 2, 3) },
      ints('one', [1]),
      ints('axes', [1, 2]),
      { name: 'whole', dims: [], data: [1] },
      { name: 'much', dims: [], data: [1e6] },
    ],
    inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'total']], ['position_ids', 'int64', ['batch', 'sequence']], cache('past_key_values.0.key'), cache('past_key_values.0.value')],
    outputs: [['logits', 'float32', ['batch', 'sequence', VOCABULARY]], ['present.0.key', 'float32', ['batch', 1, 'total', WIDTH]], ['present.0.value', 'float32', ['batch', 1, 'total', WIDTH]]],
  }
}

let host: Host
let model: string

beforeAll(async () => {
  model = folderModel({ graphs: { 'model.onnx': decoder() }, config: { architectures: ['LlamaForCausalLM'], bos_token_id: 2, eos_token_id: 3, 'transformers.js_config': { dtype: 'fp32' } } })
  host = await createHost({ placement: { [model]: { replicas: 1 } } })
})
afterAll(async () => {
  await host.stop()
  rmSync(model, { recursive: true })
})

const write = async (request: GenerateRequest): Promise<string> => (await host.generate(model, request)).text

test('what it writes hangs on the prompt, and on all of it', async () => {
  const likelihoods = await Promise.all(['parcel', 'parcel ', 'a parcel', '世 parcel', 'parcel 7'].map(async (prompt) => (await host.generate(model, { prompt, maxTokens: 12, logprobs: 0 })).logprobs?.map(({ logprob }) => logprob)))
  expect(new Set(likelihoods.map((each) => JSON.stringify(each))).size).toBe(5)
})

test('a float32 model writes the same alone and among others, whoever joins, leaves, or reads slowly', async () => {
  const caller = fc.record({ prompt: fc.string({ unit: fc.constantFrom('a ', 'parcel ', '世', '7'), maxLength: 60 }), maxTokens: fc.integer({ min: 1, max: 40 }), after: fc.integer({ min: 0, max: 12 }), pace: fc.constantFrom('eager', 'slow', 'leaves'), temperature: fc.constantFrom(0, 0.8), seed: fc.integer({ min: 0, max: 99 }) })
  await fc.assert(
    fc.asyncProperty(fc.array(caller, { minLength: 2, maxLength: 12 }), async (callers) => {
      const turns = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
      }
      const crowd = callers.map(async ({ after, pace, ...request }) => {
        await turns(after * 20)
        const controller = new AbortController()
        const inference = host.generate(model, request, { signal: controller.signal })
        let seen = ''
        try {
          for await (const { text } of inference) {
            seen += text
            if (pace === 'slow') await turns(30)
            if (pace === 'leaves' && seen.length > 8) controller.abort()
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'Cancelled' })
          return { request, seen, whole: false }
        }
        return { request, seen, whole: true }
      })
      for (const { request, seen, whole } of await Promise.all(crowd)) {
        const alone = await write(request)
        if (whole) expect(seen).toBe(alone)
        else expect(alone.startsWith(seen)).toBe(true)
      }
    }),
    { numRuns: 12 },
  )
})
