import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Troupe } from 'troupe'
import { citationsOf, openLibrary, type Answered } from '../../examples/documents/library.js'

const pages = fileURLToPath(new URL('../../examples/documents/pages', import.meta.url))

describe('a folder of documents', () => {
  let troupe: Troupe
  let ask: (question: string) => Promise<Answered>
  beforeAll(async () => {
    troupe = await createTroupe()
    ask = await openLibrary(troupe, pages)
  })
  afterAll(async () => troupe.stop())

  test.each([
    ['How often is the tank cleaned?', 'aquarium.md', 'every second Tuesday'],
    ['Where do visitors park?', 'visitors.md', 'behind the house'],
    ['When is the coffee machine descaled?', 'kitchen.md', 'every three months'],
  ])('%s', async (question, source, words) => {
    const { text, citations } = await ask(question)
    expect(text).toContain(words)
    expect(citations.map((each) => each.source)).toContain(source)
    expect(citations.some(({ quote }) => quote.includes(words))).toBe(true)
  })

  test.each(['Who won the world cup in 1998?', 'What does a new laptop cost?'])('%s is not in the documents', async (question) => {
    expect(await ask(question)).toMatchObject({ text: 'That is not in the documents.', citations: [] })
  })
})

test('a citation that does not stand in its passage is none', () => {
  const passages = [{ text: 'Tea is at four.', title: 'Tea', source: 'tea.md' }]
  expect(citationsOf('Tea is at four. [1]', passages)).toEqual([{ number: 1, title: 'Tea', source: 'tea.md', quote: 'Tea is at four.' }])
  expect(citationsOf('Tea is at five. [1]', passages)).toBeUndefined()
  expect(citationsOf('Tea is at four. [2]', passages)).toBeUndefined()
  expect(citationsOf('Tea is at four.', passages)).toBeUndefined()
})

test('one command answers, with the sentence that it stands in', { timeout: 60_000 }, () => {
  const main = fileURLToPath(new URL('../../dist-examples/documents/main.js', import.meta.url))
  const { stdout, status } = spawnSync(process.execPath, [main, 'How often is the tank cleaned?'], { encoding: 'utf8' })
  expect(stdout).toMatch(/^> How often is the tank cleaned\?\n.*\[1\]\n {2}\[1\] .* — aquarium\.md: "The tank is cleaned every second Tuesday\."\n/)
  expect(status).toBe(0)
})
