import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createHost } from 'troupe/models'
import { RESIDENT_MS } from '../../src/models/limits.js'
import { Resident, type Grower } from '../../src/models/resident.js'
import { folderModel } from './folder-model.js'
import { ManualClock } from './manual-clock.js'
import type { Graph } from './onnx.mjs'

class Held implements Grower {
  bytes = 0
  grew(bytes: number): void {
    this.bytes += bytes
  }
}

describe('the memory of a process', () => {
  const clock = new ManualClock()
  let held = 1_000
  let looks = 0
  const resident = new Resident(clock, () => (looks++, held))
  const [one, other, idle] = [new Held(), new Held(), new Held()]

  test('that a model takes while it loads is its own', async () => {
    await resident.claim(one, () => Promise.resolve(void (held += 500)))
    expect(one.bytes).toBe(500)
  })

  test('that grows while several work is shared out among them, and falls alike', () => {
    held += 100
    clock.advance(RESIDENT_MS)
    resident.noteWork(one)
    expect(one.bytes).toBe(600)
    held -= 40
    resident.noteWork(one)
    clock.advance(RESIDENT_MS)
    resident.noteWork(other)
    expect([one.bytes, other.bytes, idle.bytes]).toEqual([580, -20, 0])
  })

  test('is looked at no more than once in a while, however much work ends', () => {
    const before = looks
    for (let i = 0; i < 1_000; i++) resident.noteWork(one)
    expect(looks).toBe(before)
  })

  test('that a resting model gives back is nobody else\'s loss', async () => {
    await resident.claim(idle, () => Promise.resolve(void (held -= 300)))
    clock.advance(RESIDENT_MS)
    resident.noteWork(other)
    expect([one.bytes, other.bytes]).toEqual([580, -20])
  })
})

test('what a model takes as it is used shows in its metrics', async () => {
  // A place for 4 MB per token, which onnxruntime keeps for the next pass.
  const graph: Graph = {
    nodes: [
      ['ReduceSum', ['attention_mask'], ['tokens'], { keepdims: 0 }],
      ['Mul', ['tokens', 'million'], ['size']],
      ['Reshape', ['size', 'shape'], ['wanted']],
      ['ConstantOfShape', ['wanted'], ['zeros']],
      ['ReduceSum', ['zeros'], ['nothing'], { keepdims: 0 }],
      ['Gather', ['table', 'input_ids'], ['found']],
      ['Add', ['found', 'nothing'], ['last_hidden_state']],
    ],
    weights: [
      { name: 'million', type: 'int64', dims: [], data: [1_000_000] },
      { name: 'shape', type: 'int64', dims: [1], data: [1] },
      { name: 'table', dims: [12288, 4], data: new Float32Array(12288 * 4).fill(1) },
    ],
    inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'sequence']]],
    outputs: [['last_hidden_state', 'float32', ['batch', 'sequence', 4]]],
  }
  const folder = folderModel({ graphs: { 'model.onnx': graph }, config: { architectures: ['BertModel'] } })
  const clock = new ManualClock()
  const host = await createHost({ clock, placement: { [folder]: { replicas: 1 } } })
  const held = (): number => host.metrics()[folder]?.memoryBytes ?? 0
  await host.embed(folder, 'hi')
  const loaded = held()
  clock.advance(RESIDENT_MS)
  await host.embed(folder, 'a text of some thirty tokens '.repeat(5))
  expect(held() - loaded).toBeGreaterThan(80_000_000)
  await host.stop()
  rmSync(folder, { recursive: true })
})
