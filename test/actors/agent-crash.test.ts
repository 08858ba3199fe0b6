// The process dies after each single commit in turn: what a run has on record is neither paid nor done a second time.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, protocol, request, type Definition, type Kernels, type OpenStore } from 'troupe'
import { actorTools, agent, human, parallel, sequence, tool, type Agent, type AgentOutcome } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { cutStore } from '../runtime/cut-store.js'

type Specs = (typeof Agent)['specs']
interface Message {
  readonly role: string
  readonly content: string
}

/** What was done outside of the troupe, over all lives. */
interface World {
  readonly modelCalls: string[]
  readonly keys: string[]
  readonly asked: string[]
}
const scripted = { modelId: 'm', provider: 'home', doStream: () => Promise.reject(new Error('the host says it')) }
const usage = { promptTokens: 10, completionTokens: 2 }

/** Says its text in two parts; which turn it is shows in the messages. */
function model(world: World, script: (messages: readonly Message[]) => { text: string; toolCalls?: object[] }): Kernels {
  return {
    infer: (_, __, input) => {
      const { messages } = input as { messages: readonly Message[] }
      world.modelCalls.push(messages.map(({ role, content }) => `${role} ${content}`).join(' | '))
      const said = { ...script(messages), usage, finishReason: 'stop' }
      return Object.assign(Promise.resolve(said), {
        async *[Symbol.asyncIterator]() {
          yield { text: said.text.slice(0, 2) }
          yield { text: await Promise.resolve(said.text.slice(2)) }
        },
      })
    },
  }
}
const call = (name: string, input: object, at = 0) => ({ id: `call-${name}-${at}`, name, input: JSON.stringify(input) })
const results = (messages: readonly Message[]): number => messages.filter(({ role }) => role === 'tool').length

const Till = protocol({ refund: request(z.object({ cents: z.number() }), z.string()) })
const till = (world: World) => actor(Till, { durable: true, on: { refund: ({ cents }, me) => me.step('book', ({ idempotencyKey }) => (world.keys.push(idempotencyKey), `refunded ${cents}`)) } })

/** Looks two things up at once, asks a person whether it may pay, refunds by another durable actor, and answers. */
function clerk(world: World): Definition<Specs> {
  const noted = (name: string, approve = false) => tool({ name, input: z.object({ n: z.number() }), approve, run: ({ n }, { idempotencyKey }) => (world.keys.push(idempotencyKey), `${name} ${n}`) })
  return agent({ model: scripted, durable: true, memory: true, tools: [noted('look'), noted('pay', true), ...actorTools({ protocol: Till, address: 'till' })], approver: { address: 'human/ada' } })
}
const turns = (messages: readonly Message[]) => {
  if (messages[0]?.content.startsWith('write')) return { text: 'written up' }
  switch (results(messages)) {
    case 0:
      return { text: 'Let me see.', toolCalls: [call('look', { n: 1 }), call('look', { n: 2 }, 1)] }
    case 2:
      return { text: '', toolCalls: [call('pay', { n: 3 })] }
    case 3:
      return { text: '', toolCalls: [call('till_refund', { cents: 4 })] }
    default:
      return { text: messages.filter(({ role }) => role === 'tool').map(({ content }) => content).join(', ') }
  }
}

/** Each with how many models are asked at once. */
const worlds: readonly [string, number, (world: World) => Definition<Specs>][] = [
  ['an agent', 1, clerk],
  // The members are there already, so that each is durable by itself.
  ['a team of durable agents', 1, () => sequence({ clerk: 'clerk', writer: 'writer' }, { durable: true })],
  ['a team at work side by side within a budget', 2, () => parallel({ clerk: 'clerk', writer: 'writer' }, { durable: true, budget: { tokens: 10_000, ms: 3_600_000 } })],
]

async function life(store: OpenStore, world: World, made: (world: World) => Definition<Specs>) {
  const clock = virtualClock()
  const troupe = await createTroupe({ store, clock, host: model(world, turns), log: () => {} })
  troupe.spawn('till', till(world))
  const person = troupe.keyed('human', human())('ada')
  troupe.spawn('clerk', clerk(world))
  troupe.spawn('writer', agent({ model: scripted, durable: true, instructions: 'write' }))
  const ref = troupe.spawn('run', made(world))
  let outcome: AgentOutcome | undefined
  ref.ask({ type: 'answer', input: 'go', run: 'the run' }, { timeout: 'none' }).then((value) => (outcome = value), () => {})
  const questions = new Set<string>()
  for (let minute = 0; minute < 6; minute++) {
    await clock.settle()
    void person.ask({ type: 'list' }).then(async (open) => {
      for (const { id } of open) {
        questions.add(id)
        await person.ask({ type: 'decide', id, approved: true, by: 'Ada' })
      }
    }).catch(() => {})
    await clock.advance('1m')
  }
  world.asked.push(...questions)
  return outcome
}

test.each(worlds)('%s whose process dies after each commit goes on where it was', async (_, atOnce, made) => {
  const world = (): World => ({ modelCalls: [], keys: [], asked: [] })
  const whole = world()
  const counted = cutStore(memory(), Infinity)
  const expected = await life(counted.store, whole, made)
  expect(expected).toMatchObject({ finish: 'stop' })
  expect([new Set(whole.keys).size, new Set(whole.asked).size]).toEqual([4, 1])
  const commits = counted.count
  expect(commits).toBeGreaterThan(15)
  let again = 0
  for (let kept = 2; kept <= commits; kept++) {
    const disk = memory()
    const both = world()
    await life(cutStore(disk, kept).store, both, made)
    expect(await life(disk, both, made)).toEqual(expected)
    // A call that was cut off before its record is made once more, with the same question: never one that has a record.
    expect(new Set(both.modelCalls)).toEqual(new Set(whole.modelCalls))
    expect(both.modelCalls.length - whole.modelCalls.length).toBeLessThanOrEqual(atOnce)
    // Two tools run side by side, so two may be cut off at once. Each has the key that it had.
    expect(new Set(both.keys).size).toBe(4)
    expect(both.keys.length - whole.keys.length).toBeLessThanOrEqual(2)
    expect(new Set(both.asked).size).toBe(1)
    again += both.modelCalls.length + both.keys.length - whole.modelCalls.length - whole.keys.length
  }
  // It did happen that something was cut off.
  expect(again).toBeGreaterThan(2)
})
