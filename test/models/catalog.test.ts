import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'

const root = fileURLToPath(new URL('../..', import.meta.url))
const encoder = join(root, 'dist/models/embedded/encoder')
const folder = mkdtempSync(join(tmpdir(), 'troupe-models-'))
let host: Host

/** A copy of the encoder in which something is wrong. */
function spoiled(name: string, spoil: (copy: string) => void): string {
  const copy = join(folder, name)
  cpSync(encoder, copy, { recursive: true })
  spoil(copy)
  return copy
}

beforeAll(async () => {
  host = await createHost()
})
afterAll(async () => {
  await host.stop()
  rmSync(folder, { recursive: true })
})

test('a folder is a model', async () => {
  const copy = spoiled('fine', () => undefined)
  expect(await host.embed(copy, 'hello')).toEqual(await host.embed('embedded:encoder', 'hello'))
})

test.each([
  ['embedded:oracle', 'embedded:encoder, embedded:generator'],
  ['oracle', 'embedded:encoder'],
  ['/no/such/folder', 'there is no folder'],
])('%s is not found, and the hint says what to try', async (name, hint) => {
  await expect(host.embed(name, 'hello')).rejects.toMatchObject({ code: 'ModelNotFound', hint: expect.stringContaining(hint) as string })
  await expect(host.warm(name)).rejects.toMatchObject({ code: 'ModelNotFound' })
  expect(Object.keys(host.metrics())).not.toContain(name)
})

test.each([
  ['without config.json', (copy: string) => rmSync(join(copy, 'config.json')), 'ModelNotFound', 'config.json'],
  ['with a config that is not JSON', (copy: string) => writeFileSync(join(copy, 'config.json'), '{'), 'ModelFailed', 'config.json'],
  ['without a graph', (copy: string) => rmSync(join(copy, 'onnx/model_quantized.onnx')), 'ModelNotFound', 'model.onnx'],
  ['with half a graph', (copy: string) => truncateSync(join(copy, 'onnx/model_quantized.onnx'), 100_000), 'ModelFailed', 'copy or download'],
  ['with an empty graph', (copy: string) => writeFileSync(join(copy, 'onnx/model_quantized.onnx'), ''), 'ModelFailed', 'copy or download'],
  ['without a tokenizer', (copy: string) => rmSync(join(copy, 'tokenizer.json')), 'ModelFailed', 'copy or download'],
  ['with half a tokenizer', (copy: string) => truncateSync(join(copy, 'tokenizer.json'), 1_000), 'ModelFailed', 'copy or download'],
])('a folder %s gives a clear error, every time, and harms nobody', async (what, spoil, code, hint) => {
  const copy = spoiled(what.replaceAll(' ', '-'), spoil)
  for (let i = 0; i < 2; i++) await expect(host.embed(copy, 'hello')).rejects.toMatchObject({ code, hint: expect.stringContaining(hint) as string })
  expect(await host.embed('embedded:encoder', 'hello')).toHaveLength(1)
})

test('a placement beyond the cores is refused', async () => {
  await expect(createHost({ placement: { 'embedded:encoder': { replicas: 2, threads: availableParallelism() } } })).rejects.toMatchObject({ code: 'InvalidDefinition' })
  await expect(createHost({ placement: { 'embedded:encoder': { replicas: 0 } } })).rejects.toMatchObject({ code: 'InvalidDefinition' })
})

test('a host that has stopped refuses calls as any other refusal', async () => {
  const own = await createHost()
  await own.stop()
  await expect(own.embed('embedded:encoder', 'hello')).rejects.toMatchObject({ code: 'Cancelled' })
  await expect(own.generate('embedded:generator', { prompt: 'hello' })).rejects.toMatchObject({ code: 'Cancelled' })
  await expect(own.infer('embed', 'embedded:encoder', 'hello')).rejects.toMatchObject({ code: 'Cancelled' })
})

test('weights that lie beside their graph count for its size, and so for its place', async () => {
  const copy = spoiled('large', (at) => ['_data', '_data_1', '.data'].forEach((end) => writeFileSync(join(at, `onnx/model_quantized.onnx${end}`), Buffer.alloc(1_000))))
  const seen: unknown[] = []
  const own = await createHost({ onProgress: (each) => void (each.kind === 'loading' && seen.push(each.bytes)), placement: { [copy]: { replicas: 1 } } })
  await own.warm(copy)
  await own.stop()
  expect(seen).toEqual([12259483 + 3_000])
})

test('the models that a host knows have a bound, and one that is not there takes no place', async () => {
  const own = await createHost()
  const names = Array.from({ length: 257 }, (_, i) => `/no/such/folder/${i}`)
  const codes = await Promise.all(names.map((name) => own.embed(name, 'hello').catch((error: unknown) => (error as { code: string }).code)))
  expect([codes.filter((code) => code === 'ModelNotFound').length, codes.at(-1)]).toEqual([256, 'Overloaded'])
  await expect(own.generate('/no/such/folder', { prompt: 'hello' })).rejects.toMatchObject({ code: 'ModelNotFound' })
  await own.stop()
})

test('a bound that would serve nobody is refused', async () => {
  await expect(createHost({ callerMax: 0 })).rejects.toMatchObject({ code: 'InvalidDefinition' })
})

test('loading is told, with size and time', async () => {
  const seen: unknown[] = []
  const own = await createHost({ onProgress: (progress) => seen.push(progress), placement: { 'embedded:encoder': { replicas: 1 } } })
  await own.warm('embedded:encoder')
  await own.stop()
  expect(seen).toEqual([{ kind: 'loading', model: 'embedded:encoder', bytes: 12259483 }, { kind: 'loaded', model: 'embedded:encoder', bytes: 12259483, ms: expect.any(Number) as number }])
})

test('without onnxruntime-node or transformers.js, the entrance loads, and the first call says what to install', () => {
  const place = join(folder, 'bare')
  mkdirSync(join(place, 'node_modules'), { recursive: true })
  cpSync(join(root, 'dist'), join(place, 'dist'), { recursive: true, filter: (path) => !path.includes('embedded') })
  symlinkSync(join(root, 'dist/models/embedded'), join(place, 'dist/models/embedded'))
  symlinkSync(join(root, 'node_modules/piscina'), join(place, 'node_modules/piscina'))
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }')
  const program = `
    import { createHost } from './dist/models/index.js'
    const host = await createHost()
    const error = await host.embed('embedded:encoder', 'hello').catch((error) => error)
    console.log(error.code, '|', error.hint)
    await host.stop()`
  writeFileSync(join(place, 'try.mjs'), program)
  const out = execFileSync(process.execPath, ['try.mjs'], { cwd: place, encoding: 'utf8' })
  expect(out.trim()).toBe('MissingDependency | npm install @huggingface/transformers onnxruntime-node')
})

test('the entrance alone loads neither onnxruntime-node nor transformers.js', () => {
  const program = `await import('troupe/models'); const seen = process.report.getReport().sharedObjects.filter((path) => path.includes('onnxruntime')); console.log(seen.length)`
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], { cwd: root, encoding: 'utf8' }).trim()).toBe('0')
})
