// Actors as tools of an MCP server, as the official client sees them: over HTTP behind a gateway, and over stdio.
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { actor, createTroupe, event, protocol, request, TroupeError, type Troupe } from 'troupe'
import { gateway, mcp, type GatewayOptions } from 'troupe/actors'
import { z } from 'zod'

const Account = protocol({
  balance: request(null, z.number()),
  deposit: request(z.object({ amount: z.number().positive() }), z.object({ balance: z.number() })),
  wait: request(null, z.string()),
  audit: event(),
})

const KEYS = [
  { name: 'clerk', key: 'a-key-that-clerks-hold', may: '*' as const },
  { name: 'reader', key: 'a-key-that-readers-hold', may: { '/mcp': ['account_balance'] } },
]
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

interface Bank {
  readonly troupe: Troupe
  readonly url: string
  /** A wait has begun. */
  readonly waiting: Promise<void>
  readonly left: Promise<string>
}

async function bank(keys: GatewayOptions['keys'] = KEYS): Promise<Bank> {
  let leave: (code: string) => void = () => {}
  const left = new Promise<string>((resolve) => (leave = resolve))
  let begin = (): void => {}
  const waiting = new Promise<void>((resolve) => (begin = resolve))
  const account = actor(Account, {
    state: () => ({ balance: 0 }),
    on: {
      balance: (_, me) => me.state.balance,
      deposit: ({ amount }, me) => {
        if (amount > 1_000) throw new TroupeError('Overloaded', 'the vault is full', 'bring less')
        me.state.balance += amount
        return { balance: me.state.balance }
      },
      wait: (_, me) =>
        new Promise<string>((resolve) => {
          begin()
          me.signal.addEventListener('abort', () => (leave((me.signal.reason as TroupeError).code), resolve('')))
        }),
      audit: () => {},
    },
  })
  const troupe = await createTroupe({ log: () => {} })
  closing.push(() => troupe.stop())
  const face = mcp({ name: 'bank', instructions: 'Tools of one account.', actors: [{ ref: troupe.spawn('account', account), describe: { deposit: 'Puts money in.' } }] })
  const { url } = await troupe.spawn('gateway', gateway(troupe, { actors: {}, faces: [face], keys })).ask({ type: 'listening' })
  return { troupe, url, waiting, left }
}

async function clientOf(url: string, name = 'clerk'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const authorization = `Bearer ${KEYS.find((key) => key.name === name)?.key}`
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers: { authorization } } }))
  closing.push(() => client.close())
  return client
}

describe('an MCP server behind a gateway', () => {
  test('lists the requests of its actors with their schemas, and no events', async () => {
    const client = await clientOf((await bank()).url)
    const { tools } = await client.listTools()
    expect(tools.map(({ name, description }) => [name, description])).toEqual([['account_balance', undefined], ['account_deposit', 'Puts money in.'], ['account_wait', undefined]])
    expect(tools[1]?.inputSchema).toMatchObject({ type: 'object', properties: { amount: { type: 'number', exclusiveMinimum: 0 } }, required: ['amount'] })
    expect([client.getInstructions(), client.getServerVersion()?.name]).toEqual(['Tools of one account.', 'bank'])
  })

  test('calls them', async () => {
    const client = await clientOf((await bank()).url)
    expect(await client.callTool({ name: 'account_deposit', arguments: { amount: 5 } })).toMatchObject({ structuredContent: { balance: 5 }, content: [{ type: 'text', text: '{"balance":5}' }] })
    expect(await client.callTool({ name: 'account_balance' })).toMatchObject({ content: [{ type: 'text', text: '5' }] })
  })

  test('tells the model what was wrong, in the words of the error and without a stack', async () => {
    const client = await clientOf((await bank()).url)
    const wrong = await client.callTool({ name: 'account_deposit', arguments: { amount: -1 } })
    expect(wrong.isError).toBe(true)
    expect(JSON.stringify(wrong.content)).toContain('InvalidMessage')
    expect(await client.callTool({ name: 'account_audit', arguments: {} })).toMatchObject({ isError: true })
    const full = await client.callTool({ name: 'account_deposit', arguments: { amount: 2_000 } })
    expect(JSON.stringify(full.content)).not.toContain('.js:')
  })

  test('shows a caller what its key allows', async () => {
    const { url } = await bank()
    const reader = await clientOf(url, 'reader')
    expect((await reader.listTools()).tools.map(({ name }) => name)).toEqual(['account_balance'])
    const refused = await reader.callTool({ name: 'account_deposit', arguments: { amount: 5 } })
    expect([refused.isError, JSON.stringify(refused.content)]).toEqual([true, expect.stringContaining('Unauthorized')])
    expect((await fetch(`${url}/mcp`, { method: 'POST', body: '{}' })).status).toBe(401)
  })

  test('counts each call of a batch, not the batch', async () => {
    const { url } = await bank([{ name: 'slow', key: 'a-key-that-may-come-thrice', may: '*', rate: { perSecond: 0.001, burst: 3 } }])
    const post = (calls: number): Promise<Response> =>
      fetch(`${url}/mcp`, { method: 'POST', headers: { authorization: 'Bearer a-key-that-may-come-thrice', 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body: JSON.stringify(Array.from({ length: calls }, (_, id) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'account_balance' } }))) })
    expect((await (await post(2)).text()).match(/"result"/g)).toHaveLength(2)
    expect((await post(2)).status).toBe(429)
  })

  test('calls the work off when the caller leaves', async () => {
    const { url, waiting, left } = await bank()
    const client = await clientOf(url)
    const leaving = new AbortController()
    const call = client.callTool({ name: 'account_wait' }, undefined, { signal: leaving.signal })
    call.catch(() => {})
    await waiting
    leaving.abort()
    await client.close()
    expect(await left).toBe('Cancelled')
  })

  test.each(['{}', '[]', 'null', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', '{"jsonrpc":"2.0","id":1,"method":"nothing"}'])('answers %s with an error of its own', async (body) => {
    const { url } = await bank()
    const answer = await fetch(`${url}/mcp`, { method: 'POST', headers: { authorization: `Bearer ${KEYS[0]?.key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body })
    expect(answer.status).toBeLessThan(500)
  })
})

test('two tools of one name are refused at once', async () => {
  const { troupe } = await bank()
  const ref = troupe.spawn('other', actor(Account, { on: { balance: () => 0, deposit: () => ({ balance: 0 }), wait: () => '', audit: () => {} } }))
  expect(() => mcp({ name: 'bank', actors: [{ ref, prefix: 'a_' }, { ref, prefix: 'a_' }] })).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
})

test('a program serves its actors on stdin and stdout, and ends when the client leaves', async () => {
  const client = new Client({ name: 'test', version: '1' })
  const transport = new StdioClientTransport({ command: process.execPath, args: [fileURLToPath(new URL('mcp-program.mjs', import.meta.url))], stderr: 'pipe' })
  let said = ''
  transport.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()))
  await client.connect(transport)
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['greeter_greet'])
  expect(await client.callTool({ name: 'greeter_greet', arguments: { name: 'Ada' } })).toMatchObject({ content: [{ type: 'text', text: 'hello Ada' }] })
  const ended = new Promise<void>((resolve) => transport.stderr?.once('close', () => resolve()))
  await client.close()
  await ended
  expect(said).toBe('stopped\n')
})
