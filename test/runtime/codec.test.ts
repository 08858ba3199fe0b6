import { isDeepStrictEqual } from 'node:util'
import { decode } from '@msgpack/msgpack'
import * as fc from 'fast-check'
import { addExtension, Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { TroupeError } from '../../src/ground/errors.js'
import {
  compact, DEPTH_MAX, FORMAT_VERSION, isPrimitive, MESSAGE_BYTES_MAX, OBJECTS_MAX, pack, packEnvelope, unpack, unpackEnvelope, type WireHeader,
} from '../../src/runtime/codec.js'
import { emptyHeader, foreignCodec, golden, goldenValues, header } from './golden/messages.js'

const again = (value: unknown): unknown => unpack(pack(value))
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const hexOf = (packed: Uint8Array): string => Buffer.from(packed).toString('hex')

function failure(run: () => unknown): TroupeError {
  try {
    run()
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const nested = (levels: number): unknown => {
  let value: unknown = 'x'
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { in: value }
  return value
}

describe('golden bytes', () => {
  it('are what messages and envelopes become', () => {
    const packed = new Map(Object.entries(goldenValues).map(([name, value]) => [name, hexOf(pack(value))]))
    packed.set('envelope', hexOf(packEnvelope(header, pack({ say: 'hello' }))))
    packed.set('emptyEnvelope', hexOf(packEnvelope(emptyHeader, pack(undefined))))
    expect([...packed].map((entry) => entry.join(' = '))).toEqual([...golden].map((entry) => entry.join(' = ')))
  })

  it.each(Object.entries(goldenValues))('%s: become the message again, here and elsewhere', (name, value) => {
    const fixture = Uint8Array.from(bytes(golden.get(name)!))
    const elsewhere = decode(fixture, { extensionCodec: foreignCodec() })
    if (value instanceof TroupeError) {
      // Its cause arrives as one line of text.
      const arrived = TroupeError.fromData(value.toData())
      expect([unpack(fixture), elsewhere]).toStrictEqual([arrived, arrived])
      return
    }
    expect(unpack(fixture)).toStrictEqual(value)
    // Another class for the same error is no difference to a reader elsewhere.
    if (value instanceof Error) expect(elsewhere).toMatchObject({ name: value.name, message: value.message })
    else expect(elsewhere).toEqual(value)
  })

  it('of an envelope are an array that anyone can read', () => {
    const parts = decode(bytes(golden.get('envelope')!), { useBigInt64: false }) as unknown[]
    const { id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt } = header
    expect(parts.slice(0, 12)).toEqual([FORMAT_VERSION, id, to, from, type, correlation, cause, deadline, priority, trace, sequence, attempt])
    expect(decode(parts[12] as Uint8Array)).toEqual({ say: 'hello' })
  })
})

const scalars = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 90 }), fc.string({ unit: 'binary-ascii', maxLength: 300 }), fc.integer(), fc.double(), fc.maxSafeInteger(), fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN), fc.bigInt(), fc.bigInt({ min: -(2n ** 300n), max: 2n ** 300n }), fc.date({ noInvalidDate: true }),
)
const binary = fc.oneof(
  fc.uint8Array(), fc.int8Array(), fc.uint8ClampedArray(), fc.int16Array(), fc.uint16Array(), fc.int32Array(), fc.uint32Array(), fc.float32Array(), fc.float64Array(),
  fc.bigInt64Array(), fc.bigUint64Array(), fc.uint8Array().map((each) => each.slice().buffer), fc.uint8Array().map((each) => new DataView(each.slice().buffer)),
)
const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'toString', '0', 'length', ''))
const bodies = fc.letrec<{ body: unknown }>((tie) => ({
  body: fc.oneof(
    { maxDepth: 5, depthSize: 'small', withCrossShrink: true }, scalars, binary,
    fc.array(tie('body'), { maxLength: 20 }),
    fc.dictionary(keys, tie('body'), { noNullPrototype: true, maxKeys: 20 }),
    fc.array(fc.tuple(tie('body'), tie('body')), { maxLength: 6 }).map((entries) => new Map(entries)),
    fc.array(tie('body'), { maxLength: 6 }).map((items) => new Set(items)),
    fc.tuple(fc.constantFrom(Error, TypeError, RangeError), fc.string(), tie('body')).map(([Type, message, cause]) => new Type(message, { cause })),
    fc.tuple(fc.string(), fc.dictionary(fc.string(), tie('body'), { noNullPrototype: true }))
      .map(([text, details]) => new TroupeError('ActorFailed', text, text, details)),
    fc.constantFrom(/a/, /\/\p{L}+/giu),
  ),
})).body

describe('a message', () => {
  it('comes back the same, whatever is in it', () => {
    fc.assert(fc.property(bodies, (body) => {
      const back = again(body)
      if (!isDeepStrictEqual(back, body)) expect(back).toStrictEqual(body)
    }), { numRuns: 1500 })
  })

  it('keeps the cause, the details and the class of errors', () => {
    const back = again(new RangeError('far', { cause: new TroupeError('Gone', 'left', 'come back', { at: -0 }) })) as Error
    expect(back).toBeInstanceOf(RangeError)
    expect(back.cause).toBeInstanceOf(TroupeError)
    expect((back.cause as TroupeError).details).toStrictEqual({ at: -0 })
    expect(back.stack).toBe('RangeError: far')
    class Strange extends Error { override name = 'Strange' }
    expect(again(new Strange('x'))).toMatchObject({ name: 'Strange', message: 'x' })
    expect('cause' in (again(new Error('none')) as Error)).toBe(false)
    const troupeError = goldenValues['troupeError'] as TroupeError
    expect((again(troupeError) as TroupeError).toData()).toEqual(TroupeError.fromData(troupeError.toData()).toData())
  })

  it('turns a Buffer into a Uint8Array, holes into undefined, an object without prototype into one with', () => {
    for (const binary of [Buffer.from('abc'), Buffer.alloc(70_000, 1)]) {
      const back = again({ binary }) as { binary: Uint8Array }
      expect(Object.getPrototypeOf(back.binary)).toBe(Uint8Array.prototype)
      expect(back.binary).toEqual(Uint8Array.from(binary))
    }
    // oxlint-disable-next-line no-sparse-arrays -- that is the case
    expect(again([1, , 3])).toStrictEqual([1, undefined, 3])
    expect(again(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
  })

  it('keeps byte order marks, and replaces lone surrogates by U+FFFD', () => {
    for (const rest of ['', 'x', 'é'.repeat(100), 'x'.repeat(100)]) expect(again(`\uFEFF${rest}`)).toBe(`\uFEFF${rest}`)
    for (const fill of ['', 'x'.repeat(100)]) {
      expect(again([`a\uD83D${fill}`, { [`\uDE00${fill}`]: 1 }])).toStrictEqual([`a\uFFFD${fill}`, { [`\uFFFD${fill}`]: 1 }])
      expect(() => new TextDecoder('utf-8', { fatal: true }).decode(pack(`\uD83D${fill}`).subarray(fill === '' ? 1 : 2))).not.toThrow()
    }
  })

  it('may be large', () => {
    const wide = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i]))
    const values = [wide, Array.from({ length: 70_000 }, (_, i) => i), 'é'.repeat(70_000), new Float64Array(10_000), new Map(Object.entries(wide)), 2n ** 100_000n]
    for (const value of values) expect(isDeepStrictEqual(again(value), value)).toBe(true)
  })

  it('is read as others write it', () => {
    expect(unpack(bytes('cf 0000018bcfe56800'))).toBe(1_700_000_000_000)
    expect(unpack(bytes('d3 fffffe74301a9800'))).toBe(-1_700_000_000_000)
    expect(unpack(bytes('cf ffffffffffffffff'))).toBe(2n ** 64n - 1n)
    expect(unpack(bytes('ca 3fc00000'))).toBe(1.5)
    expect(unpack(bytes('82 01 a161 a162 c2'))).toStrictEqual({ 1: 'a', b: false })
    expect(unpack(bytes('d9 01 ff'))).toBe('\uFFFD')
    expect(unpack(new Uint8Array([0x93, 1, 2, 3]))).toStrictEqual([1, 2, 3])
  })

  it('has harmless keys', () => {
    const evil = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toJSON":1}') as object
    const back = again([evil, new Map([['__proto__', evil]]), -0]) as [object]
    expect(Object.getPrototypeOf(back[0])).toBe(Object.prototype)
    expect(Object.keys(back[0])).toEqual(Object.keys(evil))
    expect(Object.hasOwn(back[0], '__proto__')).toBe(true)
    expect('polluted' in {} || 'polluted' in back[0]).toBe(false)
  })
})

describe('what cannot be sent', () => {
  class Account { balance = 1; deposit(): void {} }
  const cyclic: Record<string, unknown> = { name: 'loop' }
  cyclic['self'] = [cyclic]
  const unsendable: [string, unknown, RegExp][] = [
    ['a function', () => 1, /^functions cannot be sent$/],
    ['a method', { order: { items: [{ run() {} }] } }, /functions cannot be sent, at "order\.items\.0\.run"/],
    ['a function in a map', new Map([['k', () => 1]]), /functions cannot be sent, at "k"/],
    ['a symbol', { a: Symbol('s') }, /symbols cannot be sent, at "a"/],
    ['an instance', { a: new Account() }, /an instance of Account cannot be sent, at "a"/],
    ['a URL', [new URL('http://a')], /an instance of URL cannot be sent, at "0"/],
    ['a promise', [Promise.resolve()], /an instance of Promise/],
    ['an invalid date', { at: new Date(Number.NaN) }, /an invalid Date cannot be sent, at "at"/],
    ['a cycle', cyclic, /contains itself/],
    ['an error that is its own cause', (() => { const e = new Error('x'); e.cause = e; return e })(), /contains itself/],
    ['a level too many', nested(DEPTH_MAX + 1), /deeper than 128 levels/],
    ['100,000 levels', nested(100_000), /deeper than 128 levels/],
    ['shared memory', new SharedArrayBuffer(1), /SharedArrayBuffer/],
  ]
  it.each(unsendable)('%s', (_, value, message) => {
    const error = failure(() => pack(value))
    expect([error.code, error.message]).toEqual(['InvalidMessage', expect.stringMatching(message)])
  })

  it('is too large, without the memory for it being taken', () => {
    let doubling: unknown = ['x']
    for (let i = 0; i < 64; i++) doubling = [doubling, doubling]
    const blob = new Uint8Array(2 ** 20)
    const withBlobs: Record<string, unknown> = { blob }
    withBlobs['self'] = withBlobs
    const many = Array.from({ length: OBJECTS_MAX }, () => 0).map(() => [])
    const large = ['x'.repeat(MESSAGE_BYTES_MAX), new Uint8Array(MESSAGE_BYTES_MAX), new Float64Array(MESSAGE_BYTES_MAX / 8), doubling, withBlobs, many,
      Array.from({ length: 4 }), 'é'.repeat(MESSAGE_BYTES_MAX / 2)]
    ;(large[6] as unknown[]).length = 2 ** 31
    for (const value of large) expect(failure(() => pack(value)).code).toBe('InvalidMessage')
    expect(pack('x'.repeat(MESSAGE_BYTES_MAX - 5))).toHaveLength(MESSAGE_BYTES_MAX)
    expect(pack('small').buffer.byteLength).toBeLessThan(10_000)
    expect(again(nested(DEPTH_MAX))).toStrictEqual(nested(DEPTH_MAX))
  })

  it('leaves the packer in order', () => {
    const good = { a: [1, 'two', new Date(3)], m: new Map([[1, -0]]) }
    const expected = hexOf(pack(good))
    const throwing = { a: 'x'.repeat(9_000), get b(): unknown { throw new Error('no') } }
    let turn = 0
    const fickle = { get b(): unknown { return turn++ % 2 === 0 ? 1 : () => 1 } }
    const held: [Uint8Array, string][] = []
    for (let i = 0; i < 200; i++) {
      for (const bad of [throwing, fickle, ...unsendable.slice(0, 10).map(([, value]) => value)]) expect(failure(() => pack(bad)).code).toBe('InvalidMessage')
      expect(failure(() => unpack(bytes('92 81 a1 61')))).toMatchObject({ code: 'InvalidMessage' })
      const packed = pack(good)
      held.push([packed, expected])
      expect(hexOf(packed)).toBe(expected)
    }
    for (const [packed, hex] of held) expect(hexOf(packed)).toBe(hex)
  })

  it('may pack in the middle of a pack', () => {
    const inner: Uint8Array[] = []
    const outer = { first: 'x'.repeat(3_000), get second(): string { inner.push(pack({ large: 'y'.repeat(20_000), m: new Map() })); return 'here' }, third: 'end' }
    for (let i = 0; i < 50; i++) expect(again(outer)).toStrictEqual({ first: outer.first, second: 'here', third: 'end' })
    for (const packed of inner) expect(unpack(packed)).toStrictEqual({ large: 'y'.repeat(20_000), m: new Map() })
  })
})

describe('packed bytes', () => {
  it('are never overwritten', () => {
    const sizes = [1, 20, 300, 5_000, 9_000, 100_000, 3]
    const held = Array.from({ length: 700 }, (_, i) => ({ text: `${i}`.repeat(sizes[i % sizes.length]!) })).map((value) => [value, pack(value)] as const)
    for (const [value, packed] of held) expect(isDeepStrictEqual(unpack(packed), value)).toBe(true)
  })

  it('share no memory with what is read from them', () => {
    for (const value of [new Uint8Array([1, 2, 3]), new Float64Array([1, 2]), new Uint8Array([4]).buffer]) {
      const packed = pack(value)
      const one = unpack(packed) as ArrayBufferView
      packed.fill(0xff)
      expect(one).toStrictEqual(value)
    }
    const packed = pack({ b: new Uint8Array([1, 2]), l: [1] })
    const [one, two] = [unpack(packed), unpack(packed)] as { b: Uint8Array; l: number[] }[]
    one!.b[0] = 9
    one!.l.push(2)
    expect(two).toStrictEqual({ b: new Uint8Array([1, 2]), l: [1] })
    expect(one!.b.buffer.byteLength).toBe(2)
  })

  it('can be made compact', () => {
    const packed = pack({ a: 1 })
    const own = compact(packed)
    expect(own).toEqual(packed)
    expect(own.buffer.byteLength).toBe(own.length)
    expect(compact(own)).toBe(own)
  })

  it('hold after extensions were registered by others', () => {
    addExtension({ type: 0x4d, unpack: () => 'not a map' })
    expect(again(new Map([[1, 2]]))).toStrictEqual(new Map([[1, 2]]))
  })
})

describe('bytes from outside', () => {
  /** Seconds of work, whatever else the machine does: bytes that cost more than their length are found, a busy machine is not. */
  const worked = (since: NodeJS.CpuUsage): number => process.cpuUsage(since).user / 1e6
  const bad: [string, Buffer][] = [
    ['nothing', bytes('')], ['cut text', bytes('a5 6162')], ['cut number', bytes('cb 0000')], ['cut array', bytes('93 01')], ['cut extension', bytes('c7 05')],
    ['more than a value', bytes('01 02')], ['0xC1', bytes('c1')], ['0xC1 inside', bytes('91 c1')], ['an array of 4 billion', bytes('dd ffffffff')],
    ['a map of 4 billion', bytes('df ffffffff 00')], ['text of 4 billion', bytes('db ffffffff 61')], ['binary of 4 billion', bytes('c6 ffffffff 00')],
    ['an extension of 4 billion', bytes('c9 ffffffff 4d 00')], ['a record definition', bytes('d4 72 40 91 a161 01')], ['a wide record definition', bytes('d5 72 40 00 91 a161 01')],
    ['a bundle', bytes('d6 62 00000001 a0 a0')], ['a pointer', bytes('d6 70 00000001')], ['an unknown extension', bytes('d4 01 00')], ['a map with a key too many', bytes('c7 02 4d 91 01')],
    ['a map of text', bytes('d5 4d a1 61')], ['an extension longer than its value', bytes('c7 03 53 91 01 01')], ['an extension shorter than its value', bytes('d4 53 92 01 01')],
    ['half a float64 array', bytes('c7 04 74 08 000000')], ['an unknown binary', bytes('d5 74 63 00')], ['an empty binary', bytes('c7 00 74')], ['an empty bigint', bytes('c7 00 42')],
    ['a time of one byte', bytes('d4 ff ff')], ['a time beyond time', bytes('c7 0c ff 00000000 7fffffffffffffff')], ['a time with too many nanoseconds', bytes('d7 ff ffffffff 00000000')],
    ['an error of numbers', bytes('c7 03 45 92 01 02')], ['a Troupe error of nothing', bytes('d4 54 90')], ['a broken pattern', bytes('c7 04 58 92 a1 28 a0')],
    ['a key that is a map', bytes('81 80 01')], ['an extension within an extension without end', bytes('d8 4d d7 4d d6 4d d5 4d d4 4d 00 00 00 00 00 00 00')],
    ['200,000 levels of arrays', Buffer.alloc(200_000, 0x91)], ['200,000 levels of maps', Buffer.alloc(400_000, '81c0', 'hex')],
    ['arrays that each promise all', Buffer.concat([Buffer.alloc(5 * 120, 'dd00ffffff', 'hex'), Buffer.alloc(1_000_000)])],
    ['too many bytes', Buffer.alloc(MESSAGE_BYTES_MAX + 1)], ['two million objects', Buffer.concat([bytes('dd 001e8480'), Buffer.alloc(2_000_000, 0x80)])],
    ['two million binaries', Buffer.concat([bytes('dd 001e8480'), Buffer.alloc(4_000_000, 'c400', 'hex')])],
  ]
  it.each(bad)('%s', (_, value) => {
    const before = process.memoryUsage.rss()
    const started = process.cpuUsage()
    expect(failure(() => unpack(value)).code).toBe('InvalidMessage')
    expect(failure(() => unpackEnvelope(value)).code).toBe('InvalidMessage')
    expect(worked(started)).toBeLessThan(10)
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 2 ** 20)
    expect(again({ still: 'fine' })).toEqual({ still: 'fine' })
  })

  it('that are no bytes', () => {
    for (const value of [undefined, null, 'text', {}, [1], new ArrayBuffer(1)]) expect(failure(() => unpack(value as Uint8Array)).code).toBe('InvalidMessage')
  })

  it('of every kind give a value or InvalidMessage, soon', () => {
    const seeds = [...golden.values()].map(bytes)
    const mutated = fc
      .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }), fc.nat({ max: 3 }))
      .map(([seed, changes, cut]) => {
        const copy = Buffer.from(seed)
        for (const [at, byte] of changes) copy[at % copy.length] = byte
        return copy.subarray(0, copy.length - cut)
      })
    const records = new Packr({ structuredClone: true }).pack([{ a: 1 }, { a: 2 }, new Map()])
    const tried = (value: Uint8Array): void => {
      const started = process.cpuUsage()
      for (const read of [unpack, unpackEnvelope])
        try {
          read(value)
        } catch (error) {
          if (!(error instanceof TroupeError) || !['InvalidMessage', 'Incompatible'].includes(error.code)) throw error
        }
      expect(worked(started)).toBeLessThan(5)
    }
    tried(records)
    fc.assert(fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), tried), { numRuns: 20_000 })
    expect('polluted' in {}).toBe(false)
  })
})

describe('an envelope', () => {
  it('comes back as header and packed body', () => {
    const numbers = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constant(0))
    const headers = fc.record<WireHeader>({
      id: numbers, to: fc.string(), from: fc.string(), type: fc.string({ unit: 'grapheme' }), correlation: numbers, cause: numbers, deadline: numbers,
      priority: fc.nat({ max: 2 }), trace: numbers, sequence: numbers, attempt: fc.nat(),
    }, { noNullPrototype: true })
    fc.assert(fc.property(headers, bodies, (each, body) => {
      const back = unpackEnvelope(packEnvelope(each, pack(body)))
      expect(back.header).toStrictEqual(each)
      if (!isDeepStrictEqual(unpack(back.body), body)) expect(unpack(back.body)).toStrictEqual(body)
    }), { numRuns: 300 })
  })

  it('is read without a look at the body', () => {
    const garbage = new Uint8Array([0xc1, 0xc1])
    const packed = packEnvelope(header, garbage)
    const { body } = unpackEnvelope(Uint8Array.from(packed))
    expect(Uint8Array.from(body)).toEqual(garbage)
    expect(failure(() => unpack(body)).code).toBe('InvalidMessage')
  })

  it('of the largest body fits, of a larger one does not', () => {
    const body = new Uint8Array(MESSAGE_BYTES_MAX)
    expect(unpackEnvelope(packEnvelope(header, body)).body).toHaveLength(MESSAGE_BYTES_MAX)
    expect(failure(() => packEnvelope(header, new Uint8Array(MESSAGE_BYTES_MAX + 1))).code).toBe('InvalidMessage')
  })

  it('of a later version is Incompatible, whatever else it holds', () => {
    for (const hex of ['91 02', '92 cd0100 81a16101', '9d 02 c1']) {
      const error = failure(() => unpackEnvelope(bytes(hex)))
      expect([error.code, error.hint]).toEqual(['Incompatible', expect.stringMatching(/upgrade/i)])
    }
  })

  it('that is malformed is InvalidMessage', () => {
    const good = golden.get('emptyEnvelope')!
    for (const hex of ['80', '90', '91 00', '91 01', '91 a161', 'dd ffffffff 01', good.slice(0, -2), `${good}00`, good.replace('9d01', '9c01'), good.replace('9d0101', '9d01a0'), good.replace('9d0101a0', '9d010101')])
      expect(failure(() => unpackEnvelope(bytes(hex))).code, hex).toBe('InvalidMessage')
  })
})

it('knows what needs no packing', () => {
  expect([null, undefined, true, 1, 'a', 1n].every(isPrimitive)).toBe(true)
  expect([{}, [], new Date(0), () => 1, Symbol('s')].some(isPrimitive)).toBe(false)
})
