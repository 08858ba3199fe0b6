import { createReadStream, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createHost, type Host, type HostOptions, type HubSettings } from 'troupe/models'

const encoder = fileURLToPath(new URL('../../dist/models/embedded/encoder', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'troupe-hub-'))
const asked: string[] = []
let server: Server
let breakOff = false
let cache = 0

/** A hub that has one model, `own/encoder`, and one that is private. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const file = /^\/own\/encoder\/resolve\/(?:main|v1)\/(.+)$/.exec(path)?.[1]
    if (path.startsWith('/own/secret')) return response.writeHead(401).end()
    const found = file === undefined ? undefined : statSync(join(encoder, file), { throwIfNoEntry: false })
    if (file === undefined || found === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'content-length': found.size })
    if (breakOff && file.endsWith('.onnx')) return response.write(Buffer.alloc(1000), () => response.destroy())
    createReadStream(join(encoder, file)).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  server.close()
  rmSync(scratch, { recursive: true, force: true })
})
beforeEach(() => {
  asked.length = 0
  breakOff = false
})

const freshCache = (): string => join(scratch, String(cache++))
const settings = (cacheDir: string): Partial<HubSettings> => ({ cacheDir, remoteHost: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` })
async function withHost<T>(options: HostOptions, work: (host: Host) => Promise<T>): Promise<T> {
  const host = await createHost(options)
  try {
    return await work(host)
  } finally {
    await host.stop()
  }
}

test('a model of the hub is downloaded once, told file by file, and then comes from the cache', async () => {
  const cacheDir = freshCache()
  const files: string[] = []
  const hub = settings(cacheDir)
  const vectors = await withHost({ hub, onProgress: (each) => void (each.kind === 'downloaded' && files.push(each.file)) }, (host) => Promise.all([host.embed('own/encoder', 'hello'), host.understand('own/encoder', 'hello')]))
  expect(vectors[0][0]).toHaveLength(320)
  expect(files).toEqual(['config.json', 'tokenizer.json', 'tokenizer_config.json', 'onnx/model_quantized.onnx'])
  expect(new Set(asked).size).toBe(asked.length)
  expect(readdirSync(join(cacheDir, 'own/encoder')).filter((name) => name.includes('part'))).toEqual([])
  asked.length = 0
  await withHost({ hub: { ...hub, allowRemoteModels: false } }, (host) => host.embed('own/encoder', 'hello'))
  expect(asked).toEqual([])
})

test('a large file is told of on its way, with how much of it has come', async () => {
  const told: { kind: string; bytes: number; total?: number }[] = []
  await withHost({ hub: settings(freshCache()), onProgress: (each) => void ('file' in each && each.file.endsWith('.onnx') && told.push(each)) }, (host) => host.embed('own/encoder', 'hello'))
  const size = statSync(join(encoder, 'onnx/model_quantized.onnx')).size
  const arrived = told.slice(0, -1)
  expect(arrived.length).toBeGreaterThan(3)
  expect(arrived.length).toBeLessThanOrEqual(20)
  for (const [i, each] of arrived.entries()) {
    expect(each).toMatchObject({ kind: 'downloading', total: size })
    expect(each.bytes).toBeGreaterThan(arrived[i - 1]?.bytes ?? 0)
  }
  expect(told.at(-1)).toMatchObject({ kind: 'downloaded', bytes: size })
})

test('however many hosts and threads want a model at once, each of its files comes once', async () => {
  const hub = settings(freshCache())
  asked.length = 0
  const placement = { 'own/encoder': { replicas: 2, threads: 1 } }
  await withHost({ hub, placement }, (one) => withHost({ hub, placement }, (other) => Promise.all([one.warm('own/encoder'), other.warm('own/encoder'), one.embed('own/encoder', 'hello'), other.tag('own/encoder', 'hello')])))
  // What the hub does not have may be asked for again: it may have it by then.
  const come = asked.map((path) => path.replace('/own/encoder/resolve/main/', '')).filter((file) => statSync(join(encoder, file), { throwIfNoEntry: false }) !== undefined)
  expect(come.toSorted()).toEqual(['config.json', 'onnx/model_quantized.onnx', 'tokenizer.json', 'tokenizer_config.json'])
})

test('a pinned revision is asked for, and kept apart', async () => {
  const cacheDir = freshCache()
  await withHost({ hub: settings(cacheDir), placement: { 'own/encoder': { revision: 'v1' } } }, (host) => host.embed('own/encoder', 'hello'))
  expect(asked.every((path) => path.includes('/resolve/v1/'))).toBe(true)
  expect(readdirSync(join(cacheDir, 'own/encoder'))).toEqual(['v1'])
})

test.each([
  ['one that does not exist', 'own/nothing', {}, { code: 'ModelNotFound', hint: expect.stringContaining('check its name') as string }],
  ['a private one', 'own/secret', {}, { code: 'Unauthorized', hint: expect.stringContaining('HF_TOKEN') as string }],
  ['one that is not in the cache, offline', 'own/encoder', { allowRemoteModels: false }, { code: 'ModelNotFound', hint: expect.stringContaining('switched off') as string }],
  ['one from a hub that cannot be reached', 'own/encoder', { remoteHost: 'http://127.0.0.1:9/' }, { code: 'ModelNotFound', details: { reason: 'no-network' } }],
])('%s is a clear error', async (_, model, more, error) => {
  await withHost({ hub: { ...settings(freshCache()), ...more } }, (host) => expect(host.embed(model, 'hello')).rejects.toMatchObject(error))
})

test('a download that breaks off leaves nothing behind, and the next one works', async () => {
  const hub = settings(freshCache())
  breakOff = true
  await withHost({ hub }, async (host) => {
    await expect(host.embed('own/encoder', 'hello')).rejects.toMatchObject({ code: 'ModelNotFound', details: { reason: 'no-network' } })
    breakOff = false
    expect(await host.embed('own/encoder', 'hello')).toHaveLength(1)
  })
})
