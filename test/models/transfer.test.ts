import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { expect, test } from 'vitest'
import { locate, locateWhole } from '../../src/models/catalog.js'
import { Strip, answerAt, type ModelSpec, type Passed, type Reply, type Task } from '../../src/models/wire.js'
import { folderModel } from './folder-model.js'

/** A model's thread as the host opens it, that also tells what it still holds of the answer it gave last. */
async function watched<T>(spec: ModelSpec, use: (run: (task: Task) => Promise<Reply>, left: () => Promise<number[]>) => Promise<T>): Promise<T> {
  const thread = new Piscina({ filename: fileURLToPath(new URL('./programs/watched-thread.mjs', import.meta.url)), workerData: { spec, shared: new Strip().buffer }, minThreads: 1, maxThreads: 1, idleTimeout: Infinity })
  try {
    return await use((task) => thread.run(task) as Promise<Reply>, () => thread.run({ kind: 'left' }) as Promise<number[]>)
  } finally {
    await thread.destroy()
  }
}

test('the vectors of a batch leave their thread by moving, as one buffer: nothing is copied, and nothing is left behind', async () => {
  const texts = Array.from({ length: 2_000 }, (_, i) => `text ${i}`)
  const spec = { ...(await locate(fileURLToPath(new URL('../../dist/models/embedded/encoder', import.meta.url)))), threads: 1 }
  await watched(spec, async (run, left) => {
    await run({ kind: 'load' })
    const { vectors } = (await run({ kind: 'pass', slot: 0, task: 'embed', options: undefined, inputs: texts, tokensMax: 4_096 })) as Passed
    expect(vectors).toBeInstanceOf(Float32Array)
    expect([vectors?.length, await left()]).toEqual([320 * texts.length, [0]])
  })
})

test('so do the samples of a voice, which come one by one', async () => {
  const folder = folderModel({
    graphs: {
      'model.onnx': {
        nodes: [['Cast', ['input_ids'], ['f'], { to: 1 }], ['Mul', ['f', 'quiet'], ['waveform']]],
        weights: [{ name: 'quiet', dims: [], data: [1 / 16384] }],
        inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'sequence']]],
        outputs: [['waveform', 'float32', ['batch', 'sequence']]],
      },
    },
    config: { architectures: ['VitsModel'], model_type: 'vits', sampling_rate: 16000, 'transformers.js_config': { dtype: 'fp32' } },
    files: { 'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', pad_token: '<pad>', model_max_length: 512 } },
  })
  const { writes: _, ...located } = await locateWhole(folder, false)
  await watched({ ...located, threads: 1, pipeline: { name: 'text-to-audio' } }, async (run, left) => {
    await run({ kind: 'load' })
    const { values } = (await run({ kind: 'pass', slot: 0, task: 'speak', options: undefined, inputs: ['hello there', 'good evening'], tokensMax: 4_096 })) as Passed
    expect(values).toHaveLength(2)
    expect(await left()).toEqual([0, 0])
  })
  rmSync(folder, { recursive: true })
})

test('each caller gets a vector of his own out of it', () => {
  const reply: Passed = { kind: 'passed', vectors: Float32Array.from({ length: 12 }, (_, i) => i), tokens: 1, ms: 1 }
  expect([0, 1, 2].map((at) => Array.from(answerAt(reply, at, 3) as Float32Array))).toEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
  expect((answerAt(reply, 1, 3) as Float32Array).buffer.byteLength).toBe(16)
})
