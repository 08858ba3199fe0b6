import { existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { createHost, type Device, type Host, type Placement } from 'troupe/models'
import { folderModel } from './folder-model.js'
import type { Graph } from './onnx.mjs'

let host: Host
afterEach(() => host?.stop())

/** No machine has both of these. */
const absent: Device = process.platform === 'darwin' ? 'dml' : 'coreml'
const on = (model: string, placement: Placement): Promise<Host> => createHost({ placement: { [model]: placement } })
const brightest: Graph = {
  nodes: [['ReduceMean', ['pixel_values'], ['logits'], { axes: [2, 3], keepdims: 0 }]],
  inputs: [['pixel_values', 'float32', ['batch', 3, 'height', 'width']]],
  outputs: [['logits', 'float32', ['batch', 3]]],
}
const picture = { data: Uint8Array.from({ length: 48 }, (_, i) => (i % 3 === 1 ? 200 : 0)), width: 4, height: 4, channels: 3 } as const
const looking = (): string =>
  folderModel({
    graphs: { 'model.onnx': brightest },
    config: { architectures: ['ViTForImageClassification'], model_type: 'vit', id2label: { 0: 'red', 1: 'green', 2: 'blue' }, 'transformers.js_config': { dtype: 'fp32' } },
    files: { 'preprocessor_config.json': { do_normalize: false, do_rescale: true, do_resize: true, size: { height: 4, width: 4 }, image_processor_type: 'ViTImageProcessor' } },
  })

test('the processor is a device like any other, and the one that is meant when none is named', async () => {
  host = await on('embedded:encoder', { device: 'cpu', replicas: 1 })
  const usual = await createHost({ placement: { 'embedded:encoder': { replicas: 1 } } })
  expect(await host.embed('embedded:encoder', 'hello')).toEqual(await usual.embed('embedded:encoder', 'hello'))
  await usual.stop()
})

test('a device that onnxruntime was not built for is told apart from a broken model, with those that there are', async () => {
  host = await on('embedded:encoder', { device: absent })
  const refusal = { code: 'ModelFailed', hint: expect.stringContaining(`${absent} needs`) as string, details: { model: 'embedded:encoder', device: absent, reason: 'no-device', devices: expect.arrayContaining(['cpu']) as string[] } }
  await expect(host.embed('embedded:encoder', 'hello')).rejects.toMatchObject(refusal)
  await expect(host.warm('embedded:encoder')).rejects.toMatchObject(refusal)
  expect(await host.generate('embedded:generator', { prompt: 'Hello', maxTokens: 1 })).toMatchObject({ usage: { completionTokens: 1 } })
})

test('a word that is no device is refused with those that are', async () => {
  host = await on('embedded:encoder', { device: 'abacus' as Device })
  await expect(host.embed('embedded:encoder', 'hello')).rejects.toMatchObject({ details: { reason: 'no-device' }, hint: expect.stringContaining('cpu, cuda, dml, webgpu, coreml') as string })
})

test('pipelines take devices, too', async () => {
  const name = looking()
  host = await on(name, { device: 'cpu' })
  expect((await host.classifyImage(name, picture))[0]?.label).toBe('green')
  const other = await on(name, { device: absent })
  await expect(other.classifyImage(name, picture)).rejects.toMatchObject({ code: 'ModelFailed', details: { device: absent, reason: 'no-device' } })
  await other.stop()
  rmSync(name, { recursive: true })
})

/** The build for Linux names cuda; its libraries come in a download of their own. */
const addon = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json')), 'bin/napi-v6/linux/x64')
const withoutCuda = process.platform === 'linux' && process.arch === 'x64' && existsSync(addon) && !existsSync(join(addon, 'libonnxruntime_providers_cuda.so'))

test.skipIf(!withoutCuda)('a device that the build has and the machine has not is told the same way, before the model is read', async () => {
  host = await on('embedded:encoder', { device: 'cuda' })
  const refusal = { code: 'ModelFailed', hint: expect.stringContaining('ONNXRUNTIME_NODE_INSTALL=cuda12') as string, details: { model: 'embedded:encoder', device: 'cuda', reason: 'no-device' } }
  await expect(host.embed('embedded:encoder', 'hello')).rejects.toMatchObject(refusal)
  const name = looking()
  const other = await on(name, { device: 'cuda' })
  await expect(other.classifyImage(name, picture)).rejects.toMatchObject({ details: { device: 'cuda', reason: 'no-device' } })
  await other.stop()
  rmSync(name, { recursive: true })
})
