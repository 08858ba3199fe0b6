import { afterEach, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { Agent, performer, type AgentChunk, type AgentUsage } from 'troupe/actors'

const NOTHING: AgentUsage = { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 }

let troupe: Troupe
afterEach(() => troupe.stop())

test('one generator serves a reader of the stream and who wants the outcome alone', async () => {
  troupe = await createTroupe()
  const echo = troupe.spawn('echo', performer(async function* ({ input }, me) {
    yield { kind: 'text', speaker: me.id, text: input }
    yield { kind: 'done', speaker: me.id, text: input, finish: 'stop', usage: NOTHING }
  }))
  const chunks: AgentChunk[] = []
  for await (const chunk of echo.stream({ type: 'run', input: 'hello' })) chunks.push(chunk)
  expect(chunks.map(({ kind, speaker }) => [kind, speaker])).toEqual([['text', 'echo'], ['done', 'echo']])
  expect(await troupe.ref(Agent, 'echo').ask({ type: 'answer', input: 'hello' })).toEqual({ speaker: 'echo', text: 'hello', finish: 'stop', usage: NOTHING })
})

test('a run that ends without an outcome is a failure, not an empty answer', async () => {
  troupe = await createTroupe()
  const mute = troupe.spawn('mute', performer(async function* (_, me) {
    yield { kind: 'text', speaker: me.id, text: 'well …' }
  }))
  await expect(mute.ask({ type: 'answer', input: 'hello' })).rejects.toMatchObject({ code: 'ActorFailed' })
})

const failing = async function* (done: Promise<string>): AsyncGenerator<AgentChunk> {
  yield { kind: 'done', speaker: 'worker', text: await done, finish: 'stop', usage: NOTHING }
}

test('a run that fails leaves those beside it be', async () => {
  troupe = await createTroupe({ log: () => {} })
  let mayEnd: (text: string) => void = () => {}
  const slow = new Promise<string>((resolve) => (mayEnd = resolve))
  const worker = troupe.spawn('worker', performer(({ input }) => failing(input === 'slow' ? slow : Promise.reject(new Error('out of order'))), { concurrency: 2 }))
  const beside = worker.ask({ type: 'answer', input: 'slow' })
  await expect(worker.ask({ type: 'answer', input: 'fail' })).rejects.toThrow('out of order')
  mayEnd('here you are')
  expect((await beside).text).toBe('here you are')
})

test('and keeps what its actor has in mind', async () => {
  troupe = await createTroupe({ log: () => {} })
  const worker = troupe.spawn('worker', performer<string[]>(({ input }, me) => failing(input === 'fail' ? Promise.reject(new Error('out of order')) : Promise.resolve((me.state = [...me.state, input]).join(' '))), { state: () => [] }))
  await worker.ask({ type: 'answer', input: 'one' })
  await expect(worker.ask({ type: 'answer', input: 'fail' })).rejects.toThrow('out of order')
  expect((await worker.ask({ type: 'answer', input: 'two' })).text).toBe('one two')
})
