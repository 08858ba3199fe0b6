// What a run and a whole team may cost: nobody spends what another holds, and nothing bounds in name alone.
import { describe, expect, test } from 'vitest'
import { createTroupe, memory, type Kernels } from 'troupe'
import { agent, loopUntil, mapReduce, parallel, performer, sequence, type AgentBudget, type AgentUsage } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'

const remote = (modelId: string) => ({ modelId, provider: 'home', doStream: () => Promise.reject(new Error('never called')) })
const answer = (text: string, promptTokens = 10, completionTokens = 10) => ({ text, usage: { promptTokens, completionTokens }, finishReason: 'stop' })

/** A host whose model says what the script makes of the last message. */
function scripted(script: (messages: readonly { content: string }[]) => object): Kernels & { calls: number } {
  const host = {
    calls: 0,
    infer: (_: string, __: string, input: unknown) => {
      host.calls++
      const result = script((input as { messages: { content: string }[] }).messages)
      return Object.assign(Promise.resolve(result), { async *[Symbol.asyncIterator]() {} })
    },
  }
  return host
}

/** Takes its time, and then spends all that it was given, or `most`. */
function spender(given: AgentBudget[], spent: AgentUsage[], seed: number, most = 1_000) {
  let draw = seed
  return performer(
    async function* ({ budget = {} }, me) {
      given.push(budget)
      draw = (draw * 1_103_515_245 + 12_345) & 0x7fffffff
      for (let turns = draw % 40; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
      const usage = { steps: Math.min(budget.steps ?? 1, most), promptTokens: Math.min(budget.tokens ?? 0, most), completionTokens: 0, money: Math.min(budget.money ?? 0, most) }
      spent.push(usage)
      yield { kind: 'done', speaker: me.id, text: 'done', finish: 'stop', usage }
    },
    { concurrency: 16 },
  )
}
const total = (spent: readonly AgentUsage[], of: 'steps' | 'promptTokens' | 'money'): number => spent.reduce((sum, usage) => sum + usage[of], 0)

describe('the budget of a whole team', () => {
  const items = Array.from({ length: 30 }, (_, at) => `item ${at}`).join('\n')

  test.each([
    ['tokens', { tokens: 100 }, 'promptTokens', 100],
    ['steps', { steps: 9 }, 'steps', 9],
    ['money', { money: 2 }, 'money', 2],
  ] as const)('holds for %s when workers overlap as they like', async (finish, budget, of, most) => {
    for (let seed = 1; seed <= 20; seed++) {
      const spent: AgentUsage[] = []
      await using troupe = await createTroupe({ clock: virtualClock() })
      const team = mapReduce({ worker: spender([], spent, seed) }, { map: 'worker', atOnce: 4, budget })
      const outcome = await troupe.spawn('team', team).ask({ type: 'answer', input: items }, { timeout: 'none' })
      expect(outcome.finish).toBe(finish)
      expect(total(spent, of)).toBeLessThanOrEqual(most + 1e-9)
      expect(total(spent, of)).toBeGreaterThan(most / 2)
    }
  })

  test('gives what one did not need to the next, and waits for it rather than ending early', async () => {
    const [given, spent]: [AgentBudget[], AgentUsage[]] = [[], []]
    await using troupe = await createTroupe({ clock: virtualClock() })
    const team = mapReduce({ worker: spender(given, spent, 3, 1) }, { map: 'worker', atOnce: 4, reduce: (results) => `${results.length}`, budget: { steps: 30 } })
    expect(await troupe.spawn('team', team).ask({ type: 'answer', input: items }, { timeout: 'none' })).toMatchObject({ text: '30', finish: 'stop', usage: { steps: 30 } })
    expect(given[0]).toEqual({ steps: 7 })
  })

  test('lets no more speak than it has steps for, and keeps what these brought', async () => {
    const spent: AgentUsage[] = []
    await using troupe = await createTroupe({ clock: virtualClock() })
    const team = mapReduce({ worker: spender([], spent, 5) }, { map: 'worker', atOnce: 8, reduce: (results) => results.join('+'), budget: { steps: 3 } })
    expect(await troupe.spawn('team', team).ask({ type: 'answer', input: items }, { timeout: 'none' })).toMatchObject({ text: 'done+done+done', finish: 'steps', usage: { steps: 3 } })
  })

  test('holds for teams within teams', async () => {
    const spent: AgentUsage[] = []
    await using troupe = await createTroupe({ clock: virtualClock() })
    const inner = (seed: number) => parallel({ one: spender([], spent, seed), two: spender([], spent, seed + 1), three: spender([], spent, seed + 2) })
    const team = loopUntil({ worker: parallel({ left: inner(1), right: inner(7) }) }, { worker: 'worker', check: () => 'again', most: 5, budget: { tokens: 50 } })
    expect(await troupe.spawn('team', team).ask({ type: 'answer', input: 'go' }, { timeout: 'none' })).toMatchObject({ finish: 'tokens' })
    expect(total(spent, 'promptTokens')).toBeLessThanOrEqual(50)
  })
})

describe('a budget of money', () => {
  const model = remote('priceless')

  test('is refused where it would never end a run', () => {
    expect(() => agent({ model, budget: { money: 1 } })).toThrow('no price is known')
    expect(() => agent({ model, budget: { money: 1 }, prices: { prompt: 0, completion: 0 } })).toThrow('costs nothing')
    expect(() => agent({ budget: { money: 1 } })).toThrow('costs nothing')
    expect(() => agent({ model, budget: { money: 1 }, prices: { prompt: 0, completion: 2 } })).not.toThrow()
  })

  test('of a task or a team too, for an agent whose price nobody knows; one that runs here costs nothing', async () => {
    const host = scripted(() => answer('free'))
    await using troupe = await createTroupe({ host, clock: virtualClock(), log: () => {} })
    const costly = troupe.spawn('costly', agent({ model }))
    await expect(costly.ask({ type: 'answer', input: 'go', budget: { money: 1 } })).rejects.toThrow('no known price')
    await expect(troupe.spawn('team', sequence({ costly }, { budget: { money: 1 } })).ask({ type: 'answer', input: 'go' })).rejects.toThrow('no known price')
    expect(host.calls).toBe(0)
    expect(await troupe.spawn('here', agent()).ask({ type: 'answer', input: 'go', budget: { money: 1 } })).toMatchObject({ text: 'free', usage: { money: 0 } })
  })
})

test.each([{ steps: Infinity }, { tokens: 0 }, { ms: Number.NaN }, { money: -1 }])('a budget that bounds nothing is a mistake: %j', (budget) => {
  expect(() => agent({ budget, prices: { prompt: 1, completion: 1 } })).toThrow('budget')
  expect(() => sequence({ one: agent() }, { budget })).toThrow('budget')
})

test('a model call whose question alone would overspend is not made', async () => {
  const host = scripted(() => answer('well'))
  await using troupe = await createTroupe({ host, clock: virtualClock() })
  const ref = troupe.spawn('one', agent({ model: remote('small-purse') }))
  expect(await ref.ask({ type: 'answer', input: 'word '.repeat(1_000), budget: { tokens: 100 } })).toMatchObject({ finish: 'tokens', text: '', usage: { steps: 0 } })
  expect(host.calls).toBe(0)
})

test('what a durable team spent before a crash counts after it: tokens, and time', async () => {
  const store = memory()
  const member = (asked: string[], word: string, hold?: () => Promise<void>) =>
    performer(async function* (_, me) {
      asked.push(word)
      await hold?.()
      yield { kind: 'done', speaker: me.id, text: word, finish: 'stop', usage: { steps: 1, promptTokens: 30, completionTokens: 0, money: 0 } }
    })
  const report = (budget: AgentBudget) => sequence({ one: 'one', two: 'two', three: 'three' }, { durable: true, budget })
  const life = async (hold: (() => Promise<void>) | undefined, budget: AgentBudget, start?: number) => {
    const asked: string[] = []
    const clock = virtualClock(start === undefined ? {} : { start })
    const troupe = await createTroupe({ store, clock })
    for (const word of ['one', 'two', 'three']) troupe.spawn(word, member(asked, word, word === 'two' ? hold : undefined))
    return { asked, clock, troupe, team: troupe.spawn('team', report(budget)) }
  }
  for (const [run, budget, finish, before] of [['a', { tokens: 50 }, 'tokens', 0], ['b', { ms: 60_000 }, 'time', 61_000]] as const) {
    let reached: () => void = () => {}
    const held = new Promise<void>((resolve) => (reached = resolve))
    const first = await life(() => (reached(), new Promise(() => {})), budget)
    void first.team.ask({ type: 'answer', input: 'go', run }, { timeout: 'none' }).catch(() => {})
    await held
    // The process is gone here, and nobody begins the next for a while.
    const second = await life(undefined, budget, first.clock.now() + before)
    const outcome = await second.team.ask({ type: 'answer', input: 'again', run: `${run}2` }, { timeout: 'none' })
    // The run that was cut off came first, and after the word that it lacked it had nothing left for a third.
    expect(second.asked).toEqual(finish === 'tokens' ? ['two', 'one', 'two'] : ['two', 'one', 'two', 'three'])
    expect(outcome).toMatchObject(finish === 'tokens' ? { finish, usage: { steps: 2 } } : { finish: 'stop', usage: { steps: 3 } })
    await second.troupe.stop()
  }
})
