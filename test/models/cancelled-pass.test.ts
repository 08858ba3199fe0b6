import { fileURLToPath } from 'node:url'
import { Piscina } from 'piscina'
import { expect, test } from 'vitest'
import { locate } from '../../src/models/catalog.js'
import { Strip, type Reply, type Task } from '../../src/models/wire.js'

test('a pass that nobody wants any more makes no further native call, and the next one in its slot does', async () => {
  const strip = new Strip()
  const spec = { ...(await locate(fileURLToPath(new URL('../../dist/models/embedded/encoder', import.meta.url)))), threads: 1 }
  const thread = new Piscina({ filename: fileURLToPath(new URL('../../dist/models/worker.js', import.meta.url)), workerData: { spec, shared: strip.buffer }, minThreads: 1, maxThreads: 1, idleTimeout: Infinity })
  const run = (task: Task): Promise<Reply> => thread.run(task) as Promise<Reply>
  const pass: Task = { kind: 'pass', slot: 7, task: 'embed', options: undefined, inputs: ['hello'], tokensMax: 256 }
  await run({ kind: 'load' })
  const { steps } = strip.progress
  strip.cancel(7)
  expect(await run(pass)).toMatchObject({ kind: 'failed', error: { code: 'Cancelled' } })
  expect(strip.progress.steps).toBe(steps)
  strip.claim(7)
  expect(await run(pass)).toMatchObject({ kind: 'passed' })
  expect(strip.progress.steps).toBe(steps + 1)
  await thread.destroy()
})
