// What the faces of a gateway have in common: whose messages they send, and what browsers may read of their answers.
import { afterEach, expect, test } from 'vitest'
import { actor, createTroupe, protocol, request, type Troupe, type TroupeOptions } from 'troupe'
import { a2a, Agent, Chat, gateway, mcp, openai, type AgentChunk } from 'troupe/actors'
import { z } from 'zod'

let troupe: Troupe
afterEach(() => troupe.stop())

const ORIGIN = 'https://app.example.org'
const Desk = protocol({ hello: request(null, z.string()) })
const usage = { steps: 1, promptTokens: 1, completionTokens: 1, money: 0 }

/** The same behind three faces; each actor tells who wrote to it. */
async function opened(options: TroupeOptions = {}): Promise<{ readonly url: string; readonly senders: string[] }> {
  troupe = await createTroupe({ log: () => {}, ...options })
  const senders: string[] = []
  const desk = troupe.spawn('desk', actor(Desk, { on: { hello: (_, me) => (senders.push(`desk of ${me.from}`), 'hello') } }))
  const chat = troupe.spawn('chat', actor(Chat, {
    on: {
      chat: function* (_, me) {
        senders.push(`chat of ${me.from}`)
        yield { kind: 'text' as const, text: 'hello' }
        yield { kind: 'done' as const, finishReason: 'stop' as const, usage: { promptTokens: 1, completionTokens: 1 } }
      },
    },
  }))
  const parrot = troupe.spawn('parrot', actor(Agent, {
    on: {
      run: function* ({ input, parts = [] }, me): Generator<AgentChunk> {
        senders.push(`parrot of ${me.from}`)
        yield { kind: 'done', speaker: me.id, text: `${input} ${parts.map((part) => `${part.type}:${part.type === 'text' ? part.text : (part.blob as Uint8Array).join()}`).join()}`, finish: 'stop', usage }
      },
      answer: ({ input }, me) => ({ speaker: me.id, text: input, finish: 'stop' as const, usage }),
    },
  }))
  const faces = [mcp({ name: 'desk', actors: [{ ref: desk }] }), openai({ models: { chat } }), a2a({ name: 'parrot', description: 'says it', agent: parrot })]
  const { url } = await troupe.spawn('gateway', gateway(troupe, { actors: {}, faces, origins: [ORIGIN] })).ask({ type: 'listening' })
  return { url, senders }
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers }, body: JSON.stringify(body) })
const tool = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'desk_hello', arguments: {} } }
const completion = { model: 'chat', messages: [{ role: 'user', content: 'hello' }] }
const say = (parts: readonly object[]): object => ({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message: { messageId: 'm', role: 'ROLE_USER', parts } } })
const A2A = { 'a2a-version': '1.0' }

test('each sends as the gateway, which its receivers see', async () => {
  const { url, senders } = await opened()
  for (const [path, body, headers] of [['/mcp', tool], ['/v1/chat/completions', completion], ['/a2a', say([{ text: 'hello' }]), A2A]] as const) expect((await post(url + path, body, headers)).status).toBe(200)
  expect(senders).toEqual(['desk of gateway', 'chat of gateway', 'parrot of gateway'])
})

test('so an interceptor can keep what comes from outside from one of them', async () => {
  const { TroupeError } = await import('troupe')
  const { url, senders } = await opened({
    interceptors: [{
      receive: (message, { from, to }) => {
        if (from === 'gateway' && to === 'chat') throw new TroupeError('Unauthorized', 'nobody outside may chat', 'ask inside')
        return message
      },
    }],
  })
  expect((await post(`${url}/v1/chat/completions`, completion)).status).toBe(403)
  expect((await post(`${url}/mcp`, tool)).status).toBe(200)
  expect(senders).toEqual(['desk of gateway'])
})

test.each(['/mcp', '/v1/chat/completions', '/a2a'])('a page of an origin that is listed may read what %s answers', async (path) => {
  const { url } = await opened()
  const body = path === '/mcp' ? tool : path === '/a2a' ? say([{ text: 'hello' }]) : completion
  for (const more of [{}, { stream: true }]) {
    const answer = await post(url + path, { ...body, ...more }, { origin: ORIGIN, ...A2A })
    expect([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([ORIGIN, 'origin'])
    await answer.text()
  }
  const preflight = await fetch(url + path, { method: 'OPTIONS', headers: { origin: ORIGIN, 'access-control-request-method': 'POST', 'access-control-request-headers': 'mcp-protocol-version, a2a-version' } })
  const allowed = preflight.headers.get('access-control-allow-headers') ?? ''
  expect([preflight.status, allowed.includes('mcp-protocol-version'), allowed.includes('a2a-version')]).toEqual([204, true, true])
})

test('images and sounds come to an agent by A2A as they are; other files, and files elsewhere, are refused', async () => {
  const { url } = await opened()
  const told = async (part: object): Promise<string> => (await post(`${url}/a2a`, say([{ text: 'see' }, part]), A2A)).text()
  expect(await told({ raw: Buffer.from([1, 2]).toString('base64'), mediaType: 'image/png' })).toContain('see image:1,2')
  expect(await told({ raw: Buffer.from([3]).toString('base64'), mediaType: 'audio/wav' })).toContain('see audio:3')
  expect(await told({ raw: Buffer.from([1]).toString('base64'), mediaType: 'application/pdf' })).toContain('TASK_STATE_REJECTED')
  expect(await told({ url: 'http://169.254.169.254/secrets', mediaType: 'image/png' })).toContain('TASK_STATE_REJECTED')
})
