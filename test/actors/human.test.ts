// People as actors: what they are asked, how they decide, and what happens when they do not.
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, protocol, request, type EventsOf, type Troupe } from 'troupe'
import { human, HumanNews, Human } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'

type News = Omit<EventsOf<typeof HumanNews>, 'from'> & { readonly how?: string; readonly by?: string }

/** A troupe with people, and a paper on which all news is written down. */
async function office() {
  const clock = virtualClock()
  const store = memory()
  const troupe = await createTroupe({ clock, store })
  const person = troupe.keyed('human', human())
  const paper: string[] = []
  const write = (news: News): void => void paper.push(`${news.person} ${news.type}${news.how === undefined ? '' : ` ${news.how}`}${news.by === undefined ? '' : ` by ${news.by}`}: ${news.question.question}`)
  const reader = actor(HumanNews, { on: { asked: write, reminded: write, delegated: write, returned: write, closed: write } })
  troupe.subscribe('human.*', troupe.spawn('reader', reader))
  const close = async (): Promise<void> => {
    const stopped = troupe.stop({ within: 0 })
    await clock.advance(0)
    await stopped
  }
  return { clock, store, troupe, person, paper, close }
}
const forever = { timeout: 'none' } as const
const pay = { type: 'approve', question: 'Pay 40?' } as const

test('a question waits until the person decides, and everybody is told', async () => {
  const { clock, person, paper, troupe } = await office()
  const ada = person('ada')
  const asked = ada.ask({ ...pay, details: 'invoice 7' }, forever)
  await clock.advance('3d')
  expect(await ada.ask({ type: 'list' })).toEqual([{ id: '1', kind: 'approve', question: 'Pay 40?', details: 'invoice 7', askedBy: '', askedAt: clock.now() - 3 * 86_400_000, reminded: 0 }])
  const decided = await ada.ask({ type: 'decide', id: '1', approved: true, by: 'Ada', comment: 'fine' })
  expect(decided).toEqual({ id: '1', how: 'decided', approved: true, by: 'Ada', comment: 'fine', at: clock.now() })
  expect(await asked).toEqual(decided)
  expect(await ada.ask({ type: 'list' })).toEqual([])
  await clock.settle()
  expect(paper).toEqual(['ada asked: Pay 40?', 'ada closed decided by Ada: Pay 40?'])
  await troupe.stop()
})

test('the same word twice is one decision; another one, a late one and a strange one are refused, and say why', async () => {
  const { troupe, person, clock } = await office()
  const ada = person('ada')
  const asked = ada.ask(pay, forever)
  await clock.settle()
  const yes = { type: 'decide', id: '1', approved: true, by: 'Ada' } as const
  const first = await ada.ask(yes)
  expect(await ada.ask(yes)).toEqual(first)
  expect(await asked).toEqual(first)
  await expect(ada.ask({ ...yes, approved: false })).rejects.toMatchObject({ code: 'Gone', message: 'question 1 was decided by Ada', details: { reason: 'decided', by: 'Ada', at: first.at } })
  await expect(ada.ask({ ...yes, by: 'Bob' })).rejects.toMatchObject({ code: 'Gone', details: { by: 'Ada' } })
  await expect(ada.ask({ ...yes, id: '9' })).rejects.toMatchObject({ code: 'Gone', details: { reason: 'unknown' } })
  const expiring = ada.ask({ ...pay, expiresIn: '1h', otherwise: false }, forever)
  await clock.advance('1h')
  expect(await expiring).toMatchObject({ how: 'expired', approved: false })
  await expect(ada.ask({ ...yes, id: '2' })).rejects.toMatchObject({ code: 'Gone', details: { reason: 'expired' } })
  await troupe.stop()
})

test('an answer is free words or one of the options', async () => {
  const { troupe, person, clock } = await office()
  const ada = person('ada')
  const colour = ada.ask({ type: 'answer', question: 'Which colour?', options: ['red', 'blue'] }, forever)
  const name = ada.ask({ type: 'answer', question: 'Which name?' }, forever)
  await clock.settle()
  await expect(ada.ask({ type: 'reply', id: '1', answer: 'green', by: 'Ada' })).rejects.toMatchObject({ code: 'InvalidMessage', details: { options: ['red', 'blue'] } })
  await expect(ada.ask({ type: 'decide', id: '1', approved: true, by: 'Ada' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  await ada.ask({ type: 'reply', id: '2', answer: 'Emma', by: 'Ada' })
  await ada.ask({ type: 'reply', id: '1', answer: 'blue', by: 'Ada' })
  expect([(await colour).answer, (await name).answer]).toEqual(['blue', 'Emma'])
  await expect(ada.ask({ type: 'approve', question: 'x', expiresIn: 'soon' as '1h' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  await troupe.stop()
})

test('the person is reminded at the given times, and an error tells the asker that nobody decided', async () => {
  const { troupe, person, clock, paper } = await office()
  const asked = person('ada').ask({ ...pay, remindAfter: ['1d', '2d'], expiresIn: '3d' }, forever)
  const failed = expect(asked).rejects.toMatchObject({ code: 'DeadlineExceeded', details: { id: '1' } })
  await clock.advance('1d')
  expect(paper).toEqual(['ada asked: Pay 40?', 'ada reminded: Pay 40?'])
  await clock.advance('1d')
  expect(paper).toHaveLength(3)
  await clock.advance('1d')
  await failed
  expect(paper.slice(3)).toEqual(['ada closed expired: Pay 40?'])
  await troupe.stop()
})

test('a question under a name of its own is one question, whoever asks it and when', async () => {
  const { troupe, person, clock, paper } = await office()
  const ada = person('ada')
  const named = { ...pay, id: 'invoice-7' }
  const one = ada.ask(named, forever)
  const impatient = expect(ada.ask(named, { timeout: '1m' })).rejects.toMatchObject({ code: 'DeadlineExceeded' })
  await clock.advance('1h')
  await impatient
  expect(await ada.ask({ type: 'list' })).toHaveLength(1)
  await ada.ask({ type: 'decide', id: 'invoice-7', approved: false, by: 'Ada' })
  expect(await ada.ask(named)).toEqual(await one)
  await expect(ada.ask({ type: 'answer', question: 'Pay?', id: 'invoice-7' })).rejects.toMatchObject({ code: 'InvalidMessage' })
  expect(paper).toEqual(['ada asked: Pay 40?', 'ada closed decided by Ada: Pay 40?'])
  await troupe.stop()
})

test('a question that nobody waits for any more is withdrawn; a named one stays, unless it was called off', async () => {
  const { troupe, person, clock, paper } = await office()
  const ada = person('ada')
  const away = new AbortController()
  const asked = ada.ask(pay, { timeout: 'none', signal: away.signal })
  const named = ada.ask({ ...pay, id: 'seven' }, { timeout: '1m' })
  const unwanted = ada.ask({ ...pay, id: 'eight' }, { timeout: 'none', signal: away.signal })
  const ends = Promise.all([expect(asked).rejects.toMatchObject({ code: 'Cancelled' }), expect(named).rejects.toMatchObject({ code: 'DeadlineExceeded' }), expect(unwanted).rejects.toMatchObject({ code: 'Cancelled' })])
  await clock.settle()
  away.abort()
  await clock.advance('1h')
  await ends
  expect((await ada.ask({ type: 'list' })).map(({ id }) => id)).toEqual(['seven'])
  expect(paper).toContain('ada closed withdrawn: Pay 40?')
  await expect(ada.ask({ type: 'decide', id: '1', approved: true, by: 'Ada' })).rejects.toMatchObject({ code: 'Gone', details: { reason: 'withdrawn' } })
  await troupe.stop()
})

test('a question is passed to another, by the person or by the clock, and comes back answered', async () => {
  const { troupe, person, clock, paper } = await office()
  const [ada, bob, head] = ['ada', 'bob', 'head'].map(person) as [ReturnType<typeof person>, ReturnType<typeof person>, ReturnType<typeof person>]
  const asked = ada.ask({ ...pay, delegate: [{ to: 'head', after: '2d' }], expiresIn: '5d' }, forever)
  await clock.advance('1h')
  expect(await ada.ask({ type: 'delegate', id: '1', to: 'bob', by: 'Ada' })).toMatchObject({ passedTo: 'human/bob' })
  await clock.settle()
  expect(await bob.ask({ type: 'list' })).toMatchObject([{ id: 'ada/1', question: 'Pay 40?', askedBy: 'human/ada', expiresAt: clock.now() + 119 * 3_600_000 }])
  await clock.advance('2d')
  expect(await bob.ask({ type: 'list' })).toEqual([])
  expect(await head.ask({ type: 'list' })).toMatchObject([{ id: 'ada/1' }])
  await head.ask({ type: 'decide', id: 'ada/1', approved: true, by: 'Head' })
  expect(await asked).toMatchObject({ id: '1', approved: true, by: 'Head', how: 'decided' })
  await clock.settle()
  expect(paper).toEqual(['ada asked: Pay 40?', 'ada delegated: Pay 40?', 'bob asked: Pay 40?', 'ada delegated: Pay 40?', 'bob closed withdrawn: Pay 40?', 'head asked: Pay 40?', 'head closed decided by Head: Pay 40?', 'ada closed decided by Head: Pay 40?'])
  await troupe.stop()
})

test('the first to decide decides, the other is spared; what cannot be passed on comes back', async () => {
  const { close, person, clock, paper } = await office()
  const ada = person('ada')
  const asked = ada.ask(pay, forever)
  await clock.settle()
  await ada.ask({ type: 'delegate', id: '1', to: 'bob' })
  await clock.settle()
  await ada.ask({ type: 'decide', id: '1', approved: false, by: 'Ada' })
  expect(await asked).toMatchObject({ approved: false, by: 'Ada' })
  await clock.settle()
  expect(await person('bob').ask({ type: 'list' })).toEqual([])
  void ada.ask({ ...pay, question: 'And 50?' }, forever).catch(() => {})
  await clock.settle()
  await ada.ask({ type: 'delegate', id: '2', to: 'nobody/here' })
  await clock.settle()
  expect(paper.at(-1)).toBe('ada returned: And 50?')
  expect((await ada.ask({ type: 'list' }))[0]).not.toHaveProperty('passedTo')
  await close()
})

test('people have a bound: the question after the 200th is refused', async () => {
  const { close, person, clock } = await office()
  const ada = person('ada')
  const asked = Array.from({ length: 200 }, () => ada.ask(pay, forever).catch((error: unknown) => error))
  await clock.settle()
  await expect(ada.ask(pay)).rejects.toMatchObject({ code: 'Overloaded' })
  await ada.ask({ type: 'decide', id: '200', approved: true, by: 'Ada' })
  expect(await asked[199]).toMatchObject({ approved: true })
  await close()
})

test('a person can be spawned alone, and need not be durable', async () => {
  const troupe = await createTroupe({ clock: virtualClock() })
  const ada = troupe.spawn('ada', human({ durable: false }))
  expect(ada.protocol).toBe(Human)
  const asked = ada.ask({ ...pay, id: 'x' }, forever)
  await ada.ask({ type: 'decide', id: 'x', approved: true, by: 'Ada' })
  expect((await asked).approved).toBe(true)
  await troupe.stop()
})

const Desk = protocol({ spend: request(z.object({ what: z.string() }), z.string()) })

test('a durable handler that waits for a person goes on after both were down, and has its answer once', async () => {
  const store = memory()
  const paid: string[] = []
  const desk = actor(Desk, {
    durable: true,
    on: {
      spend: async ({ what }, me) => {
        const { approved, by } = await me.ask(me.ref(Human, 'human/ada'), { ...pay, delegate: [{ to: 'bob', after: '2d' }], expiresIn: '30d' }, forever)
        return me.step('pay', () => {
          paid.push(`${what} ${approved ? 'paid' : 'refused'} by ${by}`)
          return 'done'
        })
      },
    },
  })
  let now = Date.UTC(2026, 0, 1)
  const life = async (script: (troupe: Troupe) => Promise<unknown>, end: 'stop' | 'crash') => {
    const clock = virtualClock({ start: now })
    const troupe = await createTroupe({ store, clock })
    troupe.keyed('human', human())
    troupe.keyed('desk', desk)
    await clock.settle()
    await script(troupe)
    await clock.settle()
    // Whoever crashed is left as it is: its clock stands still, so nothing of it runs any more.
    if (end === 'stop') {
      const stopped = troupe.stop({ within: 0 })
      await clock.advance(0)
      await stopped
    }
    now = clock.now() + 86_400_000
  }
  const waiting = (key: string) => (troupe: Troupe) => troupe.ref(Human, `human/${key}`).ask({ type: 'list' })
  await life(async (troupe) => void troupe.ref(Desk, 'desk/1').ask({ type: 'spend', what: 'tea' }, forever).catch(() => {}), 'crash')
  await life(async (troupe) => expect(await waiting('ada')(troupe)).toMatchObject([{ id: '1', askedBy: 'desk/1' }]), 'stop')
  await life(async (troupe) => expect(await waiting('bob')(troupe)).toMatchObject([{ id: 'ada/1' }]), 'stop')
  await life(async (troupe) => expect(await waiting('bob')(troupe)).toMatchObject([{ id: 'ada/1' }]), 'crash')
  expect(paid).toEqual([])
  await life((troupe) => troupe.ref(Human, 'human/bob').ask({ type: 'decide', id: 'ada/1', approved: true, by: 'Bob' }), 'crash')
  expect(paid).toEqual(['tea paid by Bob'])
  await life(async (troupe) => {
    expect(await waiting('ada')(troupe)).toEqual([])
    expect(troupe.resumed.filter(({ messages }) => messages > 0)).toEqual([])
  }, 'stop')
  expect(paid).toEqual(['tea paid by Bob'])
})

test('a question whose asker leaves at any moment, also while it is being written down, waits for nobody', async () => {
  const { clock, person } = await office()
  const ada = person('ada')
  for (let moments = 0; moments < 40; moments++) {
    const leaving = new AbortController()
    const asked = ada.ask({ ...pay, id: `named ${moments}` }, { ...forever, signal: leaving.signal })
    asked.catch(() => {})
    for (let moment = 0; moment < moments; moment++) await Promise.resolve()
    leaving.abort()
    await expect(asked).rejects.toMatchObject({ code: 'Cancelled' })
    await clock.settle()
    expect([moments, await ada.ask({ type: 'list' })]).toEqual([moments, []])
  }
})
