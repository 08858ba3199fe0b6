// How well the desk answers: 20 paraphrased, 10 plain and 10 unanswerable questions, one conversation each.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import type { Dialogue, DialogueChunk } from 'troupe/actors'
import { openDesk } from '../../examples/support-desk/desk.js'
import { calibration, questions, type Question } from './support-desk-questions.js'

type Done = Extract<DialogueChunk, { kind: 'done' }>
interface Answered extends Question {
  readonly answer: string
  readonly done: Done
}

let troupe: Troupe
let conversation: (key: string) => Ref<(typeof Dialogue)['specs']>
beforeAll(async () => {
  troupe = await createTroupe()
  conversation = await openDesk(troupe)
})
afterAll(() => troupe.stop())

let asked = 0
async function ask(question: Question): Promise<Answered> {
  let answer = ''
  for await (const chunk of conversation(`test-${(asked += 1)}`).stream({ type: 'say', text: question.text })) {
    if (chunk.kind === 'text') answer += chunk.text
    else return { ...question, answer, done: chunk }
  }
  throw new Error('no end')
}

/** Right page, wrong page, honest no. */
async function figures(name: string, all: readonly Question[]): Promise<{ right: number; wrong: number; declined: number; answered: readonly Answered[] }> {
  const answered: Answered[] = []
  for (const question of all) answered.push(await ask(question))
  const right = answered.filter(({ page, done }) => page !== undefined && done.sources[0]?.source === page).length
  const declined = answered.filter(({ done }) => done.how === 'unanswered').length
  const quoted = answered.filter(({ done }) => done.how === 'quoted').length
  console.log(`support desk, ${all.length} ${name}: ${right} from the right page, ${all.length - right - declined} otherwise, ${declined} honest no; ${quoted} quoted`)
  return { right, wrong: all.length - right - declined, declined, answered }
}

describe('questions that nothing was fitted to', () => {
  test('plain ones are answered from the right page', async () => {
    const { right, wrong } = await figures('plain', questions.plain)
    expect(right).toBeGreaterThanOrEqual(9)
    expect(wrong).toBeLessThanOrEqual(1)
  })

  test('paraphrased ones are answered from the right page, or honestly not', async () => {
    const { right, wrong } = await figures('paraphrased', questions.paraphrased)
    expect(right).toBeGreaterThanOrEqual(6)
    expect(wrong).toBeLessThanOrEqual(4)
  })

  test('unanswerable ones get an honest no', async () => {
    const { declined } = await figures('unanswerable', questions.unanswerable)
    expect(declined).toBeGreaterThanOrEqual(9)
  })

  test('whatever is said stands on a page and names it', async () => {
    for (const question of [...questions.plain, ...questions.paraphrased].slice(0, 12)) {
      const { answer, done } = await ask(question)
      if (done.how === 'unanswered') continue
      expect(done).toMatchObject({ grounded: true, sources: [expect.objectContaining({ number: 1 })] })
      expect(answer).toMatch(/ \[1\]$/)
    }
  })
})

test('the thresholds are those that serve the calibration questions best', async () => {
  const { right, wrong, declined } = await figures('for calibration', calibration)
  expect(right).toBeGreaterThanOrEqual(18)
  expect(wrong).toBeLessThanOrEqual(5)
  expect(right + wrong + declined).toBe(calibration.length)
})

describe('small talk', () => {
  test.each([
    ['hello', 'Hello! What would you like to know about your order?'],
    ['thanks a lot!', 'You are welcome.'],
    ['你好', '您好！请问有什么可以帮您？'],
    ['再见', '再见！'],
  ])('%s', async (text, reply) => {
    expect(await ask({ text })).toMatchObject({ answer: reply, done: { how: 'declared', sources: [] } })
  })
})
