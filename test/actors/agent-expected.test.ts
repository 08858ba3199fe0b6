// What whoever comes from another framework looks for in an agent.
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, type Troupe } from 'troupe'
import { agent, agentTool, human, HumanNews, parallel, performer, personTool, sequence, tool, type AgentChunk, type AgentOptions, type AgentTask } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { says, stuck, upper, usage } from './members.js'
import { called, nobody, scriptedHost, type Message, type Said } from './scripted-model.js'

let troupe: Troupe
afterEach(() => troupe.stop())

async function open(script: (messages: readonly Message[], at: number) => Said) {
  const host = scriptedHost(script)
  const clock = virtualClock()
  troupe = await createTroupe({ host, clock, store: memory(), log: () => {} })
  const hire = (options: AgentOptions = {}) => troupe.spawn('agent', agent({ model: nobody, ...options }))
  return { host, clock, hire }
}
async function read(chunks: AsyncIterable<AgentChunk>): Promise<AgentChunk[]> {
  const all: AgentChunk[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}
const run = (task: Partial<AgentTask> = {}) => ({ type: 'run', input: 'go', ...task }) as const
const done = (chunks: readonly AgentChunk[]) => chunks.at(-1) as AgentChunk & { kind: 'done' }
const toolTurns = (messages: readonly Message[] = []) => messages.filter(({ role }) => role === 'tool').map(({ content }) => content)

describe('an agent as a tool of another', () => {
  const once = (name: string) => (messages: readonly Message[]): Said => (messages.at(-1)?.role === 'tool' ? { text: `heard: ${messages.at(-1)?.content}` } : { toolCalls: [called(name, { task: 'tea' })] })

  test('says what it does on the way, and what it spends counts', async () => {
    const { hire } = await open(once('expert'))
    const expert = troupe.spawn('expert', sequence({ upper }))
    const chunks = await read(hire({ tools: [agentTool(expert, { name: 'expert', description: 'shouts' })] }).stream(run()))
    expect(chunks.map((chunk) => `${chunk.speaker} ${chunk.kind}`)).toEqual(['agent usage', 'agent tool-call', 'expert turn', 'expert>upper turn', 'expert>upper thought', 'agent tool-result', 'agent text', 'agent text', 'agent usage', 'agent done'])
    expect(done(chunks)).toMatchObject({ text: 'heard: TEA', usage: { steps: 3, promptTokens: 22, completionTokens: 13 } })
  })

  test('gets no more than is left, and the task’s context', async () => {
    const given: Partial<AgentTask>[] = []
    const { host, hire } = await open((_, at) => (at === 0 ? { toolCalls: ['a', 'b'].map((id) => called('expert', { task: id }, id)) } : at === 1 ? { toolCalls: [called('expert', { task: 'c' })] } : { text: 'ok' }))
    const expert = troupe.spawn('expert', says((input, task) => (given.push(task), input)))
    const { usage: spent } = await hire({ tools: [agentTool(expert, { name: 'expert' })], budget: { steps: 5, tokens: 1_000, ms: 60_000 } }).ask({ type: 'answer', input: 'go', context: { user: 'ada' } })
    expect(given.map(({ budget, context }) => [budget, context])).toEqual([[{ steps: 2, tokens: 492, ms: 60_000 }, { user: 'ada' }], [{ steps: 2, tokens: 492, ms: 60_000 }, { user: 'ada' }], [{ steps: 1, tokens: 960, ms: 60_000 }, { user: 'ada' }]])
    // Two of its own, two of the expert's, and one that is the expert's too, so that nobody is left to answer.
    expect([spent.steps, host.asked.length, given.length]).toEqual([5, 2, 3])
  })

  test('that fails is told of, that refuses too, and is called off with the run', async () => {
    const notes: string[] = []
    const { host, hire, clock } = await open((messages) => (toolTurns(messages).length > 0 ? { toolCalls: [called('endless', { task: 'on' })] } : { toolCalls: [called('broken', { task: 'x' }), called('prim', { task: 'x' }), called('broken', {}, 'z')] }))
    const broken = troupe.spawn('broken', says(() => Promise.reject(new Error('out of order'))))
    const prim = troupe.spawn('prim', performer(async function* (_, me) { yield { kind: 'done', speaker: me.id, text: 'I will not', finish: 'refused', usage } }))
    const endless = troupe.spawn('endless', parallel({ one: stuck(notes, 'one'), two: stuck(notes, 'two') }))
    const tools = [agentTool(broken, { name: 'broken' }), agentTool(prim, { name: 'prim' }), agentTool(endless, { name: 'endless' })]
    const begun = new Set<string>()
    for await (const chunk of hire({ tools }).stream(run(), { timeout: 'none' })) if (chunk.kind === 'thought' && begun.add(chunk.text).size === 2) break
    await clock.settle()
    expect(toolTurns(host.asked[1]?.messages)).toEqual([expect.stringContaining('out of order'), 'I will not', expect.stringContaining('task: expected text')])
    expect(notes.toSorted()).toEqual(['one called off', 'two called off'])
  })

  test('waits for a reader who takes nothing', async () => {
    const { clock, hire } = await open(once('expert'))
    let said = 0
    const talker = performer(async function* (_, me) {
      for (; said < 5_000; said++) yield { kind: 'text', speaker: me.id, text: 'on ' }
      yield { kind: 'done', speaker: me.id, text: 'TEA', finish: 'stop', usage }
    })
    const stream = hire({ tools: [agentTool(troupe.spawn('expert', talker), { name: 'expert' })] }).stream(run(), { timeout: 'none' })[Symbol.asyncIterator]()
    await stream.next()
    await clock.settle()
    expect(said).toBeGreaterThan(64)
    expect(said).toBeLessThan(1_000)
    for (let next = await stream.next(); next.done !== true; next = await stream.next());
    expect(said).toBe(5_000)
  })

  test('is asked once by a durable one, whatever it says on the way', async () => {
    let asked = 0
    const { hire } = await open(once('expert'))
    const expert = troupe.spawn('expert', says((input) => (asked++, input.toUpperCase())))
    const chunks = await read(hire({ durable: true, tools: [agentTool(expert, { name: 'expert' })] }).stream(run()))
    expect([asked, done(chunks).text, chunks.some(({ kind, speaker }) => kind === 'thought' && speaker === 'expert')]).toEqual([1, 'heard: TEA', true])
  })
})

test('a tool may have the last word, past the guardrail that looks at what goes out', async () => {
  const { host, hire } = await open(() => ({ text: 'I look it up', toolCalls: [called('look'), called('note')] }))
  const tools = [tool({ name: 'look', input: z.object({}), answers: true, run: () => ({ price: 7 }) }), tool({ name: 'note', input: z.object({}), run: () => 'noted' })]
  const ref = hire({ tools, guard: { output: (text) => ({ verdict: 'redact', text: text.replace('7', '#') }) } })
  expect(done(await read(ref.stream(run())))).toMatchObject({ text: '{"price":#}', finish: 'stop', usage: { steps: 1 } })
  // A value that the guardrail touched is what it left of it, which here is none.
  expect((await ref.ask({ type: 'answer', input: 'go', schema: { type: 'object' } })).value).toBeUndefined()
  expect(host.asked).toHaveLength(2)
})

describe('a person who allows a tool', () => {
  async function decided(changes: Record<string, unknown>) {
    const paid: number[] = []
    const world = await open((messages) => (messages.at(-1)?.role === 'tool' ? { text: 'ok' } : { toolCalls: [called('pay', { cents: 900, to: 'Bob' })] }))
    const person = troupe.keyed('human', human())('ada')
    const on = { asked: ({ question: { id } }: { question: { id: string } }) => void person.ask({ type: 'decide', id, approved: true, by: 'Ada', changes }), reminded: () => {}, delegated: () => {}, returned: () => {}, closed: () => {} }
    troupe.subscribe('human.ada', troupe.spawn('front', actor(HumanNews, { on })))
    const pay = tool({ name: 'pay', input: z.object({ cents: z.number(), to: z.string() }), approve: true, run: ({ cents, to }) => (paid.push(cents), `paid ${cents} to ${to}`) })
    const chunks = await read(world.hire({ tools: [pay], approver: person }).stream(run()))
    return { paid, chunks, told: toolTurns(world.host.asked[1]?.messages)[0] }
  }

  test('may change what it is used with, and the model is told', async () => {
    const { paid, chunks, told } = await decided({ cents: 500 })
    expect(paid).toEqual([500])
    expect(told).toBe('The person who was asked changed the input to {"cents":500,"to":"Bob"}\npaid 500 to Bob')
    expect(chunks).toContainEqual(expect.objectContaining({ kind: 'approval', state: 'granted', by: 'Ada', changes: { cents: 500 } }))
  })

  test('but not to what the tool does not take', async () => {
    const { paid, told } = await decided({ cents: 'a lot' })
    expect(paid).toEqual([])
    expect(told).toContain('not done: the person who was asked changed the input')
  })
})

test('a decision with changes is the same decision when it is said again, and another one with others', async () => {
  await open(() => ({}))
  const ada = troupe.keyed('human', human())('ada')
  const asked = ada.ask({ type: 'approve', question: 'Pay?', id: 'q' }, { timeout: 'none' })
  const yes = { type: 'decide', id: 'q', approved: true, by: 'Ada', changes: { cents: 5 } } as const
  expect(await ada.ask(yes)).toEqual(await ada.ask(yes))
  expect(await asked).toMatchObject({ approved: true, changes: { cents: 5 } })
  await expect(ada.ask({ ...yes, changes: { cents: 6 } })).rejects.toMatchObject({ code: 'Gone' })
  await expect(ada.ask({ ...yes, changes: { note: 'x'.repeat(10_000) } })).rejects.toMatchObject({ code: 'InvalidMessage' })
})

describe('a question of the model’s own to a person', () => {
  const asks = (messages: readonly Message[]): Said => (messages.at(-1)?.role === 'tool' ? { text: `they said ${messages.at(-1)?.content}` } : { toolCalls: [called('ask_person', { question: 'Which colour?', options: ['red', 'blue'] })] })

  test.each([false, true])('waits for days, and brings the answer (durable: %s)', async (durable) => {
    const { clock, hire } = await open(asks)
    const person = troupe.keyed('human', human())('ada')
    const asked = hire({ durable, tools: [personTool(person, { remindAfter: ['1d'] })] }).ask({ type: 'answer', input: 'go' }, { timeout: 'none' })
    await clock.advance('3d')
    const [question] = await person.ask({ type: 'list' })
    expect(question).toMatchObject({ question: 'Which colour?', options: ['red', 'blue'], askedBy: 'agent', reminded: 1 })
    await person.ask({ type: 'reply', id: question?.id ?? '', answer: 'blue', by: 'Ada' })
    expect((await asked).text).toBe('they said blue')
  })

  test('expires with an answer or with the news that there is none, and is withdrawn with the run', async () => {
    const { clock, hire } = await open(asks)
    const person = troupe.keyed('human', human())('ada')
    const expiring = hire({ tools: [personTool(person, { expiresIn: '1d', otherwise: 'red' })] }).ask({ type: 'answer', input: 'go' }, { timeout: 'none' })
    await clock.advance('2d')
    expect((await expiring).text).toBe('they said red')
    const other = troupe.spawn('other', agent({ model: nobody, tools: [personTool(person, { expiresIn: '1d' })] }))
    const silent = other.ask({ type: 'answer', input: 'go' }, { timeout: 'none' })
    await clock.advance('2d')
    expect((await silent).text).toContain('DeadlineExceeded')
    for await (const { kind } of other.stream(run(), { timeout: 'none' })) if (kind === 'tool-call') break
    await clock.settle()
    expect(await person.ask({ type: 'list' })).toEqual([])
  })
})

test('each model call has an end, also where the run has none', async () => {
  const { clock, host, hire } = await open(() => ({ text: 'ok' }))
  await hire().ask({ type: 'answer', input: 'go' }, { timeout: 'none' })
  await timed('timed', { budget: { ms: 5_000 } })
  expect(host.deadlines).toEqual([clock.now() + 600_000, clock.now() + 5_000])

  function timed(name: string, options: AgentOptions) {
    return troupe.spawn(name, agent({ model: nobody, ...options })).ask({ type: 'answer', input: 'go' })
  }
})

test('a fact that no longer holds is forgotten, and a tool of one’s own keeps its name', async () => {
  const lines = [{ toolCalls: [called('remember', { fact: 'Ada lives in Rome.' })] }, { text: 'ok' }, { toolCalls: [called('forget', { fact: 'Ada lives in Oslo.' }), called('forget', { fact: 'Ada lives in Rome.' }, 'b')] }, { text: 'ok' }, { text: 'ok' }]
  const host = scriptedHost((_, at) => lines[at] ?? {})
  const infer = host.infer.bind(host)
  troupe = await createTroupe({ clock: virtualClock(), host: { infer: (task, ...rest) => (task === 'embed' ? Object.assign(Promise.resolve([Float32Array.of(1)]), { async *[Symbol.asyncIterator]() {} }) : infer(task, ...rest)) } })
  const mine = tool({ name: 'forget_me', input: z.object({}), run: () => 'mine' })
  const ref = troupe.spawn('agent', agent({ model: nobody, memory: { facts: true }, tools: [mine] }))
  for (const input of ['I live in Rome', 'I moved', 'where?']) await ref.ask({ type: 'answer', input })
  expect(toolTurns(host.asked[3]?.messages)).toEqual([expect.stringContaining('no such fact'), 'forgotten'])
  expect(host.asked[2]?.messages[0]?.content).toContain('- Ada lives in Rome.')
  expect(JSON.stringify(host.asked[4]?.messages)).not.toContain('What you remember')
  expect(host.asked[0]?.tools?.map(({ name }) => name)).toEqual(['forget_me', 'remember', 'forget'])
})

test('a guardrail that never answers lets nothing through', async () => {
  const { clock, hire } = await open(() => ({ text: 'secret' }))
  const answered = hire({ guard: { output: () => new Promise(() => {}) } }).ask({ type: 'answer', input: 'go' }, { timeout: 'none' })
  const failed = expect(answered).rejects.toThrow('guard output of agent took longer than 60s')
  await clock.settle()
  await clock.advance('61s')
  await failed
})

test('instructions may be made of the task', async () => {
  const { host, hire } = await open(() => ({ text: 'ok' }))
  await hire({ instructions: ({ context = {} }) => `You speak with ${String(context['user'])}.` }).ask({ type: 'answer', input: 'hi', context: { user: 'Ada' } })
  expect(host.asked[0]?.messages[0]).toEqual({ role: 'system', content: 'You speak with Ada.' })
})

test('an answer has its form on top of tools, and is mended with the tools at hand', async () => {
  const look = tool({ name: 'look', input: z.object({}), run: () => '30' })
  const { host, hire } = await open((_, at) => [{ toolCalls: [called('look')] }, { text: '{"days":"30"}', value: { days: '30' } }, { toolCalls: [called('look')] }, { text: '{"days":30}', value: { days: 30 } }][at] ?? {})
  expect(await hire({ tools: [look], output: z.object({ days: z.number() }) }).ask({ type: 'answer', input: 'how long?' })).toMatchObject({ value: { days: 30 }, usage: { steps: 4 } })
  expect(host.asked.every(({ tools, schema }) => tools?.length === 1 && schema !== undefined)).toBe(true)
})

test('a conversation, its summary and its facts outlast the process', async () => {
  const store = memory()
  const script = (messages: readonly Message[]): Said => {
    if (messages[0]?.content.startsWith('Summarise') === true) return { text: 'They spoke of tea.' }
    const last = messages.at(-1)?.content ?? ''
    return last.startsWith('keep') ? { toolCalls: [called('remember', { fact: last.slice(5) })] } : { text: last === 'remembered' ? 'I will.' : 'words and words '.repeat(30) }
  }
  const definition = agent({ model: nobody, durable: true, contextTokens: 700, maxTokens: 100, memory: { facts: { recalled: 1 } } })
  for (let day = 0; day < 3; day++) {
    const host = scriptedHost(script)
    // Facts are told apart by one number each here: how much they speak of tea.
    const infer = host.infer.bind(host)
    const vectors = (texts: readonly string[]) => texts.map((text) => Float32Array.from(text.includes('tea') ? [1, 0] : [0, 1]))
    troupe = await createTroupe({ store, clock: virtualClock(), log: () => {}, host: { infer: (task, model, input, how) => (task === 'embed' ? Object.assign(Promise.resolve(vectors(input as string[])), { async *[Symbol.asyncIterator]() {} }) : infer(task, model, input, how)) } })
    const ref = troupe.spawn('agent', definition)
    const say = (input: string) => ref.ask({ type: 'answer', input })
    if (day === 0) for (const line of ['keep Ada drinks tea.', 'keep Bob has a dog.', 'one', 'two', 'three', 'four']) await say(line)
    else await say('And tea?')
    const system = host.asked.at(-1)?.messages[0]?.content ?? ''
    if (day > 0) {
      expect(system).toContain('They spoke of tea.')
      expect(system).toContain('- Ada drinks tea.')
      expect(system).not.toContain('Bob')
      expect(host.asked.at(-1)?.messages.length).toBeGreaterThan(2)
    }
    if (day < 2) await troupe.stop()
  }
})
