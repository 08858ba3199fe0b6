import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lmdb } from '../../src/runtime/store/lmdb.js'
import { MemoryStore } from '../../src/runtime/store/memory.js'
import { storeContract } from '../contract/store.js'

const made: string[] = []
const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'troupe-store-'))
  made.push(path)
  return path
}
afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true, force: true }))))

storeContract('memory', () => {
  const store = new MemoryStore()
  return Promise.resolve({ open: () => Promise.resolve(store) })
})
storeContract('LMDB', async () => ({ open: lmdb(await folder()) }))
storeContract('encrypted LMDB', async () => ({ open: lmdb(await folder(), { key: 'k'.repeat(32) }) }))

const sample = [{ kind: 'put', key: ['k'], value: new Uint8Array(100) }] as const

test.each([
  ['another key', 'k'.repeat(32), 'x'.repeat(32)],
  ['no key', 'k'.repeat(32), undefined],
  ['a key where there was none', undefined, 'x'.repeat(32)],
])('a store does not open with %s', async (_name, made, tried) => {
  const path = await folder()
  const store = await lmdb(path, made === undefined ? {} : { key: made })()
  await store.commit(sample)
  await store.close()
  await expect(lmdb(path, tried === undefined ? {} : { key: tried })()).rejects.toMatchObject({ code: 'Unauthorized' })
  const again = await lmdb(path, made === undefined ? {} : { key: made })()
  expect(again.get(['k'])).toHaveLength(100)
  await again.close()
})

test('a store is open in one process at a time, and a killed one leaves nothing stale', async () => {
  const path = await folder()
  const program = `import { lmdb } from ${JSON.stringify(new URL('../../dist/runtime/store/lmdb.js', import.meta.url).href)}
    await lmdb(${JSON.stringify(path)})(); console.log('open'); setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(holder.stdout, 'data')
  await expect(lmdb(path)()).rejects.toMatchObject({ code: 'Overloaded' })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const store = await lmdb(path)()
  await store.commit(sample)
  await store.close()
})
