import { readFileSync } from 'node:fs'
import { decode, ExtensionCodec } from '@msgpack/msgpack'
import { TroupeError } from '../../../src/ground/errors.js'
import type { WireHeader } from '../../../src/runtime/codec.js'

export const header: WireHeader = {
  id: 4_294_967_296, to: 'dialogue/conv-42', from: 'gateway', type: 'say', correlation: 7, cause: 6,
  deadline: 1_700_000_030_000, priority: 1, trace: 5, sequence: 128, attempt: 0,
}
export const emptyHeader: WireHeader = {
  id: 1, to: '', from: '', type: '', correlation: 0, cause: 0, deadline: 0, priority: 0, trace: 0, sequence: 0, attempt: 0,
}

/** What the lines of messages.txt stand for, by name. */
export const goldenValues: Record<string, unknown> = {
  ping: { type: 'ping', id: 1, text: 'hello world', n: 42 },
  scalars: [null, true, false, 0, 127, 128, 255, 65_536, 4_294_967_296, -1, -33, -32_769, 1.5],
  floats: [-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  text: ['', 'a', 'Grüße 我购买的商品 😀', 'x'.repeat(40)],
  undefineds: { absent: undefined, list: [undefined, null] },
  binary: new Uint8Array([0, 1, 254, 255]),
  typed: [new Float32Array([1.5, -2]), new BigInt64Array([-1n]), new Uint8Array([7]).buffer, new DataView(new Uint8Array([8, 9]).buffer)],
  dates: [new Date(0), new Date(1_700_000_000_000), new Date(1_700_000_000_123), new Date(-1)],
  map: new Map<unknown, unknown>([['a', 1], [{ k: 2 }, new Map([[3, 'three']])]]),
  set: new Set<unknown>([1, 'two', new Set([3n])]),
  bigints: [0n, 127n, 128n, -128n, -129n, 2n ** 64n, -(2n ** 64n)],
  error: new TypeError('no such thing', { cause: new Error('deeper') }),
  troupeError: new TroupeError('Overloaded', 'the mailbox is full', 'retry later', { retryAfterMs: 50 }, new Error('why')),
  regexp: /^a+$/giu,
}

/** The lines of messages.txt: name and hex. */
export const golden = new Map(
  readFileSync(new URL('./messages.txt', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' = ') as [string, string]),
)

/** What someone who reads docs/messagepack.md would write. */
export function foreignCodec(): ExtensionCodec {
  const extensionCodec = new ExtensionCodec()
  const inside = (data: Uint8Array): unknown[] => decode(data, { extensionCodec }) as unknown[]
  const on = (type: number, read: (data: Uint8Array) => unknown): void =>
    extensionCodec.register({ type, encode: () => null, decode: (data) => read(Uint8Array.from(data)) })
  on(0x00, () => undefined)
  on(0x42, (data) => BigInt.asIntN(data.length * 8, BigInt(`0x${Buffer.from(data).toString('hex')}`)))
  on(0x45, (data) => {
    const [name, message, cause] = inside(data) as [string, string, unknown]
    return Object.assign(cause === undefined ? new Error(message) : new Error(message, { cause }), { name })
  })
  on(0x4d, (data) => {
    const flat = inside(data)
    return new Map(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]))
  })
  on(0x53, (data) => new Set(inside(data)))
  on(0x54, (data) => {
    const [code, message, hint, details, cause] = inside(data) as ['Overloaded', string, string, Record<string, unknown>, string]
    return new TroupeError(code, message, hint, details, cause)
  })
  on(0x58, (data) => {
    const [pattern, flags] = inside(data) as [string, string]
    return new RegExp(pattern, flags)
  })
  on(0x74, (data) => {
    const { buffer } = data.slice(1)
    const kinds: Record<number, () => unknown> = {
      7: () => new Float32Array(buffer), 9: () => new BigInt64Array(buffer), 16: () => buffer, 17: () => new DataView(buffer),
    }
    return kinds[data[0]!]!()
  })
  return extensionCodec
}
