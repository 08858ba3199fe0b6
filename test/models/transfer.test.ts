import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { expect, test } from 'vitest'
import { moving } from '../../src/models/host.js'
import { answerAt, type Passed } from '../../src/models/wire.js'

const passed = (rows: number): Passed => ({ kind: 'passed', vectors: Float32Array.from({ length: rows * 4 }, (_, i) => i), tokens: 1, ms: 1 })

test('the vectors of a batch leave their thread by moving, as one buffer: nothing is copied, and nothing is left behind', () => {
  const reply = passed(1000)
  const vectors = reply.vectors as Float32Array
  const answer = moving(reply, [vectors.buffer]) as Record<symbol, unknown>
  const transfer = answer[Piscina.transferableSymbol] as ArrayBuffer[]
  const { port1, port2 } = new MessageChannel()
  port1.postMessage(answer[Piscina.valueSymbol], transfer)
  const { message } = receiveMessageOnPort(port2) as { message: Passed }
  expect(vectors.byteLength).toBe(0)
  expect(message.vectors).toBeInstanceOf(Float32Array)
  expect(message.vectors?.byteLength).toBe(16_000)
  port1.close()
})

test('each caller gets a vector of his own out of it', () => {
  const reply = passed(3)
  expect([0, 1, 2].map((at) => Array.from(answerAt(reply, at, 3) as Float32Array))).toEqual([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])
  expect((answerAt(reply, 1, 3) as Float32Array).buffer.byteLength).toBe(16)
})
