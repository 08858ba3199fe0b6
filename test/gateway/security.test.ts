// Who is let in, to what, how often; and what browsers are kept from doing.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { WebSocket } from 'ws'

import { gateway, Gateway, type GatewayOptions, type Route } from 'troupe/actors'
import { client } from 'troupe/client'
import { virtualClock } from 'troupe/testing'
import { Counter, open, raw, type Stage } from './shop.js'

let stage: Stage
afterEach(() => stage.troupe.stop())

const ADDER = 'the-key-that-may-add'
const OWNER = 'the-key-that-may-everything'
const keys: GatewayOptions['keys'] = [
  { name: 'adder', key: ADDER, may: { counter: ['add', 'count'] } },
  { name: 'owner', hash: createHash('sha256').update(OWNER).digest('hex'), may: '*' },
  { name: 'keeper', key: 'the-key-of-the-keeper', may: { 'pet/rex': '*', '/metrics': ['read'] } },
]
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` })
const codeOf = async (response: Response): Promise<unknown> => [response.status, ((await response.json()) as { code: string }).code]

describe('a key', () => {
  test('is needed for all but the probes', async () => {
    stage = await open({ keys })
    for (const headers of [{}, bearer('nobody-has-this-key'), bearer('a.b.c'), { authorization: `Basic ${ADDER}` }, bearer('x'.repeat(9_000))]) {
      const refused = await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 }, headers)
      expect([refused.headers.get('www-authenticate'), await codeOf(refused)]).toEqual(['Bearer', [401, 'Unauthorized']])
    }
    for (const path of ['/metrics', '/openapi.json', '/nowhere']) expect((await stage.get(path)).status).toBe(401)
    expect([(await stage.get('/healthz')).status, (await stage.get('/readyz')).status]).toEqual([200, 200])
    expect((await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 }, { 'x-api-key': ADDER })).status).toBe(200)
  })

  test('is not needed for the open routes of a face, and for no other beside or below them', async () => {
    const route = (path: string, open: boolean): Route => ({ method: 'GET', path, open, handle: (call) => ({ kind: 'json', status: 200, body: call.rest }) })
    stage = await open({ keys, faces: [{ routes: () => [route('/pages/*', true), route('/pages/secret', false), route('/pages/inner/*', false), route('/page', true)] }] })
    const statuses = async (...paths: string[]): Promise<number[]> => Promise.all(paths.map(async (path) => (await stage.get(path)).status))
    expect(await statuses('/page', '/pages/a.html', '/pages/a/b', '/pages/')).toEqual([200, 200, 200, 200])
    expect(await statuses('/pages/secret', '/pages/%73ecret', '/pages/inner/a', '/pages/%69nner/a', '/pages', '/page/a', '/pages/..%2fmetrics')).toEqual(Array.from({ length: 7 }, () => 401))
    expect((await stage.post('/pages/a.html', {})).status).toBe(401)
  })

  test('reaches what its scope names, and is shown no more', async () => {
    stage = await open({ keys })
    const status = async (key: string, path: string, body: unknown): Promise<number> => (await stage.post(path, body, bearer(key))).status
    expect(await status(ADDER, '/actors/counter', { type: 'add', a: 1, b: 2 })).toBe(200)
    expect(await status(ADDER, '/actors/counter', { type: 'note', text: 'x' })).toBe(403)
    expect(await status(ADDER, '/actors/pet/rex', { type: 'name' })).toBe(403)
    expect(await status('the-key-of-the-keeper', '/actors/pet/rex', { type: 'name' })).toBe(200)
    expect(await status('the-key-of-the-keeper', '/actors/pet/bello', { type: 'name' })).toBe(403)
    expect(await status(OWNER, '/actors/pet/bello', { type: 'name' })).toBe(200)
    const seen = (key: string): Promise<Response> => stage.get('/openapi.json', { headers: bearer(key) })
    const document = (await (await seen(ADDER)).json()) as { paths: object }
    expect(Object.keys(document.paths)).toEqual(['/actors/counter'])
    expect(JSON.stringify(document)).not.toContain('notes')
    expect([(await stage.get('/metrics', { headers: bearer(ADDER) })).status, (await stage.get('/metrics', { headers: bearer('the-key-of-the-keeper') })).status]).toEqual([403, 200])
  })

  test('is refused before the body is sent', async () => {
    stage = await open({ keys })
    // A million bytes are announced and none comes: whoever waited for them would wait for ever.
    const { answer } = raw(stage.port, 'POST /actors/counter HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n', { keepOpen: true })
    expect(await answer).toMatch(/^HTTP\/1.1 401 /)
  })

  test('may come so often, and is told when again', async () => {
    const clock = virtualClock()
    stage = await open({ clock, keys: [{ name: 'slow', key: ADDER, may: '*', rate: { perSecond: 1, burst: 2 } }] })
    const add = (): Promise<Response> => stage.post('/actors/counter', { type: 'add', a: 1, b: 2 }, bearer(ADDER))
    expect([(await add()).status, (await add()).status]).toEqual([200, 200])
    const refused = await add()
    expect([refused.headers.get('retry-after'), await codeOf(refused)]).toEqual(['1', [429, 'Overloaded']])
    await clock.advance('1s')
    expect([(await add()).status, (await add()).status]).toEqual([200, 429])
    const audited = await stage.troupe.ref(Gateway, 'gateway').ask({ type: 'audited' })
    expect(audited.map(({ who, status }) => [who, status])).toEqual([['slow', 200], ['slow', 200], ['slow', 429], ['slow', 200], ['slow', 429]])
  })

  test('of another cannot take a stream over', async () => {
    stage = await open({ keys })
    const response = await stage.post('/actors/counter', { type: 'count', to: 1_000_000 }, { ...bearer(ADDER), 'troupe-resumable': 'yes' })
    const text = Buffer.from((await response.body?.getReader().read())?.value as Uint8Array).toString()
    const id = /^id: (.*)$/m.exec(text)?.[1] ?? ''
    expect(await codeOf(await stage.post('/actors/counter', { type: 'count', to: 1_000_000 }, { ...bearer(OWNER), 'last-event-id': id }))).toEqual([410, 'Gone'])
  })

  test('opens a conversation, and there too reaches only its scope', async () => {
    stage = await open({ keys })
    const webSocket = (url: string, protocols: string[]) => new WebSocket(url, protocols)
    const url = `${stage.url}/actors/counter`
    const talk = await client(Counter, url, { key: ADDER, webSocket }).converse()
    expect(await talk.ask({ type: 'add', a: 1, b: 2 })).toBe(3)
    await expect(talk.tell({ type: 'note', text: 'x' })).rejects.toMatchObject({ code: 'Unauthorized' })
    talk.close()
    await expect(client(Counter, url, { webSocket }).converse()).rejects.toMatchObject({ code: 'Interrupted' })
  })

  test.each([
    ['short', { name: 'a', key: 'short', may: '*' }],
    ['no key at all', { name: 'a', may: '*' }],
    ['a hash that is none', { name: 'a', hash: 'abc', may: '*' }],
    ['a rate at which nobody comes', { name: 'a', key: ADDER, may: '*', rate: { perSecond: 0, burst: 1 } }],
  ] as const)('that is %s is a mistake in the definition', async (_, key) => {
    stage = await open()
    expect(() => gateway(stage.troupe, { actors: {}, keys: [key] })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }) as Error)
  })
})

describe('a signed token', () => {
  const secret = 'a secret of thirty-two characters'
  const may = ({ role }: Readonly<Record<string, unknown>>) => (role === 'admin' ? '*' : { counter: ['add'] })
  const signed = (claims: Record<string, unknown>, until = '2m', key: string = secret): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setSubject('ada').setIssuer('desk').setExpirationTime(until).sign(new TextEncoder().encode(key))
  const status = async (token: string, body: unknown = { type: 'add', a: 1, b: 2 }): Promise<number> => (await stage.post('/actors/counter', body, bearer(token))).status

  test('tells who it is and what they may do', async () => {
    stage = await open({ tokens: { secret, issuer: 'desk', may } })
    expect(await status(await signed({}))).toBe(200)
    expect(await status(await signed({}), { type: 'notes' })).toBe(403)
    expect(await status(await signed({ role: 'admin' }), { type: 'notes' })).toBe(200)
    const [first] = await stage.troupe.ref(Gateway, 'gateway').ask({ type: 'audited' })
    expect(first?.who).toBe('sub:ada')
  })

  test('is told from a key that looks like one', async () => {
    const dotted = 'a-key.with-two.dots-in-it'
    stage = await open({ tokens: { secret, may: () => '*' }, keys: [{ name: 'dotted', key: dotted, may: '*' }] })
    expect([await status(dotted), await status(await signed({})), await status('a-key.with-two.other-dots')]).toEqual([200, 200, 401])
  })

  test('opens a conversation until it expires', async () => {
    const clock = virtualClock()
    stage = await open({ clock, tokens: { secret, may: () => '*' } })
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('ada').setExpirationTime(new Date(clock.now() + 60_000)).sign(new TextEncoder().encode(secret))
    const talk = await client(Counter, `${stage.url}/actors/counter`, { key: token, webSocket: (url, protocols) => new WebSocket(url, protocols) }).converse()
    expect(await talk.ask({ type: 'add', a: 1, b: 2 })).toBe(3)
    await clock.advance('61s')
    await expect(talk.ask({ type: 'add', a: 1, b: 2 })).rejects.toMatchObject({ code: 'Unauthorized' })
    talk.close()
  })

  test('is worth nothing when it is forged, expired, of another issuer, or without a signature', async () => {
    stage = await open({ tokens: { secret, issuer: 'desk', may } })
    const good = await signed({})
    const [head, body, signature] = good.split('.') as [string, string, string]
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    for (const bad of [await signed({}, '-1m'), await signed({}, '2m', 'another secret of 32 characters!!'), `${none}.${body}.`, `${none}.${body}.${signature}`, `${head}.${body}.${signature.slice(1)}`]) expect(await status(bad)).toBe(401)
    const stranger = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).setSubject('ada').setIssuer('elsewhere').setExpirationTime('2m').sign(new TextEncoder().encode(secret))
    expect(await status(stranger)).toBe(401)
  })

  test('is verified with keys that are fetched, once for many tokens', async () => {
    const pairs = await Promise.all(['one', 'two'].map(async (kid) => ({ kid, ...(await generateKeyPair('ES256')) })))
    let served = 0
    const issuer = createServer((_, response) => {
      served++
      void Promise.all(pairs.slice(0, 1).map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: 'ES256' }))).then((keys) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys })))
    })
    await new Promise<void>((resolve) => void issuer.listen(0, '127.0.0.1', resolve))
    try {
      stage = await open({ tokens: { jwks: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/jwks.json`, may: () => '*' } })
      const status = async ({ kid, privateKey }: (typeof pairs)[number]): Promise<number> => {
        const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).setSubject('ada').setExpirationTime('2m').sign(privateKey)
        return (await stage.post('/actors/counter', { type: 'add', a: 1, b: 2 }, bearer(token))).status
      }
      const [one, two] = pairs as [(typeof pairs)[number], (typeof pairs)[number]]
      expect([await status(one), await status(one), await status({ ...two, kid: 'one' }), await status(two)]).toEqual([200, 200, 401, 401])
      expect(served).toBe(1)
    } finally {
      issuer.close()
    }
  })

  test('is verified by the public keys of its issuer, and by nothing else', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(publicKey)), kid: 'one' }
    stage = await open({ tokens: { jwks: { keys: [jwk] }, may } })
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setSubject('ada').setExpirationTime('2m').sign(privateKey)
    expect(await status(token)).toBe(200)
    // The public key, taken for a shared secret.
    const confused = await new SignJWT({}).setProtectedHeader({ alg: 'HS256', kid: 'one' }).setSubject('ada').setExpirationTime('2m').sign(new TextEncoder().encode(JSON.stringify(jwk)))
    expect(await status(confused)).toBe(401)
    expect(() => gateway(stage.troupe, { actors: {}, tokens: { jwks: { keys: [jwk] }, algorithms: ['HS256'], may } })).toThrow('HS256 with a key set')
  })
})

describe('a browser', () => {
  const from = (origin: string): Record<string, string> => ({ origin })
  const add = { type: 'add', a: 1, b: 2 }

  test('may call from pages of the origins that are listed, and from no others', async () => {
    stage = await open({ origins: ['https://app.example.org'] })
    const allowed = await stage.post('/actors/counter', add, from('https://app.example.org'))
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('vary')]).toEqual([200, 'https://app.example.org', 'origin'])
    const preflight = await stage.get('/actors/counter', { method: 'OPTIONS', headers: { ...from('https://app.example.org'), 'access-control-request-method': 'POST' } })
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, expect.stringContaining('authorization')])
    for (const origin of ['https://evil.example', 'null', 'https://app.example.org.evil.example']) {
      expect((await stage.post('/actors/counter', add, from(origin))).status).toBe(403)
    }
    const refused = await stage.get('/actors/counter', { method: 'OPTIONS', headers: { ...from('https://evil.example'), 'access-control-request-method': 'POST' } })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null])
    expect((await stage.post('/actors/counter', add, from(stage.url))).status).toBe(200)
  })

  test('cannot be led to a gateway of this machine by another name, by a picture, or by a WebSocket', async () => {
    stage = await open()
    expect(await raw(stage.port, 'GET /openapi.json HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n').answer).toMatch(/^HTTP\/1.1 403 /)
    expect(await raw(stage.port, 'GET /openapi.json HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: cross-site\r\nconnection: close\r\n\r\n').answer).toMatch(/^HTTP\/1.1 403 /)
    expect(await raw(stage.port, 'GET /openapi.json HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-site\r\nconnection: close\r\n\r\n').answer).toMatch(/^HTTP\/1.1 403 /)
    const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/actors/counter`, ['troupe.v1'], { origin: 'https://evil.example' })
    const refused = await new Promise((resolve) => socket.on('unexpected-response', (_request, response) => resolve(response.statusCode)))
    expect(refused).toBe(403)
  })
})

test('what is audited of a request is short, however long it was', async () => {
  stage = await open()
  expect((await stage.post('/actors/counter', { type: 'x'.repeat(500_000) })).status).toBe(422)
  const [entry] = await stage.troupe.ref(Gateway, 'gateway').ask({ type: 'audited' })
  expect(entry?.type).toHaveLength(201)
})

test.each(['{"type":"notes","__proto__":{}}', '{"type":"notes","__pr\\u006fto__":{}}', '{"type":"notes","\\u0063onstructor":{}}', '{"type":"notes","a":[{"\\u005F_proto_\\u005f":{}}]}'])('a body that would change prototypes is none: %s', async (body) => {
  stage = await open()
  expect(await codeOf(await stage.post('/actors/counter', body))).toEqual([400, 'InvalidMessage'])
})

test('letters written as escapes are letters', async () => {
  stage = await open()
  await stage.post('/actors/counter', '{"type":"note","text":"\\u0063onstructor \\u00e9"}')
  expect(await (await stage.post('/actors/counter', { type: 'notes' })).json()).toEqual(['constructor é'])
})

test('a conversation whose peer does not say goodbye does not keep the gateway', async () => {
  stage = await open({ limits: { drain: 1 } })
  const { socket } = raw(stage.port, 'GET /actors/counter HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: troupe.v1\r\n\r\n', { keepOpen: true })
  await new Promise((resolve) => socket.once('data', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await stage.troupe.stop()
  await closed
})

test('more than may be under way are told so at once', async () => {
  stage = await open({ limits: { inFlight: 1 } })
  const asked = stage.post('/actors/counter', { type: 'wait' })
  await stage.seen.waiting
  const refused = await stage.post('/actors/counter', { type: 'notes' })
  expect([refused.headers.get('retry-after'), await codeOf(refused)]).toEqual(['1', [503, 'Overloaded']])
  stage.seen.release()
  await asked
})

test('a gateway without what it needs says what to install', async () => {
  stage = await open()
  // Loaded in a program of its own, in which the dependency cannot be found.
  const { spawnSync } = await import('node:child_process')
  const loader = `export const resolve = (name, context, next) => { if (name === 'fastify') throw new Error('Cannot find package fastify'); return next(name, context) }`
  const program = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(loader)})); const { createTroupe } = await import('troupe'); const { gateway } = await import('troupe/actors'); const troupe = await createTroupe({ log: () => {} }); await troupe.spawn('gateway', gateway(troupe, { actors: {} })).ask({ type: 'listening' }).catch(({ cause }) => console.log(cause.code, cause.hint)); await troupe.stop()`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect([stdout, stderr]).toEqual(['MissingDependency npm install fastify @fastify/websocket\n', ''])
})
