// MCP servers by the official package, in processes of their own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { agent, mcpTools, type AgentChunk, type McpOptions } from 'troupe/actors'
import { scriptedOpenAI, type Called, type Script, type ScriptedOpenAI } from '../scripted-openai.js'

const program = fileURLToPath(new URL('mcp-server.mjs', import.meta.url))
const call = (name: string, input: object = {}): Called => ({ name, arguments: JSON.stringify(input) })

let provider: ScriptedOpenAI | undefined
let troupe: Troupe | undefined
let server: ChildProcess | undefined
afterEach(async () => {
  await troupe?.stop()
  await provider?.close()
  server?.kill()
  server = undefined
})

async function run(script: Script, ...servers: McpOptions[]): Promise<AsyncIterable<AgentChunk>> {
  provider = await scriptedOpenAI(script)
  troupe = await createTroupe()
  return troupe.spawn('assistant', agent({ model: provider.model, tools: servers.map((each) => mcpTools(each)) })).stream({ type: 'run', input: 'go' })
}

async function results(chunks: AsyncIterable<AgentChunk>): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const chunk of chunks) if (chunk.kind === 'tool-result') found.push([chunk.tool, chunk.ok, chunk.output])
  return found
}

test('an MCP server over stdio lists its tools, answers, and says what is wrong', async () => {
  const chunks = await run([{ calls: [call('price', { item: 'lamp' })] }, { calls: [call('price', { item: 'dragon' })] }, { calls: [call('price', { thing: 1 })] }, { text: 'ok' }], { name: 'shop', command: process.execPath, args: [program], only: ['price'] })
  expect(await results(chunks)).toEqual([['price', true, 'lamp costs 4'], ['price', false, 'Error: no such item'], ['price', false, expect.stringContaining('item')]])
  expect(provider?.asked[0]?.tools?.map((each) => each.function)).toMatchObject([{ name: 'price', description: 'The price of an item', parameters: { properties: { item: { type: 'string' } } } }])
})

test('one over HTTP gets the headers and the key of each call', async () => {
  server = spawn(process.execPath, [program, 'http'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [port] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const chunks = await run([{ calls: [call('shop_who')] }, { text: 'ok' }], { name: 'shop', url: `http://127.0.0.1:${port.toString().trim()}`, headers: { 'x-key': 'secret' }, prefix: true })
  expect(await results(chunks)).toEqual([['shop_who', true, 'troupe/idempotency-key secret']])
})

test('a reader who leaves calls off what the server is doing', async () => {
  const beacon = createServer((request, response) => {
    beacon.emit(request.url ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => beacon.listen(0, '127.0.0.1', resolve))
  const [begun, calledOff] = [once(beacon, '/begun'), once(beacon, '/called-off')]
  const BEACON = `http://127.0.0.1:${(beacon.address() as AddressInfo).port}`
  const chunks = await run([{ calls: [call('wait')] }], { name: 'shop', command: process.execPath, args: [program], env: { BEACON } })
  for await (const chunk of chunks) {
    if (chunk.kind !== 'tool-call') continue
    await begun
    break
  }
  await calledOff
  beacon.closeAllConnections()
  beacon.close()
})

test('a source that two agents share ends with the last of them, and outlives whoever wanted it first', async () => {
  const source = mcpTools({ name: 'shop', command: process.execPath, args: [program], only: ['price'] })
  const [first, second] = [{}, {}]
  const leaving = new AbortController()
  const left = source.open(leaving.signal, first)
  const stayed = source.open(new AbortController().signal, second)
  leaving.abort(new Error('called off'))
  await expect(left).rejects.toThrow('called off')
  const [price] = await stayed
  await source.close(first)
  const ask = (): unknown => price?.doing.kind === 'run' && price.doing.run({ item: 'lamp' }, { signal: new AbortController().signal, idempotencyKey: 'k', context: {} })
  expect(await ask()).toBe('lamp costs 4')
  // Opened again while the one before still closes: that one must not be forgotten for the other.
  const closing = source.close(second)
  const [again] = await source.open(new AbortController().signal, first)
  await closing
  expect((await source.open(new AbortController().signal, first))[0]).toBe(again)
  await source.close(first)
})

test('a server that is not there is told of by name', async () => {
  const chunks = await run([], { name: 'shop', command: '/no/such/program' })
  await expect(results(chunks)).rejects.toThrow('MCP server shop')
})
