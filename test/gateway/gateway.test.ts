// Chosen actors over HTTP: what is answered, what is refused, what leaves no trace of the inside.
import { afterEach, describe, expect, test } from 'vitest'
import { createTroupe } from 'troupe'
import { gateway, type AuditEntry } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { Counter, collect, eventsOf, open, raw, type Stage } from './shop.js'

let stage: Stage
afterEach(async () => {
  stage.seen.release()
  await stage.troupe.stop()
})

const codeOf = async (response: Response): Promise<unknown> => [response.status, ((await response.json()) as { code: string }).code]

describe('an actor behind the gateway', () => {
  test('answers a request, takes an event, streams chunks and their end', async () => {
    stage = await open()
    const { post } = stage
    const sum = await post('/actors/counter', { type: 'add', a: 1, b: 2 })
    expect([sum.status, await sum.json()]).toEqual([200, 3])
    const noted = await post('/actors/counter', { type: 'note', text: 'hello' })
    expect([noted.status, await (await post('/actors/counter', { type: 'notes' })).json()]).toEqual([202, ['hello']])
    const counted = await post('/actors/counter', { type: 'count', to: 3 })
    expect(counted.headers.get('content-type')).toContain('text/event-stream')
    expect((await collect(eventsOf(counted))).map(({ event, data }) => [event, data])).toEqual([['', { n: 1 }], ['', { n: 2 }], ['', { n: 3 }], ['end', null]])
  })

  test('is found by its key, also one that a URL writes otherwise', async () => {
    stage = await open()
    expect(await (await stage.post('/actors/pet/rex', { type: 'name' })).json()).toBe('rex')
    expect(await (await stage.post(`/actors/pet/${encodeURIComponent('à la 1/2')}`, { type: 'name' })).json()).toBe('à la 1/2')
  })

  test('is reached only if it is shown', async () => {
    stage = await open()
    for (const path of ['/actors/vault', '/actors/gateway', '/actors/counter/1', '/actors/pet', '/actors/pet/*', '/actors/pet/a%00b', '/actors/', '/actors/__proto__', '/nowhere']) {
      expect([path, await codeOf(await stage.post(path, { type: 'open' }))]).toEqual([path, [404, 'NoSuchActor']])
    }
  })

  test.each([
    ['no JSON', '{', [400, 'InvalidMessage']],
    ['no message', '[1]', [400, 'InvalidMessage']],
    ['no body', '', [400, 'InvalidMessage']],
    ['a body that its schema refuses', { type: 'add', a: 'one', b: 2 }, [400, 'InvalidMessage']],
    ['a type that it does not take', { type: 'open' }, [422, 'Unhandled']],
    ['a type that objects inherit', { type: 'constructor' }, [422, 'Unhandled']],
    ['a key that changes prototypes', '{"type":"add","a":1,"b":2,"__proto__":{"admin":true}}', [400, 'InvalidMessage']],
    ['too deep a body', `{"type":"add","a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`, [400, 'InvalidMessage']],
  ])('refuses %s', async (_, body, refused) => {
    stage = await open()
    expect(await codeOf(await stage.post('/actors/counter', body))).toEqual(refused)
  })

  test('says which field is wrong', async () => {
    stage = await open()
    const problem = (await (await stage.post('/actors/counter', { type: 'add', a: 'one', b: 2 })).json()) as object
    expect(problem).toMatchObject({ code: 'InvalidMessage', hint: expect.stringContaining('details.issues') as string, details: { issues: [{ path: 'a' }] } })
  })

  test('checks what comes in where the troupe itself does not', async () => {
    stage = await open({}, { check: 'boundary' })
    expect(await codeOf(await stage.post('/actors/counter', { type: 'add', a: 'one', b: 2 }))).toEqual([400, 'InvalidMessage'])
  })

  test('keeps the cause of its failure to itself, and tells the log', async () => {
    const log: unknown[] = []
    stage = await open({}, { log: (_, words) => void log.push(...words) })
    const failed = await stage.post('/actors/counter', { type: 'fail' })
    const text = await failed.text()
    expect([failed.status, (JSON.parse(text) as { code: string }).code]).toEqual([500, 'ActorFailed'])
    expect(text).not.toMatch(/secret|Error:|\.ts|\.js|\bat \w+ \(/)
    expect(log.map(String).join(' ')).toContain('the secret is 42')
  })

  test('gives up at the deadline that the caller names', async () => {
    const clock = virtualClock()
    stage = await open({}, { clock })
    const late = stage.post('/actors/counter', { type: 'wait' }, { 'troupe-timeout': '2s' })
    await stage.seen.waiting
    await clock.advance('2s')
    expect(await codeOf(await late)).toEqual([504, 'DeadlineExceeded'])
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'deadline' })
    expect(await codeOf(await stage.post('/actors/counter', { type: 'wait' }, { 'troupe-timeout': 'soon' }))).toEqual([400, 'InvalidMessage'])
  })

  test('is called off when its caller hangs up', async () => {
    stage = await open()
    const hangUp = new AbortController()
    const asked = stage.get('/actors/counter', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"type":"wait"}', signal: hangUp.signal })
    await stage.seen.waiting
    hangUp.abort()
    await expect(asked).rejects.toThrow()
    expect(await stage.seen.calledOff).toMatchObject({ reason: 'caller' })
  })
})

describe('requests that are none', () => {
  test('are refused when they take too long, one header at a time', async () => {
    stage = await open({ limits: { request: 600 } })
    const { answer } = raw(stage.port, 'POST /actors/counter HTTP/1.1\r\nhost: localhost\r\nx-a: b\r\n', { keepOpen: true })
    expect(await answer).toMatch(/^HTTP\/1.1 408 /)
  })

  test('are refused when the body takes too long', async () => {
    stage = await open({ limits: { request: 600 } })
    const { answer } = raw(stage.port, 'POST /actors/counter HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{', { keepOpen: true })
    expect(await answer).toMatch(/^HTTP\/1.1 408 /)
  })

  test('are refused when they are too large', async () => {
    stage = await open({ limits: { bodyBytes: 1_000 } })
    expect(await codeOf(await stage.post('/actors/counter', { type: 'note', text: 'x'.repeat(2_000) }))).toEqual([413, 'InvalidMessage'])
    expect(await raw(stage.port, `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-a: ${'b'.repeat(20_000)}\r\n\r\n`).answer).toMatch(/^HTTP\/1.1 431 /)
  })

  test('are refused when they are no HTTP, or not JSON', async () => {
    stage = await open()
    expect(await raw(stage.port, 'HELLO\r\n\r\n').answer).toMatch(/^HTTP\/1.1 400 /)
    expect(await codeOf(await stage.get('/actors/counter', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"type":"notes"}' }))).toEqual([415, 'InvalidMessage'])
    expect(await codeOf(await stage.get('/actors/%zz', { method: 'POST' }))).toEqual([400, 'InvalidMessage'])
  })
})

describe('operators', () => {
  test('see that it lives, its figures, and who asked for what', async () => {
    const told: AuditEntry[] = []
    stage = await open({ audit: (entry) => told.push(entry) })
    const { get, post, troupe } = stage
    await get('/metrics')
    await post('/actors/counter', { type: 'add', a: 1, b: 2 })
    await post('/actors/counter', { type: 'open' })
    expect([(await get('/healthz')).status, (await get('/readyz')).status]).toEqual([200, 200])
    const figures = await (await get('/metrics')).text()
    expect(figures).toContain('troupe_gateway_requests_total{status="200"}')
    expect(figures).toContain('troupe_gateway_errors_total{code="Unhandled"} 1')
    expect(figures).toMatch(/troupe_envelopes_total\{fact="handled"\} [1-9]/)
    const { Gateway } = await import('troupe/actors')
    const audited = await troupe.ref(Gateway, 'gateway').ask({ type: 'audited', last: 4 })
    expect(audited.map(({ who, method, path, type, status, code }) => [who, method, path, type, status, code])).toEqual([
      ['anonymous', 'POST', '/actors/counter', 'open', 422, 'Unhandled'],
      ['anonymous', 'GET', '/healthz', undefined, 200, undefined],
      ['anonymous', 'GET', '/readyz', undefined, 200, undefined],
      ['anonymous', 'GET', '/metrics', undefined, 200, undefined],
    ])
    expect(told.at(-1)).toEqual(audited.at(-1))
  })

  test('find what is served as OpenAPI, with the schemas of the protocols', async () => {
    stage = await open()
    const document = (await (await stage.get('/openapi.json')).json()) as { openapi: string; paths: Record<string, { post: { requestBody: { content: Record<string, { schema: { anyOf: object[] } }> } } }> }
    expect([document.openapi, Object.keys(document.paths)]).toEqual(['3.1.0', ['/actors/counter', '/actors/pet/{key}']])
    expect(document.paths['/actors/counter']?.post.requestBody.content['application/json']?.schema.anyOf).toContainEqual({
      type: 'object',
      required: ['type', 'a', 'b'],
      properties: { type: { const: 'add' }, a: { type: 'number' }, b: { type: 'number' } },
    })
  })

  test('are told what keeps it from listening', async () => {
    stage = await open()
    const second = stage.troupe.spawn('second', gateway(stage.troupe, { actors: { counter: Counter }, port: stage.port }))
    await expect(second.ask({ type: 'listening' })).rejects.toMatchObject({ code: 'ActorFailed', cause: { code: 'InvalidDefinition', message: expect.stringContaining('EADDRINUSE') as string } })
  })

  test('cannot open it to the world without keys', async () => {
    stage = await open()
    expect(() => gateway(stage.troupe, { actors: {}, host: '0.0.0.0' })).toThrow('a gateway on 0.0.0.0 without keys')
  })
})

describe('when the troupe stops', () => {
  test('what is under way finishes, what is new is refused, and nothing is left open', async () => {
    stage = await open()
    const asked = stage.post('/actors/counter', { type: 'wait' })
    await stage.seen.waiting
    // The connection stands before the gateway stops to listen for new ones.
    const before = raw(stage.port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n', { keepOpen: true })
    await new Promise((resolve) => before.socket.once('data', resolve))
    const stopped = stage.troupe.stop()
    expect(await codeOf(await stage.post('/actors/counter', { type: 'notes' }))).toEqual([503, 'Cancelled'])
    expect([(await stage.get('/readyz')).status, (await stage.get('/healthz')).status]).toEqual([503, 200])
    stage.seen.release()
    expect((await asked).status).toBe(200)
    await stopped
    await before.answer
    await expect(stage.get('/healthz')).rejects.toThrow()
  })

  test('a stream ends with the reason', async () => {
    stage = await open({ limits: { drain: 50 } })
    const response = await stage.post('/actors/counter', { type: 'count', to: 1e9, size: 1_000 })
    const events = eventsOf(response)
    await events.next()
    const stopped = stage.troupe.stop()
    const last = (await collect(events)).at(-1)
    expect(last).toMatchObject({ event: 'error', data: { code: 'Cancelled', details: { reason: 'shutting-down' } } })
    await stopped
  })

  test('the gateway alone can be stopped, too', async () => {
    stage = await open()
    const { Gateway } = await import('troupe/actors')
    await stage.troupe.ref(Gateway, 'gateway').stop()
    await expect(stage.get('/healthz')).rejects.toThrow()
  })

  test('a gateway that never opened is no hindrance', async () => {
    stage = await open()
    const troupe = await createTroupe()
    troupe.spawn('gateway', gateway(troupe, { actors: {} }))
    await troupe.stop()
  })
})
