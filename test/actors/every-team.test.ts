// What holds for each way of working together: who speaks is told, a failure has its policy, and who leaves calls all off.
import { describe, expect, test } from 'vitest'
import { createTroupe, memory, TroupeError, type Definition } from 'troupe'
import { debate, groupChat, handoff, loopUntil, mapReduce, parallel, performer, planAndExecute, route, sequence, supervise, type AgentChunk, type Member, type Members, type TeamOptions } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { fails, heard, run, says, stuck, upper, usage, type Specs } from './members.js'

/** Chooses, plans, supervises and judges: gives the task to `it` once, and answers from what came of that. */
const chief = says((input, { schema }) => {
  const wants = Object.keys(schema?.['properties'] ?? {})
  if (wants.includes('to')) return { value: { to: 'it' } }
  if (wants.includes('steps')) return { value: { steps: ['tea'] } }
  if (wants.includes('handTo')) return { value: input.includes('failed') ? { answer: 'CHIEF' } : { handTo: 'it', because: 'why not' } }
  if (wants.includes('worker')) return { value: input.includes('it, asked to') ? { answer: 'CHIEF' } : { worker: 'it', work: 'tea' } }
  return 'CHIEF'
})

/** Each with one member `it`, whose failure is told of or mended, and what comes when the team goes on without it. */
const patterns: readonly [name: string, team: (it: Member, options?: TeamOptions, others?: Members) => Definition<Specs>, without: string | undefined][] = [
  ['sequence', (it, options, others) => sequence({ upper, it, ...others }, options), 'TEA'],
  ['parallel', (it, options, others) => parallel({ upper, it, ...others }, { gather: (all) => Object.values(all).flatMap(({ text }) => text || []).join('+'), ...options }), 'TEA'],
  ['route', (it, options, others) => route({ chief, it, upper, ...others }, { when: { it: ['tea'] }, by: 'chief', otherwise: 'upper', ...options }), 'TEA'],
  ['handoff', (it, options, others) => handoff({ chief, it, ...others }, options), 'CHIEF'],
  ['supervise', (it, options, others) => supervise({ chief, it, ...others }, { supervisor: 'chief', ...options }), 'CHIEF'],
  ['debate', (it, options, others) => debate({ upper, it, chief, ...others }, { judge: 'chief', rounds: 1, ...options }), 'CHIEF'],
  ['mapReduce', (it, options, others) => mapReduce({ it, chief, ...others }, { map: 'it', split: () => ['tea', 'tea'], reduce: 'chief', ...options }), undefined],
  ['planAndExecute', (it, options, others) => planAndExecute({ chief, it, ...others }, { planner: 'chief', executor: 'it', ...options }), 'CHIEF'],
  ['loopUntil', (it, options, others) => loopUntil({ it, ...others }, { worker: 'it', check: () => true, most: 2, ...options }), undefined],
  ['groupChat', (it, options, others) => groupChat({ upper, it, ...others }, { most: 2, ...options }), 'TEA'],
]

describe.each(patterns)('%s', (_, team, without) => {
  test('tells whose word it is before each word, and ends with one outcome', async () => {
    await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
    const chunks: AgentChunk[] = []
    for await (const chunk of troupe.spawn('team', team(sequence({ deep: upper }))).stream({ type: 'run', input: 'tea' })) chunks.push(chunk)
    const turns = new Set<string>()
    for (const { kind, speaker } of chunks) {
      if (kind === 'turn') turns.add(speaker)
      else expect(turns).toContain(speaker)
    }
    expect(turns).toContain('team>it>deep')
    expect(chunks.filter(({ kind }) => kind === 'done')).toEqual([chunks.at(-1)])
    expect(chunks.some(({ kind }) => kind === 'text')).toBe(true)
  })

  test('fails with a member, goes on without it, or asks another in its place', async () => {
    await expect(run(team(fails), 'tea')).rejects.toMatchObject({ code: 'ActorFailed' })
    if (without === undefined) await expect(run(team(fails, { failures: 'keep' }), 'tea')).rejects.toThrow('no member')
    else {
      const kept = await run(team(fails, { failures: 'keep' }), 'tea')
      expect([kept.lines.includes('team>it failed'), kept.text]).toEqual([true, without])
    }
    const { lines, text } = await run(team(fails, { failures: { fallback: 'spare' } }, { spare: upper }), 'tea')
    expect(lines.slice(lines.indexOf('team>it failed')).join()).toContain('team>spare turn')
    expect(text).not.toBe('')
  })

  test.each(['keep', 'fail'] as const)('calls a member off whose reader leaves, and is no failure then (%s)', async (failures) => {
    const notes: string[] = []
    await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
    const said: string[] = []
    for await (const chunk of troupe.spawn('team', team(sequence({ deep: stuck(notes, 'it') }), { failures })).stream({ type: 'run', input: 'tea' }, { timeout: 'none' })) {
      said.push(chunk.kind)
      if (chunk.kind !== 'turn' && 'text' in chunk && chunk.text === 'it begins') break
    }
    while (notes.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(new Set(notes)).toEqual(new Set(['it called off']))
    expect(said).not.toContain('failed')
  })

  test('waits for a member that is busy, durable or not', async () => {
    for (const durable of [false, true]) {
      const clock = virtualClock()
      await using troupe = await createTroupe({ clock, store: memory(), log: () => {} })
      let open: () => void = () => {}
      const opened = new Promise<void>((resolve) => (open = resolve))
      // It has room for one task, and refuses the next.
      const narrow = performer(
        async function* ({ input }, me) {
          if (input === 'first') await opened
          yield { kind: 'done', speaker: me.id, text: 'IT', finish: 'stop', usage }
        },
        { mailbox: { capacity: 1, overflow: 'reject' } },
      )
      const it = troupe.spawn('narrow', narrow)
      const first = it.ask({ type: 'answer', input: 'first' }, { timeout: 'none' })
      await clock.settle()
      const second = it.ask({ type: 'answer', input: 'second' }, { timeout: 'none' })
      const asked = troupe.spawn('team', team(it, { durable })).ask({ type: 'answer', input: 'tea' }, { timeout: 'none' })
      await clock.settle()
      open()
      await clock.advance('1m')
      expect((await asked).finish).toBe('stop')
      expect(await Promise.all([first, second])).toMatchObject([{ text: 'IT' }, { text: 'IT' }])
    }
  })
})

test.each(patterns)('%s gives the value that a task wants, whoever has the last word', async (_, team) => {
  const schema = { type: 'object', properties: { cups: { type: 'number' } }, required: ['cups'] }
  const exact = says((__, task) => (JSON.stringify(task.schema ?? '').includes('cups') ? { value: { cups: 2 } } : '{"cups":2}'))
  const lead = says((__, { schema: wanted }) => {
    const properties = (wanted?.['properties'] ?? {}) as Record<string, unknown>
    if ('to' in properties) return { value: { to: 'it' } }
    if ('steps' in properties) return { value: { steps: ['tea'] } }
    return { value: 'answer' in properties ? { answer: { cups: 2 } } : { cups: 2 } }
  })
  await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
  expect((await heard(troupe.spawn('team', team(exact, {}, { chief: lead, upper: says(() => '') })), { input: 'how many?', schema })).outcome?.value).toEqual({ cups: 2 })
})

test('a durable team tries again what a member was too busy for, and nothing that failed for good', async () => {
  const clock = virtualClock()
  await using troupe = await createTroupe({ clock, store: memory(), log: () => {} })
  let [busy, broken] = [0, 0]
  const tired = says(() => (++busy < 3 ? Promise.reject(new TroupeError('Overloaded', 'the model is busy', 'come again', { retryAfterMs: 100 })) : 'rested'))
  const wrong = says(() => (broken++, Promise.reject(new TroupeError('InvalidMessage', 'not like that', 'mend it'))))
  expect(await troupe.spawn('one', sequence({ tired }, { durable: true })).ask({ type: 'answer', input: 'go' })).toMatchObject({ text: 'rested' })
  await expect(troupe.spawn('two', sequence({ wrong }, { durable: true })).ask({ type: 'answer', input: 'go' })).rejects.toThrow('not like that')
  expect([busy, broken]).toEqual([3, 1])
})

test('who has a task later knows what was found out before', async () => {
  const [front, billing] = [{ handTo: 'billing', because: 'money', known: 'order 7' }, { handTo: 'legal', because: 'a dispute', known: 'paid twice' }].map((value) => says(() => ({ value })))
  const legal = says((input) => ({ value: { answer: input } }))
  const { text } = await run(handoff({ front: front as Definition<Specs>, billing: billing as Definition<Specs>, legal }), 'refund?')
  expect(text).toBe('refund?\n\nfront handed this on: money\norder 7\n\nbilling handed this on: a dispute\npaid twice')
})
