/** What computes a model: the processor, or a device beside it that this build of onnxruntime and this machine have. */
import { TroupeError, describe } from '../ground/errors.js'

export type Device = 'cpu' | 'cuda' | 'dml' | 'webgpu' | 'coreml'

const NEEDS: Readonly<Record<Exclude<Device, 'cpu'>, string>> = {
  cuda: 'cuda needs Linux on x64, a driver of NVIDIA, CUDA 12 with cuDNN 9, and ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node',
  dml: 'dml needs Windows and a graphics processor with DirectX 12',
  webgpu: 'webgpu needs Windows, macOS or Linux on x64, and a driver for DirectX 12, Metal or Vulkan',
  coreml: 'coreml needs macOS',
}

/** The smallest of all graphs, y = x: whatever keeps it from loading is the device's fault and no model's. */
export const PROBE: Uint8Array = Buffer.from('CAgSBnRyb3VwZTo6ChMKAXgSAXkaAXkiCElkZW50aXR5EgFnWg8KAXgSCgoICAESBAoCCAFiDwoBeRIKCggIARIECgIIAUIECgAQEQ==', 'base64')

/** Throws for a device that this build of onnxruntime never heard of; `known` are those that it names. */
export function checkDevice(model: string, device: Device, known: readonly string[]): void {
  if (known.includes(device)) return
  throw noDevice(model, device, `the onnxruntime-node installed here has ${known.join(', ')}`, { devices: known })
}

/** The build has the device, and this machine does not, or lacks what it needs. */
export const brokenDevice = (model: string, device: Device, cause: unknown): TroupeError => noDevice(model, device, describe(cause), {}, cause)

function noDevice(model: string, device: Device, why: string, details: Record<string, unknown>, cause?: unknown): TroupeError {
  const needs = (NEEDS as Readonly<Record<string, string>>)[device] ?? `devices are cpu, ${Object.keys(NEEDS).join(', ')}`
  return new TroupeError('ModelFailed', `${model} cannot run on ${device}: ${why}`, `${needs}; without a device in its placement the model runs on the processor`, { model, device, reason: 'no-device', ...details }, cause)
}
