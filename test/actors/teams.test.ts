// Teams of members that keep to a script: who speaks when, what is made of it, and what happens when one fails.
import { describe, expect, test } from 'vitest'
import { createTroupe, memory, type Definition } from 'troupe'
import { agent, debate, groupChat, handoff, loopUntil, mapReduce, parallel, performer, planAndExecute, route, sequence, supervise, type TeamOptions } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { fails, heard, run, says, stuck, twice, upper, type Specs } from './members.js'

test('a sequence hands on what each one says, and tells who is speaking', async () => {
  const { lines, outcome } = await run(sequence({ upper, twice }), 'tea')
  expect(lines).toEqual(['team>upper turn', 'team>upper thinks TEA', 'team>twice turn', 'team>twice says TEA TEA'])
  expect(outcome).toEqual({ kind: 'done', speaker: 'team>twice', text: 'TEA TEA', finish: 'stop', usage: { steps: 2, promptTokens: 4, completionTokens: 6, money: 0 } })
  expect((await run(sequence({ upper, twice }, { pass: ({ text }, task) => `${task}/${text}` }), 'a')).text).toBe('a/A a/A')
})

test('a team answers in whole too, nests, and takes members that are there already', async () => {
  await using troupe = await createTroupe({ clock: virtualClock() })
  const there = troupe.spawn('shared', upper)
  const inner = sequence({ twice, there })
  const outer = troupe.spawn('outer', parallel({ inner, 'by-address': 'shared' }))
  expect(await outer.ask({ type: 'answer', input: 'tea' })).toMatchObject({ speaker: 'outer', text: 'inner: TEA TEA\n\nby-address: TEA', usage: { steps: 3 } })
})

test('parallel members all hear the task; a function or a member makes one answer of theirs', async () => {
  const both = await run(parallel({ upper, twice }), 'tea')
  expect(both.lines.toSorted()).toEqual(['team says upper: TEA\n\ntwice: tea tea', 'team turn', 'team>twice thinks tea tea', 'team>twice turn', 'team>upper thinks TEA', 'team>upper turn'])
  expect((await run(parallel({ upper, twice }, { gather: ({ upper: one, twice: two }) => `${one?.text}+${two?.text}` }), 'a')).text).toBe('A+a a')
  const summary = says((input) => `${input.split('\n\n').length} parts`)
  expect((await run(parallel({ upper, twice, summary }, { gather: 'summary' }), 'a')).text).toBe('3 parts')
})

test('a route goes to whom the member in charge names, or to whom it fits by meaning', async () => {
  const when = { upper: ['shout this', 'make it loud'], twice: ['say it again', 'repeat this'] }
  const chooser = says((input) => ({ value: { to: input.includes('loud please') ? 'upper' : 'nonsense' } }))
  const options = { when, by: 'chooser', otherwise: 'twice' }
  expect((await run(route({ upper, twice, chooser }, options), 'loud please')).text).toBe('LOUD PLEASE')
  expect((await run(route({ upper, twice, chooser }, options), 'b')).text).toBe('b b')
  await using troupe = await createTroupe()
  const ref = troupe.spawn('team', route({ upper, twice }, { when }))
  expect((await heard(ref, 'could you repeat this')).text).toBe('could you repeat this could you repeat this')
  expect((await heard(ref, 'make it very loud')).text).toBe('MAKE IT VERY LOUD')
  expect(() => route({ upper }, { when: { lower: ['x'] } })).toThrow('lower is no member')
})

test('a task is handed on by name until somebody answers, and no more often than allowed', async () => {
  const front = says(() => ({ value: { handTo: 'billing', because: 'it is about money' } }))
  const billing = says((input) => ({ value: { answer: `billing heard: ${input.split('\n\n').at(-1)}` } }))
  const { lines, outcome } = await run(handoff({ front, billing }), 'refund?')
  expect(outcome).toMatchObject({ speaker: 'team>billing', text: 'billing heard: front handed this on: it is about money' })
  expect(lines.filter((line) => line.endsWith('turn'))).toEqual(['team>front turn', 'team>billing turn', 'team turn'])
  const pass = (to: string) => says((_, task) => (task.schema === undefined ? 'enough' : { value: { handTo: to } }))
  expect((await run(handoff({ a: pass('b'), b: pass('a') }, { most: 3 }), 'x')).outcome).toMatchObject({ text: 'enough', usage: { steps: 4 } })
})

test('a supervisor gives out work, hears what failed, and answers', async () => {
  const boss = says((input) => {
    if (!input.includes('upper, asked')) return { value: { worker: 'upper', work: 'tea' } }
    if (!input.includes('broken, asked')) return { value: { worker: 'broken', work: 'try' } }
    return { value: { answer: input.split('\n\n').slice(1, 3).join('; ') } }
  })
  const { text, lines } = await run(supervise({ boss, upper, broken: fails }, { supervisor: 'boss', failures: 'keep' }), 'please')
  expect(text).toBe('upper, asked to tea: TEA; broken, asked to try: failed, and brought nothing')
  expect(lines).toContain('team>broken failed')
  const endless = says((_, task) => (task.schema === undefined ? 'here you are' : { value: { worker: 'upper', work: 'more' } }))
  expect((await run(supervise({ endless, upper }, { supervisor: 'endless', most: 2 }), 'x')).outcome).toMatchObject({ text: 'here you are', usage: { steps: 5 } })
})

test('a supervisor may give work to several at once, and no more than it may', async () => {
  const several = ['a', 'b', 'c'].map((work) => ({ worker: work === 'b' ? 'twice' : 'upper', work }))
  const boss = says((input, { schema }) => (schema === undefined || input.includes('upper, asked to c') ? { value: { answer: input.split('\n\n').slice(1, -1).join('; ') } } : { value: { several } }))
  expect((await run(supervise({ boss, upper, twice }, { supervisor: 'boss' }), 'please')).text).toBe('upper, asked to a: A; twice, asked to b: b b; upper, asked to c: C')
  expect((await run(supervise({ boss, upper, twice }, { supervisor: 'boss', most: 2 }), 'please')).outcome?.usage.steps).toBe(4)
})

test('a planner may plan anew after each step', async () => {
  const planner = says((input, { schema }) => (schema === undefined ? input.split('\n\n').slice(1, -1).join(' | ') : { value: { steps: input.includes('pour: done') ? [] : input.includes('boil: done') ? ['pour', 'drink'] : ['boil', 'wait', 'serve'] } }))
  const executor = says(() => 'done')
  expect((await run(planAndExecute({ planner, executor }, { planner: 'planner', executor: 'executor', replan: true }), 'make tea')).text).toBe('boil: done | pour: done')
})

test('a debate has rounds in which everyone hears the round before, and a judge', async () => {
  const side = (name: string) => says((input) => `${name} after ${input.split('\n\n').length - 1}`)
  const judge = says((input) => input.split('\n\n').slice(1, -1).join(' | '))
  const { text } = await run(debate({ yes: side('yes'), no: side('no'), judge }, { judge: 'judge' }), 'tea or coffee?')
  expect(text).toBe('yes, round 1: yes after 0 | no, round 1: no after 0 | yes, round 2: yes after 2 | no, round 2: no after 2')
})

test('map and reduce: many items, a few at once, in order', async () => {
  let [now, most] = [0, 0]
  const worker = says(async (input) => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now--
    return input === '7' ? Promise.reject(new Error('seven')) : `${Number(input) ** 2}`
  })
  const items = Array.from({ length: 40 }, (_, i) => `${i}`)
  const squares = items.filter((item) => item !== '7').map((item) => Number(item) ** 2)
  const { text } = await run(mapReduce({ worker }, { map: 'worker', atOnce: 3, failures: 'keep', reduce: (results) => results.join(' ') }), items.join('\n'))
  expect(text).toBe(squares.join(' '))
  expect(most).toBe(3)
  await expect(run(mapReduce({ worker }, { map: 'worker', most: 10 }), items.join('\n'))).rejects.toThrow('40 items in one task')
})

test('a plan is made, executed step by step, and answered from', async () => {
  const planner = says((input, { schema }) => (schema === undefined ? input.split('\n\n').slice(1, -1).join(' | ') : { value: { steps: ['boil', 'pour'] } }))
  const executor = says((input) => `done (${input.split('\n\n').length - 1} before)`)
  expect((await run(planAndExecute({ planner, executor }, { planner: 'planner', executor: 'executor' }), 'make tea')).text).toBe('boil: done (0 before) | pour: done (1 before)')
  const lister = says((input, { schema }) => (schema === undefined ? input : '1. boil\n2. pour\n- drink'))
  expect((await run(planAndExecute({ lister, executor }, { planner: 'lister', executor: 'executor', most: 2 }), 'x')).outcome?.usage.steps).toBe(4)
})

test('a loop goes on until a check passes, told each time what was wrong', async () => {
  const writer = says((input) => `draft ${input.split('This will not do').length}`)
  const critic = says((input) => ({ value: { ok: input.includes('draft 3'), because: 'longer' } }))
  const options = { worker: 'writer', check: 'critic' }
  const { outcome, lines } = await run(loopUntil({ writer: says((input) => (input.includes('draft 2') ? 'draft 3' : input.includes('draft 1') ? 'draft 2' : 'draft 1')), critic }, options), 'write')
  expect(outcome).toMatchObject({ speaker: 'team>writer', text: 'draft 3', usage: { steps: 6 } })
  expect(lines.at(-1)).toBe('team says draft 3')
  expect((await run(loopUntil({ writer, critic: says(() => 'never') }, { ...options, most: 2 }), 'write')).outcome?.usage.steps).toBe(4)
  const checked = loopUntil({ writer }, { worker: 'writer', check: ({ text }) => text.endsWith('2') || 'it is the first' })
  expect((await run(checked, 'write')).text).toBe('draft 2')
})

test('in a group chat a policy says who is next', async () => {
  const room = { ada: says((input) => `ada after ${input.split('\n\n').length - 1}`), bob: says(() => 'bob'), chair: says((input) => ({ value: { next: input.includes('bob: bob') ? 'nobody' : 'bob' } })) }
  const { ada, bob } = room
  expect((await run(groupChat({ ada, bob }, { most: 3 }), 'hi')).text).toBe('ada after 2')
  expect((await run(groupChat({ ada, bob }, { until: (said) => said.some(({ name }) => name === 'bob') }), 'hi')).outcome?.usage.steps).toBe(2)
  expect((await run(groupChat(room, { next: { chooser: 'chair' } }), 'hi')).text).toBe('bob')
  const byChance = (await run(groupChat({ ada, bob }, { next: 'chance', most: 6 }), 'hi')).lines.filter((line) => line.endsWith('turn') && line !== 'team turn')
  for (const [at, line] of byChance.entries()) expect(line).not.toBe(byChance[at - 1])
  expect((await run(groupChat({ ada, bob }, { next: (said) => (said.length < 2 ? 'bob' : undefined) }), 'hi')).outcome?.usage.steps).toBe(2)
})

describe('when a member fails', () => {
  const every: [string, (options: TeamOptions) => Definition<Specs>][] = [
    ['sequence', (options) => sequence({ upper, bad: fails }, options)],
    ['parallel', (options) => parallel({ upper, bad: fails }, options)],
    ['debate', (options) => debate({ upper, bad: fails, judge: says(() => 'TEA') }, { judge: 'judge', rounds: 1, ...options })],
    ['group chat', (options) => groupChat({ upper, bad: fails }, { most: 2, ...options })],
  ]
  test.each(every)('a %s fails with it, keeps what came, or asks the fallback', async (_, made) => {
    await expect(run(made({}), 'tea')).rejects.toMatchObject({ code: 'ActorFailed' })
    const kept = await run(made({ failures: 'keep' }), 'tea')
    expect(kept.lines).toContain('team>bad failed')
    expect(kept.text).toContain('TEA')
    const { lines } = await run(made({ failures: { fallback: 'upper' } }), 'tea')
    expect(lines.slice(lines.indexOf('team>bad failed')).join()).toContain('team>upper turn')
  })

  test('in the middle of its answer, what it showed is taken back before another goes on', async () => {
    const half = performer(async function* (_, me) {
      yield { kind: 'text', speaker: me.id, text: 'half an' }
      throw new Error('out of order')
    })
    const told = await run(sequence({ upper, half: sequence({ deep: half }) }, { failures: { fallback: 'upper' } }), 'tea')
    expect(told.lines.slice(2)).toEqual(['team>half turn', 'team>half>deep turn', 'team>half>deep says half an', 'team>half>deep retry', 'team>half failed', 'team>upper turn', 'team>upper says TEA'])
  })

  test('and nobody is left, the team fails', async () => {
    await expect(run(parallel({ bad: fails, worse: fails }, { failures: 'keep' }), 'tea')).rejects.toMatchObject({ code: 'ActorFailed' })
    expect(() => sequence({ upper }, { failures: { fallback: 'nobody' } })).toThrow('the fallback nobody is no member')
    expect(() => sequence({})).toThrow('a team of nobody')
  })

  test('the others are called off', async () => {
    const notes: string[] = []
    const late = says(async () => {
      while (!notes.includes('ready')) await new Promise((resolve) => setImmediate(resolve))
      throw new Error('out of order')
    })
    await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
    const ref = troupe.spawn('team', parallel({ one: stuck(notes, 'one'), two: sequence({ deep: stuck(notes, 'two') }), late }))
    const begun = new Set<string>()
    const read = async () => {
      for await (const chunk of ref.stream({ type: 'run', input: 'go' }, { timeout: 'none' })) if (chunk.kind === 'thought' && begun.add(chunk.text).size === 2) notes.push('ready')
    }
    await expect(read()).rejects.toMatchObject({ code: 'ActorFailed' })
    await troupe.stop()
    expect(notes.toSorted()).toEqual(['one called off', 'ready', 'two called off'])
  })
})

test('a reader who leaves, and a caller who cancels, call off every member, however deep', async () => {
  const notes: string[] = []
  await using troupe = await createTroupe({ clock: virtualClock(), log: () => {} })
  const deep = (name: string) => loopUntil({ worker: sequence({ deep: stuck(notes, name) }) }, { worker: 'worker', check: () => true })
  const ref = troupe.spawn('team', parallel({ one: deep('one'), two: deep('two') }, { failures: 'keep' }))
  const begun = new Set<string>()
  for await (const chunk of ref.stream({ type: 'run', input: 'go' }, { timeout: 'none' })) if (chunk.kind === 'thought' && begun.add(chunk.text).size === 2) break
  while (notes.length < 2) await new Promise((resolve) => setImmediate(resolve))
  const away = new AbortController()
  const asked = ref.ask({ type: 'answer', input: 'go' }, { timeout: 'none', signal: away.signal })
  setImmediate(() => setImmediate(() => away.abort()))
  await expect(asked).rejects.toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
  expect(notes.slice(0, 2).toSorted()).toEqual(['one called off', 'two called off'])
})

test('a budget is for the team as a whole: who has the word gets what is left, side by side a share of it', async () => {
  const given: unknown[] = []
  const member = says((input, { budget }) => (given.push(budget), `${input}.`))
  await using troupe = await createTroupe({ clock: virtualClock() })
  const line = troupe.spawn('line', sequence({ one: member, two: member, three: member }, { budget: { tokens: 100 } }))
  const { lines, outcome } = await heard(line, { input: 'a', budget: { steps: 2, tokens: 200 } })
  expect(given).toEqual([{ steps: 2, tokens: 100 }, { steps: 1, tokens: 95 }])
  expect(outcome).toMatchObject({ speaker: 'line>two', text: 'a..', finish: 'steps', usage: { steps: 2 } })
  expect(lines.some((line) => line.startsWith('line>three'))).toBe(false)
  given.length = 0
  const both = troupe.spawn('both', parallel({ one: member, two: member, judge: sequence({ inner: member }) }, { gather: 'judge', failures: 'keep' }))
  expect((await heard(both, { input: 'a', budget: { tokens: 40 } })).outcome?.finish).toBe('stop')
  expect(given).toEqual([{ tokens: 20 }, { tokens: 20 }, { tokens: 30 }])
  expect((await heard(both, { input: 'a', budget: { tokens: 10 } })).outcome).toMatchObject({ finish: 'tokens', usage: { promptTokens: 4, completionTokens: 6 } })
})

test('a durable team that crashed goes on with the member whose word it does not have', async () => {
  const store = memory()
  const asked: string[] = []
  let life = 1
  const members = {
    research: says(() => (asked.push('research'), 'facts')),
    write: says((input) => (asked.push('write'), life === 1 ? new Promise<string>(() => {}) : `a text of ${input}`)),
  }
  const first = await createTroupe({ store, clock: virtualClock() })
  for (const [name, member] of Object.entries(members)) first.spawn(name, member)
  const report = sequence({ research: 'research', write: 'write' }, { durable: true })
  void first.spawn('report', report).ask({ type: 'answer', input: 'go', run: '7' }, { timeout: 'none' }).catch(() => {})
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve))
  life = 2
  // The first process is gone here: its clock stands still, and its last member never answers.
  const second = await createTroupe({ store })
  for (const [name, member] of Object.entries(members)) second.spawn(name, member)
  const ref = second.spawn('report', report)
  expect(await ref.ask({ type: 'answer', input: 'again' })).toMatchObject({ text: 'a text of facts' })
  expect(asked).toEqual(['research', 'write', 'write', 'research', 'write'])
  await second.stop()
})

test('an agent with the embedded model works beside members without one', async () => {
  await using troupe = await createTroupe()
  const writer = agent({ instructions: 'Answer from the facts.', maxTokens: 12, budget: { steps: 1 } })
  const { lines, outcome } = await heard(troupe.spawn('team', sequence({ facts: says((input) => `${input} The shop opens at nine.`), writer })), 'When does the shop open?')
  expect(lines.slice(0, 3)).toEqual(['team>facts turn', 'team>facts thinks When does the shop open? The shop opens at nine.', 'team>writer turn'])
  expect(lines.some((line) => line.startsWith('team>writer says'))).toBe(true)
  expect(outcome).toMatchObject({ speaker: 'team>writer', usage: { steps: 2 } })
  expect(outcome?.usage.completionTokens).toBeGreaterThan(3)
})
