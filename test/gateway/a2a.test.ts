// Agents behind a gateway, as the official A2A client sees them, and as another troupe's remote agents.
import { ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, type Client } from '@a2a-js/sdk/client'
import { Role, TaskState, type Part, type SendMessageRequest, type StreamResponse } from '@a2a-js/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { actor, createTroupe, TroupeError, type Troupe } from 'troupe'
import { a2a, Agent, gateway, remoteAgent, type AgentChunk, type GatewayOptions } from 'troupe/actors'
import type { ExecutionEventBus, RequestContext } from '@a2a-js/sdk/server'
import { AgentExecutor } from '../../src/actors/a2a/executor.js'

const KEYS = [
  { name: 'ada', key: 'a-key-that-ada-holds', may: '*' as const },
  { name: 'bob', key: 'a-key-that-bob-holds', may: '*' as const },
  { name: 'eve', key: 'a-key-that-eve-holds', may: { '/actors': '*' as const } },
]
const open: Troupe[] = []
afterEach(async () => void (await Promise.all(open.splice(0).map((troupe) => troupe.stop()))))

const usage = { steps: 1, promptTokens: 3, completionTokens: 3, money: 0 }

/** Says what it hears, counted within its conversation; or does what it is told. */
async function house(keys: GatewayOptions['keys'] = KEYS): Promise<{ url: string; left: Promise<string> }> {
  let leave: (reason: string) => void = () => {}
  const left = new Promise<string>((resolve) => (leave = resolve))
  const parrot = actor(Agent, {
    state: () => ({ heard: 0 }),
    on: {
      run: async function* ({ input }, me): AsyncGenerator<AgentChunk> {
        const speaker = me.id
        me.state.heard++
        if (input === 'fail') throw new TroupeError('Overloaded', 'no voice', 'come back tomorrow')
        if (input === 'forever') {
          me.signal.addEventListener('abort', () => leave((me.signal.reason as TroupeError).code))
          for (;;) {
            yield { kind: 'text', speaker, text: '…' }
            await new Promise((resolve) => setImmediate(resolve))
          }
        }
        if (input === 'refuse') {
          yield { kind: 'done', speaker, text: 'I may not say that', finish: 'refused', usage }
          return
        }
        for (const text of [`${me.state.heard}: `, input]) yield { kind: 'text', speaker, text }
        yield { kind: 'thought', speaker, text: 'what a day' }
        yield { kind: 'done', speaker, text: `${me.state.heard}: ${input}`, ...(input === 'value' && { value: { parrots: 1 } }), finish: 'stop', usage }
      },
      answer: ({ input }, me) => ({ speaker: me.id, text: input, finish: 'stop' as const, usage }),
    },
  })
  const troupe = await createTroupe({ log: () => {} })
  open.push(troupe)
  const face = a2a({ name: 'parrot', description: 'says what it hears', agent: troupe.keyed('parrot', parrot), skills: [{ id: 'say', name: 'say', description: 'says it', tags: ['speech'] }] })
  const { url } = await troupe.spawn('gateway', gateway(troupe, { actors: {}, faces: [face], keys })).ask({ type: 'listening' })
  return { url, left }
}

const headersOf = (name: string): { authorization: string } => ({ authorization: `Bearer ${KEYS.find((key) => key.name === name)?.key}` })

async function clientOf(url: string, name = 'ada', key?: string): Promise<Client> {
  const headers = key === undefined ? headersOf(name) : { authorization: `Bearer ${key}` }
  const fetchImpl: typeof fetch = (input, init) => fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...headers } })
  const { JsonRpcTransportFactory } = await import('@a2a-js/sdk/client')
  const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, { cardResolver: new DefaultAgentCardResolver({ fetchImpl }), transports: [new JsonRpcTransportFactory({ fetchImpl })] }))
  return factory.createFromUrl(url)
}

let asked = 0
const textPart = (value: string): Part => ({ content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' })
const ask = (parts: Part[], contextId = ''): SendMessageRequest => ({ tenant: '', metadata: undefined, configuration: undefined, message: { messageId: `m${++asked}`, contextId, taskId: '', role: Role.ROLE_USER, parts, metadata: undefined, extensions: [], referenceTaskIds: [] } })
const saidIn = (events: readonly StreamResponse[]): string => events.map(({ payload }) => (payload?.$case === 'artifactUpdate' ? (payload.value.artifact?.parts ?? []).map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('') : '')).join('')

async function send(client: Client, text: string, contextId = ''): Promise<{ state: TaskState | undefined; text: string; words: string; id: string }> {
  const result = await client.sendMessage(ask([textPart(text)], contextId))
  if (!('status' in result)) throw new Error('a message came where a task was due')
  const textOf = (parts: readonly Part[] = []): string => parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')
  return { id: result.id, state: result.status?.state, text: textOf(result.artifacts[0]?.parts), words: textOf(result.status?.message?.parts) }
}

describe('an agent served by A2A', () => {
  test('introduces itself', async () => {
    const { url } = await house()
    expect(await (await clientOf(url)).getAgentCard()).toMatchObject({ name: 'parrot', description: 'says what it hears', skills: [{ id: 'say', tags: ['speech'] }], supportedInterfaces: [{ url: `${url}/a2a`, protocolBinding: 'JSONRPC' }] })
  })

  test('works on a task, whole or part by part', async () => {
    const client = await clientOf((await house()).url)
    expect(await send(client, 'hello')).toMatchObject({ state: TaskState.TASK_STATE_COMPLETED, text: '1: hello' })
    const events: StreamResponse[] = []
    for await (const event of client.sendMessageStream(ask([textPart('hello')]))) events.push(event)
    expect(events[0]?.payload?.$case).toBe('task')
    expect(saidIn(events)).toBe('1: hello')
    const last = events.at(-1)?.payload
    expect(last?.$case === 'statusUpdate' && last.value.status?.state).toBe(TaskState.TASK_STATE_COMPLETED)
  })

  test('keeps the conversations of its callers apart, and their tasks', async () => {
    const { url } = await house()
    const [ada, bob] = [await clientOf(url, 'ada'), await clientOf(url, 'bob')]
    const first = await send(ada, 'one', 'c1')
    expect((await send(ada, 'two', 'c1')).text).toBe('2: two')
    expect((await send(ada, 'one', 'c2')).text).toBe('1: one')
    expect((await send(bob, 'mine', 'c1')).text).toBe('1: mine')
    expect((await ada.getTask({ tenant: '', id: first.id })).artifacts).toHaveLength(1)
    await expect(bob.getTask({ tenant: '', id: first.id })).rejects.toThrow()
  })

  test('is not led into the conversation of a caller whose name begins with another one', async () => {
    const { url } = await house([...KEYS, { name: 'ada:work', key: 'a-key-for-work-of-ada', may: '*' }])
    const work = await clientOf(url, 'ada:work', 'a-key-for-work-of-ada')
    expect((await send(work, 'secret', 'c1')).text).toBe('1: secret')
    expect((await send(await clientOf(url, 'ada'), 'spy', 'work:c1')).text).toBe('1: spy')
  })

  test('works on so many tasks at once, and fails the next', async () => {
    const sdk = await import('@a2a-js/sdk')
    const troupe = await createTroupe({ log: () => {} })
    open.push(troupe)
    const states: (string | undefined)[] = []
    const bus = { publish: (event: { kind: string; data: { status?: { message?: { parts: Part[] } } } }) => void states.push(event.data.status?.message?.parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('')), finished: () => {} } as unknown as ExecutionEventBus
    const idle = actor(Agent, { on: { run: async function* (_, me): AsyncGenerator<AgentChunk> {
          await new Promise((resolve) => me.signal.addEventListener('abort', resolve))
          yield { kind: 'text', speaker: me.id, text: 'called off' }
        }, answer: () => Promise.reject(new Error('not asked')) } })
    const executor = new AgentExecutor(sdk, troupe.keyed('idle', idle), 1)
    const context = (taskId: string): RequestContext => ({ taskId, contextId: taskId, userMessage: ask([textPart('go')]).message, context: { user: { userName: 'ada' } } }) as unknown as RequestContext
    const first = executor.execute(context('t1'), bus)
    await executor.execute(context('t2'), bus)
    expect(states.at(-1)).toContain('Overloaded')
    await executor.cancelTask('t1', bus)
    await first
    states.length = 0
    const third = executor.execute(context('t3'), bus)
    expect(states.join()).not.toContain('Overloaded')
    await executor.cancelTask('t3', bus)
    await third
  })

  test('refuses and fails with words, and never with a stack', async () => {
    const client = await clientOf((await house()).url)
    expect(await send(client, 'refuse')).toMatchObject({ state: TaskState.TASK_STATE_REJECTED, words: 'I may not say that' })
    const failed = await send(client, 'fail')
    expect(failed.state).toBe(TaskState.TASK_STATE_FAILED)
    expect(failed.words).toMatch(/^ActorFailed: .* \(\d+\)$/)
    expect(failed.words).not.toMatch(/no voice|\.js:/)
    const file = await client.sendMessage(ask([{ content: { $case: 'raw', value: Buffer.from([1]) }, metadata: undefined, filename: 'a.pdf', mediaType: 'application/pdf' }]))
    expect('status' in file && file.status?.state).toBe(TaskState.TASK_STATE_REJECTED)
  })

  test('stops working on a task that is called off', async () => {
    const { url, left } = await house()
    const client = await clientOf(url)
    let id = ''
    for await (const { payload } of client.sendMessageStream(ask([textPart('forever')]))) {
      if (payload?.$case === 'task') id = payload.value.id
      if (payload?.$case !== 'artifactUpdate') continue
      expect((await client.cancelTask({ tenant: '', id, metadata: undefined })).status?.state).toBe(TaskState.TASK_STATE_CANCELED)
      break
    }
    expect(await left).toBe('Cancelled')
  })

  test('lets in only whom the gateway lets in', async () => {
    const { url } = await house()
    expect((await fetch(`${url}/.well-known/agent-card.json`)).status).toBe(401)
    expect((await fetch(`${url}/a2a`, { method: 'POST', headers: { ...headersOf('eve'), 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params: {} }) })).status).toBe(403)
  })

  test.each([['no JSON-RPC', '{}'], ['an unknown method', '{"jsonrpc":"2.0","id":1,"method":"Fly","params":{}}'], ['a message without parts', '{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{}}}'], ['a list', '[1]'], ['nothing', 'null']])('answers %s with an error of its own', async (_, body) => {
    const { url } = await house()
    const answer = await fetch(`${url}/a2a`, { method: 'POST', headers: { ...headersOf('ada'), 'content-type': 'application/json', 'a2a-version': '1.0' }, body })
    expect(answer.status).toBeLessThan(500)
    expect(await answer.json()).toMatchObject({ error: {} })
  })
})

test('a troupe works with the agents of another', async () => {
  const { url, left } = await house()
  const troupe = await createTroupe()
  open.push(troupe)
  const parrots = troupe.keyed('parrot', remoteAgent({ url, headers: headersOf('ada') }))
  expect(await parrots('c1').ask({ type: 'answer', input: 'hello' })).toMatchObject({ text: '1: hello', finish: 'stop' })
  expect(await parrots('c1').ask({ type: 'answer', input: 'again' })).toMatchObject({ text: '2: again' })
  expect(await parrots('c1').ask({ type: 'answer', input: 'refuse' })).toMatchObject({ finish: 'refused' })
  for await (const chunk of parrots('c2').stream({ type: 'run', input: 'forever' })) if (chunk.kind === 'text') break
  expect(await left).toBe('Cancelled')
})
