import { Packr } from 'msgpackr/pack'
import { describe, TroupeError } from '../ground/errors.js'

export const FORMAT_VERSION = 1

/** A header as it crosses a store or a wire: numbers throughout, 0 for "none". */
export interface WireHeader {
  id: number
  to: string
  from: string
  type: string
  correlation: number
  cause: number
  deadline: number
  priority: number
  trace: number
  sequence: number
  attempt: number
}

const packr = new Packr({ useRecords: false, moreTypes: true, useBigIntExtension: true, copyBuffers: true, structuredClone: false })

const invalid = (message: string, cause?: unknown): TroupeError =>
  new TroupeError('InvalidMessage', message, 'send plain data: objects, arrays, text, numbers, dates, maps, sets, binary', {}, cause)

export function pack(value: unknown): Uint8Array {
  try {
    return packr.pack(value)
  } catch (error) {
    throw invalid(`the message cannot be packed: ${describe(error)}`, error)
  }
}

export function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes)
  } catch (error) {
    throw invalid(`the bytes are no message: ${describe(error)}`, error)
  }
}

export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > bytes.byteLength + 64 ? Uint8Array.prototype.slice.call(bytes) : bytes
}

export function packEnvelope(header: WireHeader, body: Uint8Array): Uint8Array {
  const { id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt } = header
  return pack([FORMAT_VERSION, id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt, Buffer.from(body)])
}

export function unpackEnvelope(bytes: Uint8Array): { header: WireHeader; body: Uint8Array } {
  const parts = unpack(bytes)
  if (!Array.isArray(parts)) throw invalid('the bytes are no envelope')
  if (typeof parts[0] === 'number' && parts[0] > FORMAT_VERSION)
    throw new TroupeError('Incompatible', `the envelope has format ${parts[0]}, this Troupe reads ${FORMAT_VERSION}`, 'upgrade this node')
  const [version, id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt, body] = parts as
    [number, number, string, string, string, number, number, number, number, number, number, number, Uint8Array]
  if (version !== FORMAT_VERSION || !(body instanceof Uint8Array)) throw invalid('the bytes are no envelope')
  return { header: { id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt }, body }
}

export const isPrimitive = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')
