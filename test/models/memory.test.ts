import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'
import { folderModel } from './folder-model.js'
import type { Graph } from './onnx.mjs'

let host: Host
afterEach(() => host?.stop())

/** More than the files of either model, and less than both hold once they are loaded. */
const ROOM_FOR_ONE = 30_000_000
const one = { replicas: 1 }
const held = (model: string): number => host.metrics()[model]?.memoryBytes ?? 0

test('the model not used for longest rests when memory is short, and wakes when it is asked again', async () => {
  const loads: string[] = []
  host = await createHost({ memoryMax: ROOM_FOR_ONE, placement: { 'embedded:encoder': one, 'embedded:generator': one }, onProgress: (each) => void (each.kind === 'loaded' && loads.push(each.model)) })
  const [before] = await host.embed('embedded:encoder', 'hello')
  expect(held('embedded:encoder')).toBeGreaterThan(12_000_000)
  await host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 2 })
  expect([held('embedded:encoder'), host.metrics()['embedded:encoder']?.threads]).toEqual([0, 0])
  const [after] = await host.embed('embedded:encoder', 'hello')
  expect(after).toEqual(before)
  expect(loads).toEqual(['embedded:encoder', 'embedded:generator', 'embedded:encoder'])
})

test('a model that is at work is never put to rest: what finds no room beside it is told so, and may come again', async () => {
  host = await createHost({ memoryMax: ROOM_FOR_ONE, placement: { 'embedded:generator': one, 'embedded:encoder': one } })
  const writing = host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 60, logitBias: { 9: -100 } })
  let parts = 0
  for await (const { text } of writing) {
    if (text === '' || parts++ > 0) continue
    await expect(host.embed('embedded:encoder', 'hello')).rejects.toMatchObject({ code: 'OutOfMemory', details: { reason: 'over-budget', memoryMax: ROOM_FOR_ONE, heldBytes: held('embedded:generator') } })
  }
  expect((await writing).usage.completionTokens).toBe(60)
  expect(await host.embed('embedded:encoder', 'hello')).toHaveLength(1)
})

test('a model larger than all memory that models may hold is refused with what it needs, warmed or asked', async () => {
  host = await createHost({ memoryMax: 5_000_000 })
  const refusal = { code: 'OutOfMemory', hint: expect.stringContaining('memoryMax') as string, details: { model: 'embedded:encoder', reason: 'over-budget', heldBytes: 0, memoryMax: 5_000_000 } }
  await expect(host.embed('embedded:encoder', 'hello')).rejects.toMatchObject(refusal)
  await expect(host.warm('embedded:encoder')).rejects.toMatchObject(refusal)
})

test('a second thread is left out when there is no memory for it, and the first one does the work', async () => {
  host = await createHost({ memoryMax: 15_000_000, placement: { 'embedded:encoder': { replicas: 2, threads: 1 } } })
  await host.warm('embedded:encoder')
  expect(host.metrics()['embedded:encoder']?.threads).toBe(1)
  expect(await host.embed('embedded:encoder', ['a', 'b'])).toHaveLength(2)
})

test('a process counts with all it holds, which is more than its weights, and makes room when it ends', async () => {
  host = await createHost({ memoryMax: ROOM_FOR_ONE, placement: { 'embedded:encoder': { ...one, isolation: 'process' }, 'embedded:generator': one } })
  await host.embed('embedded:encoder', 'hello')
  const [pid, rss] = execFileSync('ps', ['-o', 'pid=,rss=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n').filter((line) => line.includes('child-entry')).map((line) => line.trim().split(/\s+/).map(Number))[0] as [number, number]
  expect(held('embedded:encoder') / (rss * 1024)).toBeGreaterThan(0.7)
  expect(held('embedded:encoder') / (rss * 1024)).toBeLessThan(1.4)
  await host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 2 })
  expect(held('embedded:encoder')).toBe(0)
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

/** A table of vectors that does nothing but be large. */
const table = (weight: NonNullable<Graph['weights']>[number]): Graph => ({
  nodes: [['Gather', ['table', 'input_ids'], ['last_hidden_state']]],
  weights: [weight],
  inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'sequence']]],
  outputs: [['last_hidden_state', 'float32', ['batch', 'sequence', 4]]],
})

test.skipIf(process.platform !== 'linux')('a machine that has no memory for a model is told apart from a damaged file', () => {
  const bytes = 6_400_000_000
  const folder = folderModel({ graphs: { 'model.onnx': table({ name: 'table', dims: [bytes / 16, 4], beside: 'weights.bin' }) }, config: { architectures: ['BertModel'] } })
  const weights = join(folder, 'onnx', 'weights.bin')
  writeFileSync(weights, '')
  // Sparse: it takes no room on the disk.
  truncateSync(weights, bytes)
  const program = `
    import { createHost } from 'troupe/models'
    const host = await createHost({ placement: { [process.argv[1]]: { replicas: 1 } } })
    const { code, details, hint } = await host.embed(process.argv[1], 'hello').catch((error) => error)
    console.log(JSON.stringify({ code, reason: details.reason, helps: hint.includes('memory') }))
    await host.stop()`
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const { stdout, stderr } = spawnSync('sh', ['-c', 'ulimit -v 5000000; exec "$0" "$@"', process.execPath, '--input-type=module', '-e', program, folder], { cwd: root, encoding: 'utf8' })
  expect(stdout.trim(), stderr).toBe('{"code":"OutOfMemory","reason":"allocation-failed","helps":true}')
  rmSync(folder, { recursive: true })
})

test('a pass that finds no memory fails alone, and the model goes on', async () => {
  const graph: Graph = {
    nodes: [
      ['ReduceSum', ['attention_mask'], ['tokens'], { keepdims: 0 }],
      ['Sub', ['tokens', 'few'], ['many']],
      ['Max', ['many', 'none'], ['over']],
      ['Mul', ['over', 'huge'], ['more']],
      ['Add', ['more', 'one'], ['size']],
      ['Reshape', ['size', 'shape'], ['wanted']],
      ['ConstantOfShape', ['wanted'], ['zeros']],
      ['ReduceSum', ['zeros'], ['nothing'], { keepdims: 0 }],
      ['Gather', ['table', 'input_ids'], ['found']],
      ['Add', ['found', 'nothing'], ['last_hidden_state']],
    ],
    weights: [
      { name: 'few', type: 'int64', dims: [], data: [8] },
      { name: 'none', type: 'int64', dims: [], data: [0] },
      { name: 'huge', type: 'int64', dims: [], data: [1e13] },
      { name: 'one', type: 'int64', dims: [], data: [1] },
      { name: 'shape', type: 'int64', dims: [1], data: [1] },
      { name: 'table', dims: [12288, 4], data: new Float32Array(12288 * 4).fill(1) },
    ],
    inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'sequence']]],
    outputs: [['last_hidden_state', 'float32', ['batch', 'sequence', 4]]],
  }
  const folder = folderModel({ graphs: { 'model.onnx': graph }, config: { architectures: ['BertModel'] } })
  host = await createHost({ placement: { [folder]: one } })
  expect(await host.embed(folder, 'hi')).toHaveLength(1)
  await expect(host.embed(folder, 'a text that is much longer than the other one was, and takes more memory than there is')).rejects.toMatchObject({ code: 'OutOfMemory', details: { reason: 'allocation-failed', model: folder } })
  expect(await host.embed(folder, 'hi')).toHaveLength(1)
  rmSync(folder, { recursive: true })
})
