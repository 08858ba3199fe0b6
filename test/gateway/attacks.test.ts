// What somebody tries who means no good: over raw sockets, since no library of theirs would help them.
import { afterEach, describe, expect, test } from 'vitest'
import { Gateway, type Face, type GatewayOptions } from 'troupe/actors'
import { open, raw, type Stage } from './shop.js'

let stage: Stage
afterEach(() => stage.troupe.stop())

const KEY = 'the-key-of-somebody-here'
const keys: GatewayOptions['keys'] = [{ name: 'somebody', key: KEY, may: '*', rate: { perSecond: 1, burst: 2 } }]
const add = '{"type":"add","a":1,"b":2}'
const head = (lines: readonly string[]): string => ['POST /actors/counter HTTP/1.1', 'host: localhost', ...lines, '', ''].join('\r\n')
const posted = (body: string, ...lines: string[]): string => head(['content-type: application/json', `content-length: ${Buffer.byteLength(body)}`, 'connection: close', ...lines]) + body
const sent = (text: string): Promise<string> => raw(stage.port, text).answer
const statusIn = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1])
const status = async (text: string): Promise<number> => statusIn(await sent(text))

describe('who comes', () => {
  test('reaches nothing behind an open page by a path that is cut elsewhere than it is looked up', async () => {
    const page: Face = { routes: () => [{ method: 'GET', path: '/*', open: true, handle: () => ({ kind: 'text', type: 'text/plain', text: 'a page' }) }] }
    stage = await open({ keys, faces: [page] })
    const get = (path: string): Promise<string> => sent(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)
    expect(await get('/about')).toContain('a page')
    for (const path of ['/metrics', '/metrics#a', '/metrics#/../about', '/openapi.json#', '/metrics?#', '/%6detrics', 'http://localhost/metrics', '/actors/counter#']) {
      const answer = await get(path)
      expect([path, answer.includes('troupe_gateway'), answer.includes('openapi')]).toEqual([path, false, false])
    }
    expect(statusIn(await get('/metrics#a'))).toBe(401)
  })

  test('cannot be somebody else by a header sent twice, nor come more often by an address that is claimed', async () => {
    stage = await open({ keys })
    expect(await status(posted(add, 'authorization: Bearer nobody-has-this-key', `authorization: Bearer ${KEY}`))).toBe(401)
    expect(await status(posted(add, `x-api-key: ${KEY}`, 'x-api-key: another'))).toBe(401)
    const claims = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((from) => [`x-forwarded-for: ${from}`, `forwarded: for=${from}`, `x-real-ip: ${from}`])
    const statuses: number[] = []
    for (const claim of claims) statuses.push(await status(posted(add, `authorization: Bearer ${KEY}`, ...claim)))
    expect(statuses).toEqual([200, 200, 429])
    const audited = await stage.troupe.ref(Gateway, 'gateway').ask({ type: 'audited' })
    expect(new Set(audited.map(({ remote }) => remote))).toEqual(new Set(['127.0.0.1']))
  })

  test('learns nothing of what is here without a key, not even by asking for another protocol or waiting to be asked', async () => {
    stage = await open({ keys })
    const upgrade = ['connection: upgrade', 'upgrade: h2c']
    for (const path of ['/actors/counter', '/actors/nobody', '/metrics', '/nowhere', '/%zz']) {
      expect([path, await status(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)]).toEqual([path, 401])
      expect([path, await status([`GET ${path} HTTP/1.1`, 'host: localhost', ...upgrade, '', ''].join('\r\n'))]).toEqual([path, 401])
    }
    expect(await status(head(['content-type: application/json', 'content-length: 26', ...upgrade]) + add)).toBe(401)
    const { answer } = raw(stage.port, head(['content-type: application/json', 'content-length: 26', 'expect: 100-continue']), { keepOpen: true })
    expect(await answer).toMatch(/^HTTP\/1\.1 401 /)
  })

  test('with a key, too, is served by no other protocol than it offers', async () => {
    stage = await open({ keys })
    const answer = await sent(['GET /openapi.json HTTP/1.1', 'host: localhost', 'connection: upgrade', 'upgrade: h2c', `authorization: Bearer ${KEY}`, '', ''].join('\r\n'))
    expect([statusIn(answer), answer.includes('paths')]).toEqual([404, false])
  })
})

describe('a body', () => {
  test('may come in pieces, and is asked for when its sender wants that', async () => {
    stage = await open()
    const whole = posted('{"type":"note","text":"à la carte"}')
    const bytes = Buffer.from(whole)
    const at = bytes.indexOf(0xc3) + 1
    const { socket, answer } = raw(stage.port, '', { keepOpen: true })
    for (const piece of [bytes.subarray(0, at), bytes.subarray(at)]) {
      socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await answer).toMatch(/^HTTP\/1\.1 202 /)
    expect(await (await stage.post('/actors/counter', { type: 'notes' })).json()).toEqual(['à la carte'])
    const asking = raw(stage.port, head(['content-type: application/json', `content-length: ${add.length}`, 'connection: close', 'expect: 100-continue']), { keepOpen: true })
    await new Promise((resolve) => asking.socket.once('data', resolve))
    asking.socket.write(add)
    expect(await asking.answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  })

  test('that breaks off is forgotten, and told in the audit log', async () => {
    const noted: unknown[] = []
    let heard = (): void => {}
    const first = new Promise<void>((resolve) => (heard = resolve))
    stage = await open({ audit: ({ status, code }) => (noted.push([status, code]), heard()) })
    const { socket } = raw(stage.port, head(['content-type: application/json', 'content-length: 26']) + '{"type":', { keepOpen: true })
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.destroy()
    await first
    expect(noted).toEqual([[400, 'InvalidMessage']])
    expect(await (await stage.get('/metrics')).text()).toMatch(/^troupe_gateway_in_flight 1$/m)
  })

  test.each([
    ['two lengths', ['content-type: application/json', 'content-length: 26', 'content-length: 3', 'connection: close'], add],
    ['a length and chunks', ['content-type: application/json', 'content-length: 26', 'transfer-encoding: chunked', 'connection: close'], add],
    ['chunks that are none', ['content-type: application/json', 'transfer-encoding: chunked', 'connection: close'], 'zz\r\n'],
    ['a length that is none', ['content-type: application/json', 'content-length: 1e1', 'connection: close'], add],
    ['packed bytes', ['content-type: application/json', 'content-encoding: gzip', 'content-length: 4', 'connection: close'], '\u001f\u008b\u0008\u0000'],
  ])('with %s is refused', async (_, lines, body) => {
    stage = await open()
    expect(await status(head(lines) + body)).toBe(400)
  })

  test('in chunks is read like any other, and no further than it may be long', async () => {
    stage = await open({ limits: { bodyBytes: 100 } })
    const chunked = ['content-type: application/json', 'transfer-encoding: chunked', 'connection: close']
    expect(await status(`${head(chunked)}1a\r\n${add}\r\n0\r\n\r\n`)).toBe(200)
    expect(await status(`${head(chunked)}c8\r\n${' '.repeat(200)}\r\n`)).toBe(413)
    expect(await status(posted(' '.repeat(101)))).toBe(413)
  })

  test('changes no prototype, wherever its keys stand', async () => {
    stage = await open()
    const poisoned = ['{"type":"add","a":1,"b":2,"__proto__":{"polluted":1}}', '{"type":"note","text":"x","deep":[{"constructor":{"prototype":{"polluted":1}}}]}']
    for (const body of poisoned) expect(await status(posted(body))).toBe(400)
    expect('polluted' in {}).toBe(false)
  })
})

test('an address with the end of a line in it makes no header and no event', async () => {
  stage = await open()
  for (const key of ['a%0d%0aset-cookie:%20x=1', 'a%0a%0adata:%20x', '..%2f..%2fvault', '%2e%2e', 'a%00']) {
    const answer = await sent(`POST /actors/pet/${key} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{"type":"name"}`)
    expect([key, /^(set-cookie|data):/im.test(answer), answer.includes('gold')]).toEqual([key, false, false])
  }
})

describe('a WebSocket', () => {
  const handshake = (...more: string[]): string => ['GET /actors/counter HTTP/1.1', 'host: localhost', 'connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-protocol: troupe.v1', ...more, '', ''].join('\r\n')
  /** A masked frame; a mask of zeros leaves the bytes as they are. */
  const frame = (first: number, payload: string, announced = payload.length): Buffer => {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(announced))
    return Buffer.concat([Buffer.from([first, 0xff]), length, Buffer.alloc(4), Buffer.from(payload)])
  }
  const FIN_TEXT = 0x81
  const TEXT = 0x01
  const CONTINUED = 0x00

  test.each([
    ['announces more than may come', [frame(FIN_TEXT, 'x', 2 ** 40)]],
    ['comes in parts that are too large together', [frame(TEXT, 'x'.repeat(600)), frame(CONTINUED, 'x'.repeat(600))]],
  ])('frame that %s ends the conversation', async (_, frames) => {
    stage = await open({ limits: { bodyBytes: 1_000 } })
    const { socket, answer } = raw(stage.port, handshake('sec-websocket-extensions: permessage-deflate'), { keepOpen: true })
    const greeting = await new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())))
    // What is not unpacked cannot swell.
    expect([greeting.startsWith('HTTP/1.1 101 '), /extensions/i.test(greeting)]).toEqual([true, false])
    const last = new Promise<Buffer>((resolve) => socket.once('data', resolve))
    for (const each of frames) socket.write(each)
    // A close frame with the code 1009.
    expect((await last).subarray(0, 4)).toEqual(Buffer.from([0x88, 0x02, 0x03, 0xf1]))
    socket.end()
    await answer
  })
})
