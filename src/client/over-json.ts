/** What becomes of a protocol's messages as JSON, for the compiler; and a message as JSON, for the wire. */
import { TroupeError } from '../ground/errors.js'
import type { EventSpec, RequestSpec, Specs, StreamSpec } from '../runtime/protocol.js'

/** The protocol as it is on the other side of a gateway. */
export type OverJson<S extends Specs> = { readonly [K in keyof S]: SpecOverJson<S[K]> }
type SpecOverJson<Sp> = Sp extends RequestSpec<infer Body, infer Reply>
  ? RequestSpec<Sent<Body>, Received<Reply>>
  : Sp extends StreamSpec<infer Body, infer Chunk>
    ? StreamSpec<Sent<Body>, Received<Chunk>>
    : Sp extends EventSpec<infer Body>
      ? EventSpec<Sent<Body>>
      : never

type Text = string | number | boolean | null
type Numbers = Int8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array
type LargeNumbers = BigInt64Array | BigUint64Array
/** JSON has no word for these; the gateway's schema would find another thing in their place. */
type Unsendable = bigint | Date | Uint8Array | Numbers | LargeNumbers | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>

/** A value as somebody can send it: without what does not get through. */
export type Sent<T> = unknown extends T ? T : T extends Text | undefined ? T : T extends Unsendable ? never : { [K in keyof T]: Sent<T[K]> }

/** A value as it arrives: bytes as base64, other typed arrays and sets as lists, maps as objects, dates and large integers as text, nothing as `null`. */
export type Received<T> = unknown extends T ? T : T extends undefined ? null : Field<T>
/** Where a field is absent, it stays so. */
type Field<T> = unknown extends T
  ? T
  : T extends Text | undefined
    ? T
    : T extends bigint | Date | Uint8Array
      ? string
      : T extends Numbers
        ? number[]
        : T extends LargeNumbers
          ? string[]
          : T extends ReadonlyMap<unknown, infer Value>
            ? Record<string, Field<Value>>
            : T extends ReadonlySet<infer Value>
              ? Field<Value>[]
              : { [K in keyof T]: Field<T[K]> }

const isUnsendable = (value: unknown): boolean => typeof value === 'bigint' || value instanceof Date || value instanceof Map || value instanceof Set || ArrayBuffer.isView(value)

/** Throws `InvalidMessage` for what would arrive as something else. */
export function toJson(message: object): string {
  // A Date has a toJSON of its own, which runs first: `this[key]` is the value before it.
  return JSON.stringify(message, function (this: Record<string, unknown>, key, given: unknown) {
    if (!isUnsendable(this[key])) return given
    throw new TroupeError('InvalidMessage', `${key} cannot be sent as JSON`, 'send text, numbers, lists and objects; of large bytes send a ref to a blob', { field: key })
  })
}
