/** A message of several parts: text, images and sounds, each the bytes or a ref to a blob. */
import { isBlobRef, type Payload } from './blobs.js'
import { typed } from './shape.js'

export type Part = { readonly type: 'text'; readonly text: string } | { readonly type: 'image'; readonly blob: Payload } | { readonly type: 'audio'; readonly blob: Payload }

function isPart(value: unknown): value is Part {
  const { type, text, blob } = (value ?? {}) as Partial<Record<'type' | 'text' | 'blob', unknown>>
  return type === 'text' ? typeof text === 'string' : (type === 'image' || type === 'audio') && (blob instanceof Uint8Array || isBlobRef(blob))
}

export const part = typed<Part>("a part: { type: 'text', text }, or { type: 'image' or 'audio', blob }", isPart)
