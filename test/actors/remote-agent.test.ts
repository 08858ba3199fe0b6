// An agent elsewhere, served by the official A2A server, as an actor here.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Role, TaskState, type AgentCard } from '@a2a-js/sdk'
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore, type AgentExecutor, type ExecutionEventBus, type RequestContext } from '@a2a-js/sdk/server'
import { agentCardHandler, jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express'
import express from 'express'
import { afterEach, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { Agent, memoryBlobs, remoteAgent, type AgentChunk } from 'troupe/actors'

const open: (() => Promise<unknown>)[] = []
afterEach(async () => void (await Promise.all(open.splice(0).map((close) => close()))))

const text = (value: string) => ({ content: { $case: 'text' as const, value }, metadata: undefined, filename: '', mediaType: 'text/plain' })

/** Counts to three in pieces, or does what its input says. */
class Counting implements AgentExecutor {
  readonly heard: { readonly texts: readonly string[]; readonly conversation: string }[] = []
  readonly files: (readonly [mediaType: string, bytes: readonly number[]])[] = []
  #cancel: (id: string) => void = () => {}
  readonly cancelled = new Promise<string>((resolve) => (this.#cancel = resolve))

  async execute({ userMessage, taskId, contextId }: RequestContext, bus: ExecutionEventBus): Promise<void> {
    const texts = userMessage.parts.map(({ content }) => (content?.$case === 'text' ? content.value : ''))
    this.heard.push({ texts, conversation: contextId })
    this.files.push(...userMessage.parts.flatMap(({ content, mediaType }) => (content?.$case === 'raw' ? [[mediaType, [...content.value]] as const] : [])))
    const input = texts.findLast((each) => each !== '') ?? ''
    const status = (state: TaskState, words?: string) => {
      const message = words === undefined ? undefined : { messageId: `${taskId}-${words}`, contextId, taskId, role: Role.ROLE_AGENT, parts: [text(words)], metadata: undefined, extensions: [], referenceTaskIds: [] }
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: { state, message, timestamp: undefined }, metadata: undefined }))
    }
    if (input === 'hello') {
      bus.publish(AgentEvent.message({ messageId: `${taskId}-m`, contextId, taskId: '', role: Role.ROLE_AGENT, parts: [text('hello back')], metadata: undefined, extensions: [], referenceTaskIds: [] }))
      return bus.finished()
    }
    bus.publish(AgentEvent.task({ id: taskId, contextId, status: { state: TaskState.TASK_STATE_SUBMITTED, message: undefined, timestamp: undefined }, artifacts: [], history: [], metadata: undefined }))
    status(TaskState.TASK_STATE_WORKING, 'counting')
    if (input === 'forever') return void (await this.cancelled)
    if (input === 'vanish') return
    if (input === 'fail') return status(TaskState.TASK_STATE_FAILED, 'lost count')
    if (input === 'refuse') return status(TaskState.TASK_STATE_REJECTED, 'I do not count')
    if (input === 'which?') return status(TaskState.TASK_STATE_INPUT_REQUIRED, 'up or down?')
    for (const [i, piece] of ['one ', 'two ', 'three'].entries()) bus.publish(AgentEvent.artifactUpdate({ taskId, contextId, artifact: { artifactId: 'a', name: 'count', description: '', parts: [text(piece)], metadata: undefined, extensions: [] }, append: i > 0, lastChunk: i === 2, metadata: undefined }))
    status(TaskState.TASK_STATE_COMPLETED)
    await Promise.resolve()
  }

  async cancelTask(taskId: string, bus: ExecutionEventBus): Promise<void> {
    this.#cancel(taskId)
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId: '', status: { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: undefined }, metadata: undefined }))
    await Promise.resolve()
  }
}

/** The official server on a loopback port; with a password, on its card too. */
async function serve({ password, port = 0 }: { readonly password?: string; readonly port?: number } = {}): Promise<{ url: string; port: number; agent: Counting }> {
  const agent = new Counting()
  const app = express()
  const server: Server = createServer(app)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const taken = (server.address() as AddressInfo).port
  const url = `http://127.0.0.1:${taken}`
  const card: AgentCard = {
    name: 'counter', description: 'counts', version: '1', provider: undefined, securitySchemes: {}, securityRequirements: [], signatures: [], skills: [],
    supportedInterfaces: [{ url: `${url}/rpc`, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
    capabilities: { streaming: true, pushNotifications: false, extensions: [] }, defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'],
  }
  const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), agent)
  if (password !== undefined) app.use((request, response, next) => (request.headers.authorization === password ? next() : void response.status(401).end()))
  app.use('/.well-known/agent-card.json', agentCardHandler({ agentCardProvider: handler }))
  app.use('/rpc', jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }))
  open.push(() => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())))
  return { url, port: taken, agent }
}

async function hire(url: string, headers: Record<string, string> = {}): Promise<{ troupe: Troupe; ref: Ref<(typeof Agent)['specs']> }> {
  const troupe = await createTroupe()
  open.push(() => troupe.stop())
  return { troupe, ref: troupe.spawn('counter', remoteAgent({ url, headers })) }
}

async function all(ref: Ref<(typeof Agent)['specs']>, input: string): Promise<AgentChunk[]> {
  const chunks: AgentChunk[] = []
  for await (const chunk of ref.stream({ type: 'run', input })) chunks.push(chunk)
  return chunks
}

describe('a remote agent', () => {
  test('streams what it says, and ends with the whole of it', async () => {
    const { ref } = await hire((await serve()).url)
    const chunks = await all(ref, 'count')
    expect(chunks.map((chunk) => (chunk.kind === 'text' || chunk.kind === 'thought' ? [chunk.kind, chunk.text] : [chunk.kind]))).toEqual([['thought', 'counting'], ['text', 'one '], ['text', 'two '], ['text', 'three'], ['done']])
    expect(chunks.at(-1)).toMatchObject({ speaker: 'counter', text: 'one two three', finish: 'stop' })
  })

  test('answers with one message as well as with a task', async () => {
    const { ref } = await hire((await serve()).url)
    expect(await ref.ask({ type: 'answer', input: 'hello' })).toMatchObject({ text: 'hello back', finish: 'stop' })
    expect(await ref.ask({ type: 'answer', input: 'count' })).toMatchObject({ text: 'one two three' })
  })

  test('asks back, refuses and fails in its own words', async () => {
    const { ref } = await hire((await serve()).url)
    expect(await ref.ask({ type: 'answer', input: 'which?' })).toMatchObject({ text: 'up or down?', finish: 'stop' })
    expect(await ref.ask({ type: 'answer', input: 'refuse' })).toMatchObject({ text: 'I do not count', finish: 'refused' })
    await expect(ref.ask({ type: 'answer', input: 'fail' })).rejects.toThrow('lost count')
    await expect(ref.ask({ type: 'answer', input: 'vanish' })).rejects.toThrow('in the middle of a task')
  })

  test('hears earlier turns, and under a key keeps to one conversation', async () => {
    const { url, agent } = await serve()
    const { troupe } = await hire(url)
    const counters = troupe.keyed('talk', remoteAgent({ url }))
    await counters('ada').ask({ type: 'answer', input: 'count', messages: [{ role: 'user', content: 'hi' }, { role: 'assistant', content: 'yes?' }] })
    await counters('ada').ask({ type: 'answer', input: 'hello' })
    expect(agent.heard).toEqual([{ texts: ['Earlier in the conversation:\nuser: hi\nassistant: yes?', 'count'], conversation: 'ada' }, { texts: ['hello'], conversation: 'ada' }])
  })

  test('is given images and sounds as they are, bytes or blobs', async () => {
    const { url, agent } = await serve()
    const { troupe } = await hire(url)
    const blobs = memoryBlobs()
    const [picture, sound] = [[0x89, 0x50, 0x4e, 0x47], [0x49, 0x44, 0x33, 1]]
    const parts = [{ type: 'image' as const, blob: new Uint8Array(picture) }, { type: 'audio' as const, blob: await blobs.put(new Uint8Array(sound)) }, { type: 'text' as const, text: 'hello' }]
    expect(await troupe.spawn('seer', remoteAgent({ url, blobs })).ask({ type: 'answer', input: 'look', parts })).toMatchObject({ text: 'hello back' })
    expect(agent.files).toEqual([['image/png', picture], ['audio/mpeg', sound]])
    expect(agent.heard[0]?.texts.filter((each) => each !== '')).toEqual(['look', 'hello'])
  })

  test('calls its task off when the reader leaves, and when the asker does', async () => {
    const { url, agent } = await serve()
    const { ref } = await hire(url)
    for await (const chunk of ref.stream({ type: 'run', input: 'forever' })) if (chunk.kind === 'thought') break
    expect(await agent.cancelled).not.toBe('')

    const second = await serve()
    const { ref: other } = await hire(second.url)
    const leaving = new AbortController()
    const answer = other.ask({ type: 'answer', input: 'forever' }, { signal: leaving.signal })
    answer.catch(() => {})
    while (second.agent.heard.length === 0) await new Promise((resolve) => setImmediate(resolve))
    leaving.abort()
    await expect(answer).rejects.toMatchObject({ code: 'Cancelled' })
    expect(await second.agent.cancelled).not.toBe('')
  })

  test('shows its pass on every request, and says what is wrong without one', async () => {
    const { url } = await serve({ password: 'Bearer open sesame' })
    expect(await (await hire(url, { authorization: 'Bearer open sesame' })).ref.ask({ type: 'answer', input: 'hello' })).toMatchObject({ text: 'hello back' })
    await expect((await hire(url)).ref.ask({ type: 'answer', input: 'hello' })).rejects.toThrow(url)
  })

  test('is found again once it is back', async () => {
    const { url, port } = await serve()
    const close = open.pop() as () => Promise<unknown>
    await close()
    const { ref } = await hire(url)
    await expect(ref.ask({ type: 'answer', input: 'hello' })).rejects.toThrow(url)
    await serve({ port })
    expect(await ref.ask({ type: 'answer', input: 'hello' })).toMatchObject({ text: 'hello back' })
  })
})
