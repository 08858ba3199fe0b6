import { gone, isBlobRef, refOf, tooLarge, type BlobLimits, type BlobRef, type Blobs } from './blobs.js'

const BYTES_MAX = 256_000_000

/** Blobs in memory, for one process. Default bound: 256 MB. */
export function memoryBlobs({ bytesMax = BYTES_MAX }: BlobLimits = {}): Blobs {
  /** The least recently used first. */
  const held = new Map<string, Uint8Array>()
  let size = 0
  const touch = (blob: string, bytes: Uint8Array): void => {
    held.delete(blob)
    held.set(blob, bytes)
  }
  const put = (bytes: Uint8Array): BlobRef => {
    if (bytes.byteLength > bytesMax) throw tooLarge(bytes.byteLength, bytesMax)
    const ref = refOf(bytes)
    const known = held.get(ref.blob)
    if (known === undefined) size += bytes.byteLength
    touch(ref.blob, known ?? Uint8Array.from(bytes))
    for (const [oldest, { byteLength }] of held) {
      if (size <= bytesMax) break
      held.delete(oldest)
      size -= byteLength
    }
    return ref
  }
  const get = (ref: BlobRef): Uint8Array => {
    const bytes = isBlobRef(ref) ? held.get(ref.blob) : undefined
    if (bytes === undefined) throw gone(ref)
    touch(ref.blob, bytes)
    return Uint8Array.from(bytes)
  }
  return {
    put: async (bytes) => Promise.resolve(put(bytes)),
    get: async (ref) => Promise.resolve(get(ref)),
    has: (ref) => Promise.resolve(isBlobRef(ref) && held.has(ref.blob)),
    get size() {
      return size
    },
  }
}
