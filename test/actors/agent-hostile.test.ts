// Models, tools and people at their worst: a run ends, in a named way, and leaves nothing behind.
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, protocol, request, TroupeError, type Schema, type Troupe } from 'troupe'
import { actorTools, agent, human, tool, type AgentChunk, type AgentOptions, type AgentTask } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { called, nobody, scriptedHost, type Message, type Said } from './scripted-model.js'

let troupe: Troupe
afterEach(() => troupe.stop())

async function open(script: (messages: readonly Message[], at: number) => Said, options: AgentOptions = {}) {
  const host = scriptedHost(script)
  const clock = virtualClock()
  troupe = await createTroupe({ host, clock, store: memory(), log: () => {} })
  const ref = troupe.spawn('agent', agent({ model: nobody, ...options }))
  const answer = (task: Partial<AgentTask> = {}) => ref.ask({ type: 'answer', input: 'go', ...task }, { timeout: 'none' })
  return { host, clock, ref, answer }
}
async function read(chunks: AsyncIterable<AgentChunk>): Promise<AgentChunk[]> {
  const all: AgentChunk[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}
const told = (chunks: readonly AgentChunk[]): unknown[] => chunks.flatMap((chunk) => (chunk.kind === 'tool-result' ? [chunk.output] : []))
const turn = () => new Promise((resolve) => setImmediate(resolve))
const look = tool({ name: 'look', input: z.object({ at: z.string() }), run: ({ at }) => `seen ${at}` })

describe('a model', () => {
  test('that writes without end is cut off, with what there was', async () => {
    const { host, answer } = await open(() => ({ endless: 'and on and on ' }), { maxTokens: 50 })
    const { finish, text, usage } = await answer()
    expect(finish).toBe('length')
    expect(text.length).toBeLessThan(5_000)
    expect(usage.completionTokens).toBeGreaterThan(50)
    expect(host.open).toBe(0)
  })

  test('that makes the same call for ever ends with its steps', async () => {
    const { host, answer } = await open(() => ({ toolCalls: [called('look', { at: 'the clock' })] }), { tools: [look] })
    expect(await answer()).toMatchObject({ finish: 'steps', usage: { steps: 12 } })
    expect(host.asked).toHaveLength(12)
  })

  test('that gives megabytes of arguments is told so, and neither reads them again nor shows them', async () => {
    const flood = JSON.stringify({ at: 'x'.repeat(10_000_000) })
    const { host, ref } = await open((_, at) => (at === 0 ? { toolCalls: [called('look', flood)] } : { text: 'sorry' }), { tools: [look] })
    const chunks = await read(ref.stream({ type: 'run', input: 'go' }))
    expect(told(chunks)).toEqual([expect.stringContaining('at most')])
    expect(JSON.stringify([chunks, host.asked]).length).toBeLessThan(20_000)
    expect(chunks.at(-1)).toMatchObject({ text: 'sorry', finish: 'stop' })
  })

  test('whose calls are no calls is told what is wrong with each', async () => {
    const odd = [{ id: 7, name: undefined, input: { at: 'home' } }, { name: '__proto__', input: '{}' }, called('look', '[1,2'), called('look', 'null'), called('look', '{"__proto__":{"at":"x"}}')]
    const { ref } = await open((_, at) => (at === 0 ? { toolCalls: odd } : { text: 'ok' }), { tools: [look] })
    const chunks = await read(ref.stream({ type: 'run', input: 'go' }))
    expect(told(chunks)).toHaveLength(5)
    expect(chunks.every((chunk) => chunk.kind !== 'tool-result' || !chunk.ok)).toBe(true)
    expect(chunks.at(-1)).toMatchObject({ finish: 'stop', text: 'ok' })
  })

  test('that stops in the middle of a call, or of its JSON, has another try; one that never mends it is given up', async () => {
    const cut = await open((_, at) => (at === 0 ? { toolCalls: [called('look', '{"at":"the cl')], finishReason: 'length' } : { text: 'ok' }), { tools: [look] })
    expect(await cut.answer()).toMatchObject({ text: 'ok', finish: 'stop' })
    await troupe.stop()
    const noJson = () => new TroupeError('ModelFailed', 'it did not write JSON', 'choose another', { reason: 'no-json', text: 'well,' })
    const garbage = await open((_, at) => (at === 0 ? { text: 'well,', error: noJson() } : { text: '{"n":1}', value: { n: 1 } }), { output: z.object({ n: z.number() }) })
    expect(await garbage.answer()).toMatchObject({ value: { n: 1 }, usage: { steps: 2 } })
    expect(garbage.host.asked[1]?.messages.at(-1)?.content).toContain('not JSON')
    await troupe.stop()
    const never = await open(() => ({ text: 'well,', error: noJson() }), { output: z.object({ n: z.number() }) })
    await expect(never.answer()).rejects.toThrow('erred 3 times in a row')
    await troupe.stop()
    const long = new TroupeError('ModelFailed', 'the JSON was not complete', 'more tokens', { reason: 'cut-by-limit', text: '{"n":' })
    const short = await open(() => ({ text: '{"n":', error: long }), { output: z.object({ n: z.number() }) })
    expect(await short.answer()).toMatchObject({ finish: 'length', text: '{"n":' })
  })

  test('whose provider does not count its tokens is counted by an estimate', async () => {
    const { answer } = await open(() => ({ text: 'word '.repeat(40), toolCalls: [called('look', { at: 'x' })], usage: { promptTokens: Number.NaN, completionTokens: 0 } }), { tools: [look], budget: { steps: 100, tokens: 1_000 } })
    const { finish, usage } = await answer()
    expect(finish).toBe('tokens')
    expect(usage.promptTokens).toBeGreaterThan(100)
    expect(usage.completionTokens).toBeGreaterThan(100)
  })

  test('that reads no more than fits: what older tools gave is left out first', async () => {
    const long = tool({ name: 'long', input: z.object({}), run: () => 'words and more of them '.repeat(400) })
    const { host, answer } = await open((messages) => (messages.filter(({ role }) => role === 'tool').length < 6 ? { toolCalls: [called('long')] } : { text: 'done' }), { tools: [long], contextTokens: 8_000, maxTokens: 500 })
    expect(await answer()).toMatchObject({ text: 'done' })
    const last = host.asked.at(-1)?.messages ?? []
    const tools = last.filter(({ role }) => role === 'tool').map(({ content }) => content)
    expect(tools).toHaveLength(6)
    expect(tools[0]).toContain('left out')
    expect(tools.at(-1)).not.toContain('left out')
    // Some four letters make a token.
    expect(last.reduce((sum, { content }) => sum + content.length, 0)).toBeLessThan(8_000 * 4)
  })
})

describe('a tool', () => {
  const throws = (what: unknown) => () => {
    throw what as Error
  }
  const no = throws(new Error('no'))
  const weird: readonly [string, () => unknown, string][] = [
    ['throws undefined', throws(undefined), 'undefined'],
    ['throws text', throws('no luck'), 'no luck'],
    ['throws what has no name', throws(Object.create(null)), '{}'],
    ['throws facts', throws({ code: 'E7' }), 'E7'],
    ['throws what cannot be told', throws({ toString: no, toJSON: no }), 'cannot be told'],
    ['gives what is no data', () => ({ at: 1n }), 'told'],
    ['gives a ring', () => { const ring: Record<string, unknown> = {}; ring['ring'] = ring; return ring }, 'told'],
    ['gives a promise that fails', () => Promise.reject(new RangeError('too far')), 'too far'],
  ]
  test.each([false, true])('that throws or gives anything at all is told to the model (durable: %s)', async (durable) => {
    const tools = weird.map(([, run], at) => tool({ name: `tool${at}`, input: z.object({}), run }))
    const { ref, host } = await open((_, at) => (at === 0 ? { toolCalls: tools.map(({ name }) => called(name)) } : { text: 'ok' }), { tools, durable })
    const chunks = await read(ref.stream({ type: 'run', input: 'go' }))
    const outputs = new Map(chunks.flatMap((chunk) => (chunk.kind === 'tool-result' ? [[chunk.tool, chunk] as const] : [])))
    for (const [at, [, , says]] of weird.entries()) expect(outputs.get(`tool${at}`)).toMatchObject({ ok: false, output: expect.stringContaining(says) as string })
    expect(host.asked[1]?.messages.filter(({ role }) => role === 'tool')).toHaveLength(weird.length)
    expect(chunks.at(-1)).toMatchObject({ text: 'ok' })
  })

  test('that gives megabytes is cut for all who read it', async () => {
    const flood = tool({ name: 'flood', input: z.object({}), run: () => ({ text: 'x'.repeat(3_000_000) }) })
    const { ref, host } = await open((_, at) => (at === 0 ? { toolCalls: [called('flood')] } : { text: 'ok' }), { tools: [flood] })
    const chunks = await read(ref.stream({ type: 'run', input: 'go' }))
    expect(told(chunks)).toEqual([expect.stringContaining('[cut:')])
    expect(JSON.stringify([chunks, host.asked]).length).toBeLessThan(200_000)
  })

  test('that never ends is over with its timeout, and one that does not heed its signal holds nobody', async () => {
    const never = tool({ name: 'never', input: z.object({}), timeout: '30s', run: () => new Promise(() => {}) })
    const { clock, answer, host } = await open((_, at) => (at === 0 ? { toolCalls: [called('never')] } : { text: 'gave up' }), { tools: [never] })
    const answered = answer()
    await clock.settle()
    await clock.advance('31s')
    expect(await answered).toMatchObject({ text: 'gave up' })
    expect(host.asked[1]?.messages.at(-1)?.content).toContain('DeadlineExceeded')
  })

  test('whose schema throws is told to the model too', async () => {
    const input: Schema<object> = { '~standard': { version: 1, vendor: 'test', validate: () => { throw new Error('bad schema') } } }
    const strict = tool({ name: 'strict', input, parameters: { type: 'object' }, run: () => 'never' })
    const { ref } = await open((_, at) => (at === 0 ? { toolCalls: [called('strict')] } : { text: 'ok' }), { tools: [strict] })
    expect(told(await read(ref.stream({ type: 'run', input: 'go' })))).toEqual([expect.stringContaining('bad schema')])
  })
})

describe('many at once', () => {
  test('an agent without memory works on runs side by side, one with memory on one after the other', async () => {
    for (const remembers of [false, true]) {
      let [now, most] = [0, 0]
      const slow = tool({ name: 'slow', input: z.object({}), run: async () => { most = Math.max(most, ++now); await turn(); await turn(); now-- } })
      const { answer } = await open((messages) => (messages.at(-1)?.role === 'tool' ? { text: 'ok' } : { toolCalls: [called('slow')] }), { tools: [slow], memory: remembers })
      await Promise.all(Array.from({ length: 5 }, (_, at) => answer({ input: `task ${at}` })))
      expect(most).toBe(remembers ? 1 : 5)
      if (!remembers) await troupe.stop()
    }
  })
})

describe('a run that is left at any moment', () => {
  const Slow = protocol({ wait: request(z.object({}), z.string()) })
  let open_ = 0
  const held = async (signal: AbortSignal): Promise<never> => {
    open_++
    return new Promise((_, reject) => signal.addEventListener('abort', () => (open_--, reject(signal.reason as Error)), { once: true }))
  }
  /** Each scene stops at its own place: in a model call, a tool, an actor's request, a question to a person. */
  const scenes: readonly [string, (at: number) => Said][] = [
    ['model', () => ({ text: 'half an answer', stuck: true })],
    ['tools', () => ({ text: 'so', toolCalls: [called('held', {}, 'a'), called('held', {}, 'b')] })],
    ['actor', () => ({ toolCalls: [called('slow_wait')] })],
    ['person', () => ({ toolCalls: [called('pay')] })],
    ['all', (at) => (at === 0 ? { text: 'first', toolCalls: [called('look', { at: 'x' })] } : { toolCalls: [called('held'), called('slow_wait'), called('pay')] })],
  ]
  test.each(scenes.flatMap(([name, script]) => [false, true].map((durable) => [name, durable, script] as const)))('%s, durable: %s', async (_, durable, script) => {
    open_ = 0
    const tools = [look, tool({ name: 'held', input: z.object({}), run: (__, { signal }) => held(signal) }), tool({ name: 'pay', input: z.object({}), approve: true, run: () => 'paid' })]
    const host = scriptedHost((__, at) => script(at))
    const clock = virtualClock()
    troupe = await createTroupe({ host, clock, store: memory(), log: () => {} })
    const person = troupe.keyed('human', human())('ada')
    const slow = troupe.spawn('slow', actor(Slow, { concurrency: 4, on: { wait: (__, me) => held(me.signal) } }))
    const definition = agent({ model: nobody, durable, tools: [...tools, ...actorTools(slow)], approver: person })
    // How much there is to read before it stands still.
    let whole = 0
    for (let leaveAfter = 1; whole === 0; leaveAfter++) {
      host.asked.length = 0
      const ref = troupe.spawn(`agent-${leaveAfter}`, definition)
      const stream = ref.stream({ type: 'run', input: 'go' }, { timeout: 'none' })[Symbol.asyncIterator]()
      for (let got = 0; got < leaveAfter && whole === 0; got++) {
        const next = stream.next()
        const came = await Promise.race([next, clock.settle().then(() => 'still' as const)])
        if (came === 'still') whole = got
      }
      await stream.return?.()
      await clock.settle()
      expect([leaveAfter, host.open, open_, await person.ask({ type: 'list' })]).toEqual([leaveAfter, 0, 0, []])
    }
    expect(whole).toBeGreaterThan(0)
  })
})
