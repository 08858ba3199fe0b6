// Members of teams that keep to a script, and a reader who writes down what a team says.
import { createTroupe, type Definition, type Ref } from 'troupe'
import { performer, type Agent, type AgentChunk, type AgentTask } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'

export type Specs = (typeof Agent)['specs']
type Word = string | { readonly value: unknown }
export const usage = { steps: 1, promptTokens: 2, completionTokens: 3, money: 0 }

/** A member that says what the script makes of its input. */
export const says = (script: (input: string, task: AgentTask) => Word | Promise<Word>) =>
  performer(async function* (task, me) {
    const word = await script(task.input, task)
    const text = typeof word === 'string' ? word : ''
    if (text !== '') yield { kind: 'text', speaker: me.id, text }
    yield { kind: 'done', speaker: me.id, text, finish: 'stop', usage, ...(typeof word === 'object' && { value: word.value }) }
  }, { concurrency: 8 })
export const fails = says(() => Promise.reject(new Error('out of order')))

/** A member that never ends, and notes when it is called off. */
export function stuck(notes: string[], name: string) {
  return performer(async function* (_, me) {
    me.signal.addEventListener('abort', () => notes.push(`${name} called off`))
    yield { kind: 'text', speaker: me.id, text: `${name} begins` }
    await new Promise((_, reject) => me.signal.addEventListener('abort', () => reject(me.signal.reason as Error)))
  })
}

export async function run(definition: Definition<Specs>, input: string) {
  await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
  return heard(troupe.spawn('team', definition), input)
}
/** All that was heard, one line a chunk, and the outcome. */
export async function heard(ref: Ref<Specs>, task: string | AgentTask) {
  const lines: string[] = []
  let done: (AgentChunk & { kind: 'done' }) | undefined
  for await (const chunk of ref.stream({ type: 'run', ...(typeof task === 'string' ? { input: task } : task) }, { timeout: 'none' })) {
    if (chunk.kind === 'done') done = chunk
    else if (chunk.kind === 'text' || chunk.kind === 'thought') lines.push(`${chunk.speaker} ${chunk.kind === 'text' ? 'says' : 'thinks'} ${chunk.text}`)
    else if (chunk.kind === 'failed') lines.push(`${chunk.speaker} failed`)
    else lines.push(`${chunk.speaker} ${chunk.kind}`)
  }
  return { lines, outcome: done, text: done?.text }
}
export const upper = says((input) => input.toUpperCase())
export const twice = says((input) => `${input} ${input}`)
