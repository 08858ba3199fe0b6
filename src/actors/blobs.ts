/**
 * Claim checks: what is large is stored once under the hash of its bytes, and messages carry a ref to it.
 * An envelope is packed, journaled, copied and kept as a dead letter; a blob is none of these.
 */
import { createHash } from 'node:crypto'
import { TroupeError, type Schema } from '../runtime/index.js'
import { typed } from './shape.js'

/** Stands for bytes in a message. Two refs to equal bytes are equal. */
export interface BlobRef {
  /** `sha256:` and the hash of the bytes in hexadecimal digits. */
  readonly blob: string
  readonly bytes: number
}

/** What a store of blobs promises. */
export interface Blobs {
  /** Keeps a copy; the least recently used others leave where there is no room. `InvalidMessage` when it could never fit. */
  put(bytes: Uint8Array): Promise<BlobRef>
  /** A copy of the bytes; `Gone` when they are no longer, or never were, there. */
  get(ref: BlobRef): Promise<Uint8Array>
  has(ref: BlobRef): Promise<boolean>
  /** Bytes that it holds now. */
  readonly size: number
}

export interface BlobLimits {
  /** Bytes of all blobs together; beyond, the least recently used leave. */
  readonly bytesMax?: number
}

const FORM = /^sha256:[0-9a-f]{64}$/

export const refOf = (bytes: Uint8Array): BlobRef => ({ blob: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes: bytes.byteLength })

/** Whether a value has the form of a ref; nothing but that form ever becomes the name of a file. */
export const isBlobRef = (value: unknown): value is BlobRef => {
  const { blob, bytes } = (value ?? {}) as Partial<Record<keyof BlobRef, unknown>>
  return typeof blob === 'string' && FORM.test(blob) && typeof bytes === 'number' && Number.isSafeInteger(bytes) && bytes >= 0
}

export const bytes = typed<Uint8Array>('bytes', (value) => value instanceof Uint8Array)
/** The field of a message that may be large: the bytes themselves, or where they are. */
export const payload = typed<Uint8Array | BlobRef>('bytes, or a ref to a blob', (value) => value instanceof Uint8Array || isBlobRef(value))
export type Payload = typeof payload extends Schema<infer T> ? T : never

/** The bytes behind a payload. */
export async function bytesBehind(given: Payload, blobs: Blobs | undefined): Promise<Uint8Array> {
  if (given instanceof Uint8Array) return given
  if (blobs !== undefined) return await blobs.get(given)
  throw new TroupeError('InvalidMessage', `the message refers to ${given.blob}, and this actor has no store of blobs`, 'give the actor the store: image({ blobs }), audio({ blobs }); or send the bytes', { ...given })
}

export const gone = (ref: unknown): TroupeError =>
  new TroupeError('Gone', isBlobRef(ref) ? `the blob ${ref.blob} is not here any more` : 'that is no ref to a blob', 'put it again; a larger bytesMax keeps more blobs', isBlobRef(ref) ? { ...ref } : {})

export const tooLarge = (bytes: number, bytesMax: number): TroupeError =>
  new TroupeError('InvalidMessage', `a blob of ${bytes} bytes does not fit into a store of ${bytesMax}`, 'send less, or give the store more with bytesMax', { bytes, bytesMax })
