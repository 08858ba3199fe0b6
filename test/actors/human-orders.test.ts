// Ten questions at once, some that lead to others, answered in any order while the process comes and goes.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, protocol, request, type Me, type OpenStore, type Troupe } from 'troupe'
import { human, Human, type HumanQuestion } from 'troupe/actors'
import { lmdb } from 'troupe/lmdb'
import { virtualClock } from 'troupe/testing'

const DAY = 86_400_000
const PEOPLE = ['ada', 'bob', 'head'] as const
const forever = { timeout: 'none' } as const

/** One question as a project asks it. `leads`: when it is approved another actor asks a second one. */
const plan = z.object({ name: z.string(), who: z.enum(PEOPLE), expires: z.number().optional(), otherwise: z.boolean().optional(), passAfter: z.number().optional(), remind: z.boolean(), leads: z.boolean() })
type Plan = z.infer<typeof plan>
const Project = protocol({ run: request(z.object({ plans: z.array(plan) }), z.array(z.string())) })
const Part = protocol({ look: request(z.object({ plan }), z.string()) })

function put(me: Pick<Me, 'ask' | 'ref'>, { name, who, expires, otherwise, passAfter, remind }: Plan): Promise<string> {
  const asking = {
    type: 'approve' as const,
    question: name,
    ...(expires !== undefined && { expiresIn: expires * DAY }),
    ...(otherwise !== undefined && { otherwise }),
    ...(passAfter !== undefined && { delegate: [{ to: 'head', after: passAfter * DAY }] }),
    ...(remind && { remindAfter: ['1d', '2d'] as const }),
  }
  return me.ask(me.ref(Human, `human/${who}`), asking, forever).then(
    ({ approved, how, by }) => `${approved ? 'yes' : 'no'} ${how}${by === undefined ? '' : ` by ${by}`}`,
    ({ code }: { code: string }) => code,
  )
}

const part = actor(Part, { durable: true, on: { look: ({ plan }, me) => put(me, plan) } })
const project = (finished: string[][]) =>
  actor(Project, {
    durable: true,
    on: {
      run: async ({ plans }, me) => {
        const words = await Promise.all(
          plans.map(async (each) => {
            const first = await put(me, each)
            if (!each.leads || !first.startsWith('yes')) return first
            return `${first}, ${await me.ask(me.ref(Part, `part/${each.name}`), { type: 'look', plan: { ...each, name: `${each.name}+` } }, forever)}`
          }),
        )
        await me.step('finish', () => void finished.push(words))
        return words
      },
    },
  })

async function open(store: OpenStore, finished: string[][], clock?: ReturnType<typeof virtualClock>): Promise<Troupe> {
  const troupe = await createTroupe({ store, ...(clock !== undefined && { clock }) })
  troupe.keyed('human', human())
  troupe.keyed('part', part)
  troupe.keyed('project', project(finished))
  return troupe
}
const waiting = async (troupe: Troupe): Promise<{ who: string; question: HumanQuestion }[]> => {
  const lists = await Promise.all(PEOPLE.map(async (who) => (await troupe.ref(Human, `human/${who}`).ask({ type: 'list' })).map((question) => ({ who, question }))))
  return lists.flat()
}

/** What is said of a question when nobody decides. */
const unsaid = ({ otherwise }: Plan): string => (otherwise === undefined ? 'DeadlineExceeded' : `${otherwise ? 'yes' : 'no'} expired`)
const expected = (plans: readonly Plan[], decided: ReadonlyMap<string, string>): string[] =>
  plans.map((each) => {
    const first = decided.get(each.name) ?? unsaid(each)
    return each.leads && first.startsWith('yes') ? `${first}, ${decided.get(`${each.name}+`) ?? unsaid(each)}` : first
  })

const days = fc.integer({ min: 1, max: 9 })
const plansOf = fc.array(fc.record({ who: fc.constantFrom('ada' as const, 'bob' as const), expires: fc.option(days, { nil: undefined }), otherwise: fc.option(fc.boolean(), { nil: undefined }), passAfter: fc.option(days, { nil: undefined }), remind: fc.boolean(), leads: fc.boolean() }), { minLength: 10, maxLength: 10 })
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('decide' as const), which: fc.nat(50), yes: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), which: fc.nat(50), to: fc.constantFrom(...PEOPLE) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('days' as const), days }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), days: fc.integer({ min: 0, max: 3 }), crash: fc.boolean() }) },
)

/** A process that comes and goes, on a clock of its own that nobody moves once it is gone. */
class Office {
  readonly decided = new Map<string, string>()
  readonly finished: string[][] = []
  readonly #store = memory()
  #clock = virtualClock()
  #troupe: Troupe | undefined

  async restart(downDays: number, crash: boolean): Promise<void> {
    if (!crash && this.#troupe !== undefined) {
      const stopped = this.#troupe.stop({ within: 0 })
      await this.#clock.advance(0)
      await stopped
    }
    this.#clock = virtualClock({ start: this.#clock.now() + downDays * DAY })
    this.#troupe = await open(this.#store, this.finished, this.#clock)
    await this.#clock.settle()
  }
  get troupe(): Troupe {
    return this.#troupe as Troupe
  }
  advance(days: number): Promise<void> {
    return this.#clock.advance(days * DAY)
  }
  /** Whoever has been asked, first or instead. */
  async look() {
    const open = await waiting(this.troupe)
    for (const { question } of open) {
      expect(question.expiresAt ?? Infinity).toBeGreaterThan(this.#clock.now())
      expect(this.decided.has(question.question)).toBe(false)
    }
    return open
  }
  async decide(which: number, yes: boolean): Promise<boolean> {
    const open = await this.look()
    const one = open[which % Math.max(1, open.length)]
    if (one === undefined) return false
    await this.troupe.ref(Human, `human/${one.who}`).ask({ type: 'decide', id: one.question.id, approved: yes, by: one.who })
    this.decided.set(one.question.question, `${yes ? 'yes' : 'no'} decided by ${one.who}`)
    await this.#clock.settle()
    return true
  }
  async pass(which: number, to: string): Promise<void> {
    const open = await this.look()
    const one = open[which % Math.max(1, open.length)]
    if (one === undefined || one.who === to) return
    await this.troupe.ref(Human, `human/${one.who}`).ask({ type: 'delegate', id: one.question.id, to })
    await this.#clock.settle()
  }
}

test('in any order, over any restarts, each question has one outcome, and the project hears each once', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(plansOf, fc.array(happening, { maxLength: 25 }), async (drawn, happenings) => {
      const plans = drawn.map((each, at) => ({ ...each, name: `q${at}` }))
      const office = new Office()
      await office.restart(0, false)
      void office.troupe.ref(Project, 'project/1').ask({ type: 'run', plans }, forever).catch(() => {})
      await office.advance(0)
      for (const each of happenings) {
        if (each.kind === 'decide') await office.decide(each.which, each.yes)
        else if (each.kind === 'pass') await office.pass(each.which, each.to)
        else if (each.kind === 'days') await office.advance(each.days)
        else await office.restart(each.days, each.crash)
      }
      while (await office.decide(0, true));
      expect(office.finished).toEqual([expected(plans, office.decided)])
      await office.restart(30, true)
      expect(await office.look()).toEqual([])
      expect(office.finished).toHaveLength(1)
    }),
    { numRuns: 25, seed: 20_260_101 },
  )
})

test('ten questions on disk outlast the process twice, and are answered from the last to the first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-human-'))
  const finished: string[][] = []
  const plans = Array.from({ length: 10 }, (_, at): Plan => ({ name: `q${at}`, who: at % 2 === 0 ? 'ada' : 'bob', remind: true, expires: 9, leads: at === 3 }))
  const until = async (troupe: Troupe, count: number) => {
    for (;;) {
      const open = await waiting(troupe)
      if (open.length === count) return open
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const answer = async (troupe: Troupe, one: { who: string; question: HumanQuestion }) => void (await troupe.ref(Human, `human/${one.who}`).ask({ type: 'decide', id: one.question.id, approved: true, by: one.who }))
  try {
    const first = await open(lmdb(folder), finished)
    void first.ref(Project, 'project/1').ask({ type: 'run', plans }, forever).catch(() => {})
    await until(first, 10)
    await first.stop({ within: 10 })
    const second = await open(lmdb(folder), finished)
    for (const one of (await until(second, 10)).toReversed().slice(0, 5)) await answer(second, one)
    await second.stop({ within: 10 })
    const third = await open(lmdb(folder), finished)
    while (finished.length === 0) {
      for (const one of (await waiting(third)).toReversed()) await answer(third, one)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(finished).toEqual([plans.map(({ who, leads }) => (leads ? `yes decided by ${who}, yes decided by ${who}` : `yes decided by ${who}`))])
    await third.stop()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
