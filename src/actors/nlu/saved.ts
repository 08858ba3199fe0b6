/** What `nlu` has learnt as bytes and back: a header in JSON, then hashes, rarity, weights and vectors as 16-bit steps of a scale. */
import { TroupeError } from '../../runtime/index.js'
import type { Learnt } from './learnt.js'

const MAGIC = 'troupe-nlu-2\n'
const STEPS = 32_767
/** Numbers turned between two looks at the clock. */
const PART = 16_384

interface Header {
  readonly model: string
  readonly intents: readonly string[]
  readonly temperature: number
  readonly scopeMin: number
  readonly accuracy?: number
  readonly examples: Learnt['memory']['examples']
  readonly hashes: number
  readonly weights: number
  readonly vectors: number
  readonly rarityScale: number
  readonly weightScale: number
  readonly vectorScale: number
}

const broken = (what: string, cause?: unknown): TroupeError => new TroupeError('StoreCorrupt', `these bytes are no saved head: ${what}`, 'load the bytes that save gave, unchanged', {}, cause)

/** Behind the header: a hash takes four bytes, and every number two. */
const sizeOf = ({ hashes, weights, vectors }: Header): number => 6 * hashes + 2 * (weights + vectors)

/** Yields often, so that a large head does not hold the event loop. */
export function* toBytes({ model, head, memory, scopeMin, trained }: Learnt): Generator<void, Uint8Array> {
  const rarityScale = yield* largest(head.rarity)
  const weightScale = yield* largest(head.weights)
  const vectorScale = yield* largest(memory.vectors)
  const header: Header = {
    model,
    intents: head.intents,
    temperature: head.temperature,
    scopeMin,
    ...(trained.accuracy !== undefined && { accuracy: trained.accuracy }),
    examples: memory.examples,
    hashes: head.rows.size,
    weights: head.weights.length,
    vectors: memory.vectors.length,
    rarityScale,
    weightScale,
    vectorScale,
  }
  const front = new TextEncoder().encode(MAGIC + JSON.stringify(header) + '\n')
  const at = front.length + (front.length % 2)
  const bytes = new Uint8Array(at + sizeOf(header))
  bytes.set(front)
  const view = new DataView(bytes.buffer)
  let offset = at
  for (const hash of head.rows.keys()) {
    view.setUint32(offset, hash, true)
    offset += 4
    if (offset % PART === 0) yield
  }
  offset = yield* writeSteps(view, offset, head.rarity, rarityScale)
  offset = yield* writeSteps(view, offset, head.weights, weightScale)
  yield* writeSteps(view, offset, memory.vectors, vectorScale)
  return bytes
}

function* largest(values: Float32Array): Generator<void, number> {
  let most = 0
  for (let at = 0; at < values.length; at++) {
    most = Math.max(most, Math.abs(values[at] as number))
    if (at % PART === 0) yield
  }
  return most || 1
}

function* writeSteps(view: DataView, from: number, values: Float32Array, scale: number): Generator<void, number> {
  for (let at = 0; at < values.length; at++) {
    view.setInt16(from + 2 * at, Math.round(((values[at] as number) / scale) * STEPS), true)
    if (at % PART === 0) yield
  }
  return from + 2 * values.length
}

export function* fromBytes(bytes: Uint8Array): Generator<void, Learnt> {
  const { header, end } = headerOf(bytes)
  const size = end + sizeOf(header)
  if (size !== bytes.length) throw broken(`${bytes.length} bytes instead of ${size}`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const rows = new Map<number, number>()
  const dense = header.weights / header.intents.length - header.hashes - 1
  for (let at = 0; at < header.hashes; at++) {
    rows.set(view.getUint32(end + 4 * at, true), dense + at)
    if (at % 1024 === 0) yield
  }
  const rarity = yield* readSteps(view, end + 4 * header.hashes, header.hashes, header.rarityScale)
  const weights = yield* readSteps(view, end + 6 * header.hashes, header.weights, header.weightScale)
  const vectors = yield* readSteps(view, end + 6 * header.hashes + 2 * header.weights, header.vectors, header.vectorScale)
  const { model, intents, temperature, scopeMin, accuracy, examples } = header
  return {
    model,
    head: { intents, rows, rarity, weights, temperature },
    memory: { examples, vectors },
    scopeMin,
    trained: { intents, examples: examples.length, ...(accuracy !== undefined && { accuracy }) },
  }
}

function headerOf(bytes: Uint8Array): { header: Header; end: number } {
  const start = new TextDecoder().decode(bytes.subarray(0, MAGIC.length))
  if (start !== MAGIC) throw broken('they start with something else')
  const end = bytes.indexOf(10, MAGIC.length)
  if (end < 0) throw broken('their header has no end')
  let header: Header
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(MAGIC.length, end))) as Header
  } catch (cause) {
    throw broken('their header is not JSON', cause)
  }
  const counts = [header.hashes, header.weights, header.vectors]
  const isWhole = counts.every((count) => Number.isSafeInteger(count) && count >= 0) && Array.isArray(header.intents) && header.intents.length > 0 && Array.isArray(header.examples) && Number.isInteger(header.weights / header.intents.length)
  if (!isWhole) throw broken('their header does not say what it should')
  return { header, end: end + 1 + ((end + 1) % 2) }
}

function* readSteps(view: DataView, from: number, length: number, scale: number): Generator<void, Float32Array> {
  const values = new Float32Array(length)
  for (let at = 0; at < length; at++) {
    values[at] = (view.getInt16(from + 2 * at, true) / STEPS) * scale
    if (at % PART === 0) yield
  }
  return values
}
