// Owns: how a message becomes bytes, and how an envelope does, there and back (docs/messagepack.md).
// Does not own: reading a message (messagepack.ts), what a message may mean (protocol.ts), who makes a header (envelope.ts).
//
// msgpackr writes. It is fast, but it loses Maps, -0 and functions, writes lone surrogates as broken UTF-8, and its
// forms of Set, Error and RegExp are no MessagePack that others can read. So `isPlain` first looks whether msgpackr
// writes the value well, which it nearly always does; if not, `prepare` rewrites it, or names what cannot be sent.
import { types } from 'node:util'
import { addExtension, Packr } from 'msgpackr'
import { describe, TroupeError } from '../ground/errors.js'
import { asBuffer, BINARY, DEPTH_MAX, EXTENSION, MESSAGE_BYTES_MAX, OBJECTS_MAX, typedArrays, unpackFlat } from './messagepack.js'

export { DEPTH_MAX, MESSAGE_BYTES_MAX, OBJECTS_MAX, unpack } from './messagepack.js'

/** The version of the envelope; its place, first in the array, never changes. */
export const FORMAT_VERSION = 1
/** The bytes of an envelope beside its body: two addresses and a type, however long, and eight numbers. */
const HEADER_BYTES_MAX = 64 * 2 ** 10
/** What msgpackr starts with. A larger slab would be pinned by every small message on it. */
const SLAB_BYTES = 8 * 2 ** 10

/** A header as it crosses a store or a wire; 0 for "none". */
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

declare global {
  // In Node 20, but not in TypeScript's ES2023.
  interface String {
    isWellFormed(): boolean
    toWellFormed(): string
  }
}

const SEND_PLAIN = 'send plain data: objects, arrays, text, numbers, dates, maps, sets, errors, binary'

const invalid = (message: string, hint: string, details = {}, cause?: unknown): TroupeError =>
  new TroupeError('InvalidMessage', message, hint, details, cause)

const tooLarge = (): TroupeError =>
  invalid(
    `the message is larger than ${MESSAGE_BYTES_MAX} bytes or ${OBJECTS_MAX} objects`,
    'send a reference to the data, or send it in parts, as a stream',
  )

/** Values that need no packing to be kept apart. */
export const isPrimitive = (value: unknown): boolean =>
  value === null || (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol')

// — write —

// What the pack under way may still use. A value shared many times over counts each time, as it is written each
// time: so neither a cycle nor a small graph that unfolds to gigabytes is followed far.
let bytesLeft = 0
let objectsLeft = 0
let packsUnderWay = 0

const packr = new Packr({
  useRecords: false,
  moreTypes: true,
  useBigIntExtension: true,
  variableMapSize: true,
  useToJSON: false,
  writeFunction: () => { throw invalid('functions cannot be sent', SEND_PLAIN) },
})

/** Bytes that are MessagePack already. */
class Packed {
  constructor(readonly head: Uint8Array, readonly rest: Uint8Array) {}
}

type Allocate = (bytes: number) => { target: Uint8Array; position: number }

addExtension({
  Class: Packed,
  type: 0x100, // no byte, so no reader in this process ever meets it
  pack({ head, rest }: Packed, allocate: Allocate) {
    const { target, position } = allocate(head.length + rest.length)
    target.set(head, position)
    target.set(rest, position + head.length)
  },
} as unknown as Parameters<typeof addExtension>[0])

/** The body of a message. The bytes may be a view on a slab: `compact` what is to be kept. */
export function pack(value: unknown): Uint8Array {
  const outerBytes = bytesLeft
  const outerObjects = objectsLeft
  allow()
  packsUnderWay++
  try {
    let ready = value
    if (!isPlain(value, DEPTH_MAX) || bytesLeft < 0) {
      allow()
      ready = prepare(value, DEPTH_MAX, undefined)
    }
    return write(ready, MESSAGE_BYTES_MAX)
  } catch (error) {
    if (packsUnderWay === 1) renewSlab()
    if (error instanceof TroupeError && error.code === 'InvalidMessage') throw error
    throw invalid(`the message cannot be packed: ${describe(error)}`, SEND_PLAIN, {}, error)
  } finally {
    packsUnderWay--
    bytesLeft = outerBytes
    objectsLeft = outerObjects
  }
}

function allow(): void {
  bytesLeft = MESSAGE_BYTES_MAX
  objectsLeft = OBJECTS_MAX
}

const renewSlab = (): void => packr.useBuffer(Buffer.allocUnsafeSlow(SLAB_BYTES))

function write(value: unknown, bytesMax: number): Uint8Array {
  const bytes = packr.pack(value)
  // msgpackr would make every later slab as large as its largest message needed. Only the outermost pack may
  // change the slab: a getter may have called us from the middle of another one.
  if (bytes.length >= 512 && bytes.buffer.byteLength > SLAB_BYTES && packsUnderWay === 1) renewSlab()
  if (bytes.length > bytesMax) throw tooLarge()
  return bytes
}

/** A copy with memory of its own, when the bytes keep a much larger slab alive. */
export function compact(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer.byteLength <= bytes.length * 2) return bytes
  const own = Buffer.allocUnsafeSlow(bytes.length)
  own.set(bytes)
  return own
}

/** Whether msgpackr alone writes this value so that it comes back the same. Decides fast; `prepare` explains. */
function isPlain(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      bytesLeft -= value.length
      return value.isWellFormed()
    case 'number':
      return value !== 0 || 1 / value > 0
    case 'boolean':
    case 'undefined':
      return true
    case 'object':
      return value === null || isPlainObject(value, depth)
    case 'bigint':
    case 'function':
    case 'symbol':
      return false
  }
}

function isPlainObject(value: object, depth: number): boolean {
  if (depth === 0 || --objectsLeft < 0 || bytesLeft < 0) return false
  if (Array.isArray(value)) {
    bytesLeft -= value.length
    if (bytesLeft < 0) return false
    for (let i = 0; i < value.length; i++) if (!isPlain(value[i], depth - 1)) return false
    return true
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype) return isPlainBuiltIn(value, prototype)
  for (const key in value) {
    bytesLeft -= key.length + 1
    if (!key.isWellFormed() || !isPlain((value as Record<string, unknown>)[key], depth - 1)) return false
  }
  return true
}

// Without Uint8Array, which msgpackr writes as an extension, where MessagePack has a type of its own.
const plainBinary = new Set<unknown>([Buffer.prototype, ...typedArrays.filter((each) => each !== Uint8Array).map((each): unknown => each.prototype)])

function isPlainBuiltIn(value: object, prototype: unknown): boolean {
  if (prototype === Date.prototype) return !Number.isNaN((value as Date).getTime())
  if (!plainBinary.has(prototype) || !ArrayBuffer.isView(value)) return false
  bytesLeft -= value.byteLength
  return bytesLeft >= 0
}

/** The way to a value, from the inside out. */
interface Path {
  readonly up: Path | undefined
  readonly key: unknown
  readonly holder: object
}

function place(at: Path | undefined): string {
  const keys: string[] = []
  for (let step = at; step !== undefined && keys.length < 8; step = step.up) keys.unshift(isPrimitive(step.key) ? String(step.key) : '(key)')
  return keys.join('.')
}

function unsendable(what: string, at: Path | undefined): TroupeError {
  const where = place(at)
  return invalid(where === '' ? what : `${what}, at "${where}"`, SEND_PLAIN, where === '' ? {} : { at: where })
}

function tooDeep(value: object, at: Path | undefined): TroupeError {
  for (let step = at; step !== undefined; step = step.up)
    if (step.holder === value) return unsendable('a value that contains itself cannot be sent', at)
  return unsendable(`values nested deeper than ${DEPTH_MAX} levels cannot be sent`, at)
}

function charge(bytes: number): void {
  bytesLeft -= bytes
  if (bytesLeft < 0) throw tooLarge()
}

/** The same value in terms that msgpackr writes well, or the reason why it cannot be sent. */
function prepare(value: unknown, depth: number, at: Path | undefined): unknown {
  switch (typeof value) {
    case 'string':
      charge(value.length)
      return value.toWellFormed()
    case 'number':
      charge(1)
      return Object.is(value, -0) ? negativeZero : value
    case 'bigint':
      return prepareBigInt(value)
    case 'function':
    case 'symbol':
      throw unsendable(`${typeof value}s cannot be sent`, at)
    case 'object':
      return value === null ? null : prepareObject(value, depth, at)
    case 'boolean':
    case 'undefined':
      charge(1)
      return value
  }
}

const negativeZero = new Packed(Uint8Array.of(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0), new Uint8Array(0))

function prepareObject(value: object, depth: number, at: Path | undefined): unknown {
  if (depth === 0) throw tooDeep(value, at)
  if (--objectsLeft < 0) throw tooLarge()
  const inner = (each: unknown, key: unknown): unknown => prepare(each, depth - 1, { up: at, key, holder: value })
  const list = (items: readonly unknown[]): unknown[] => {
    charge(items.length)
    return Array.from(items, inner)
  }
  if (Array.isArray(value)) return list(value)
  const fields = (record: object): unknown[] => Object.entries(record).map(([key, each]) => inner(each, key))
  if (types.isMap(value)) {
    charge(value.size * 2)
    return extension(EXTENSION.map, [...value].flatMap(([key, each]) => [inner(key, '(key)'), inner(each, key)]))
  }
  if (types.isSet(value)) return extension(EXTENSION.set, list([...value]))
  if (types.isDate(value)) {
    if (Number.isNaN(value.getTime())) throw unsendable('an invalid Date cannot be sent', at)
    return new Date(value)
  }
  if (ArrayBuffer.isView(value) || types.isArrayBuffer(value)) return prepareBinary(value, at)
  if (value instanceof TroupeError) {
    const { code, message, hint, details, ...cause } = value.toData()
    return extension(EXTENSION.troupeError, fields({ code, message, hint, details: details ?? {}, ...cause }))
  }
  if (types.isNativeError(value) || value instanceof Error) {
    // Whatever they are declared as, a reader refuses an error without these two texts.
    const { name, message }: Record<'name' | 'message', unknown> = value
    const texts = { name: String(name), message: String(message) }
    return extension(EXTENSION.error, fields('cause' in value ? { ...texts, cause: value.cause } : texts))
  }
  if (types.isRegExp(value)) return extension(EXTENSION.regexp, list([value.source, value.flags]))
  const prototype = Object.getPrototypeOf(value) as object | null
  // An object of another realm has another Object.prototype, which in turn has none.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw unsendable(`an instance of ${prototype.constructor?.name || 'a class'} cannot be sent`, at)
  const copy = Object.create(null) as Record<string, unknown>
  for (const [key, each] of Object.entries(value)) {
    charge(key.length)
    copy[key.toWellFormed()] = inner(each, key)
  }
  return copy
}

function prepareBigInt(value: bigint): Packed {
  const hex = (value < 0n ? ~value : value).toString(16)
  const padded = hex.length % 2 === 1 ? `0${hex}` : hex
  const bytes = Buffer.from(padded >= '8' ? `00${padded}` : padded, 'hex')
  if (value < 0n) for (let i = 0; i < bytes.length; i++) bytes[i]! ^= 0xff
  if (--objectsLeft < 0) throw tooLarge()
  charge(bytes.length)
  return new Packed(extensionHead(EXTENSION.bigint, bytes.length), bytes)
}

function prepareBinary(value: ArrayBufferView | ArrayBuffer, at: Path | undefined): Buffer | Packed {
  charge(value.byteLength)
  const bytes = ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.from(value)
  if (types.isUint8Array(value)) return bytes
  const kind = types.isArrayBuffer(value)
    ? BINARY.arrayBuffer
    : types.isDataView(value)
      ? BINARY.dataView
      : typedArrays.findIndex((each) => each.name === (value as Int8Array)[Symbol.toStringTag])
  if (kind < 0) throw unsendable(`a ${Object.prototype.toString.call(value).slice(8, -1)} cannot be sent`, at)
  return new Packed(Uint8Array.of(...extensionHead(EXTENSION.binary, bytes.length + 1), kind), bytes)
}

const extension = (type: number, payload: unknown): Packed => {
  const bytes = write(payload, MESSAGE_BYTES_MAX)
  return new Packed(extensionHead(type, bytes.length), bytes)
}

function extensionHead(type: number, length: number): Uint8Array {
  const fixed = [1, 2, 4, 8, 16].indexOf(length)
  if (fixed >= 0) return Uint8Array.of(0xd4 + fixed, type)
  if (length < 0x100) return Uint8Array.of(0xc7, length, type)
  if (length < 0x10000) return Uint8Array.of(0xc8, length >> 8, length, type)
  return Uint8Array.of(0xc9, length >> 24, length >> 16, length >> 8, length, type)
}

// — envelopes —

/** Header and body in one, for a store or a wire. The body is copied, not read. */
export function packEnvelope(header: WireHeader, body: Uint8Array): Uint8Array {
  if (body.length > MESSAGE_BYTES_MAX) throw tooLarge()
  const { id, correlation, cause, deadline, priority, trace, sequence, attempt } = header
  const [to, from, type] = [header.to, header.from, header.type].map((each) => each.toWellFormed())
  packsUnderWay++
  try {
    const parts = [FORMAT_VERSION, id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt, asBuffer(body)]
    return write(parts, MESSAGE_BYTES_MAX + HEADER_BYTES_MAX)
  } finally {
    packsUnderWay--
  }
}

/** The header, and the body still packed: a view on the bytes. */
export function unpackEnvelope(bytes: Uint8Array): { header: WireHeader; body: Uint8Array } {
  const parts = unpackFlat(bytes, MESSAGE_BYTES_MAX + HEADER_BYTES_MAX, judgeVersion)
  const [, id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt, body] = parts
  const texts = [to, from, type]
  const numbers = [id, correlation, cause, deadline, priority, trace, sequence, attempt]
  if (parts.length !== 13 || !(body instanceof Uint8Array) || body.length > MESSAGE_BYTES_MAX
    || !texts.every((each) => typeof each === 'string') || !numbers.every((each) => Number.isFinite(each)))
    throw notAnEnvelope()
  const header = { id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt } as WireHeader
  return { header, body }
}

const notAnEnvelope = (): TroupeError =>
  invalid('these bytes are no envelope', 'the sender must write envelopes as docs/messagepack.md describes them')

function judgeVersion(version: unknown): void {
  if (!Number.isInteger(version) || (version as number) < 1) throw notAnEnvelope()
  if ((version as number) > FORMAT_VERSION)
    throw new TroupeError(
      'Incompatible',
      `the envelope has format version ${String(version)}, and this node reads up to ${FORMAT_VERSION}`,
      'upgrade Troupe on this node',
      { version, supported: FORMAT_VERSION },
    )
}
