import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { actor, createTroupe } from 'troupe'
import { Generator, loopUntil, type GeneratorChunk } from 'troupe/actors'
import { openTeam } from '../../examples/research-team/team.js'
import { critic, writer } from '../../examples/research-team/members.js'
import { write } from '../../examples/research-team/notes.js'
import { root } from '../house/tree.js'

test('the team answers each question from its own document, in the order of the questions', { timeout: 60_000 }, async () => {
  await using troupe = await createTroupe()
  const team = await openTeam(troupe)
  const speakers = new Set<string>()
  let answer = ''
  for await (const chunk of team.stream({ type: 'run', input: 'How much water does a newly planted tree need?\nWhat does planting a street tree cost?' }, { timeout: '1m' })) {
    if (chunk.kind === 'done') answer = chunk.text
    else speakers.add(chunk.speaker)
  }
  const [water, cost] = answer.split('\n')
  expect(water).toMatch(/80 litres.*\[library\/water\.md\]/)
  expect(cost).toMatch(/2,500 euros.*\[library\/costs\.md\]/)
  expect([...speakers]).toEqual(expect.arrayContaining(['team>answering', 'team>answering>researcher', 'team>answering>editing', 'team>answering>editing>writer', 'team']))
})

test('the critic refuses what the notes do not say', () => {
  const notes = write('How high?', [{ title: 'Maples', source: 'library/maples.md', text: 'The field maple grows to 15 metres.' }])
  const outcome = { speaker: 'writer', finish: 'stop', usage: { steps: 1, promptTokens: 0, completionTokens: 0, money: 0 } } as const
  expect(critic({ ...outcome, text: 'The field maple grows to 15 metres. [library/maples.md]' }, notes)).toBe(true)
  expect(critic({ ...outcome, text: 'The oak grows high. [library/maples.md]' }, notes)).toBe('the notes do not say high')
  expect(critic({ ...outcome, text: 'The field maple grows.' }, notes)).toBe('it cites nothing')
  expect(critic({ ...outcome, text: ' ' }, notes)).toBe('it says nothing')
})

test('what the critic refuses is written again, and the reader sees both tries and one answer', async () => {
  await using troupe = await createTroupe()
  const none = () => Promise.reject(new Error('nobody asks for this'))
  const asked: string[] = []
  const model = troupe.spawn('model', actor(Generator, {
    on: {
      async *answer({ question }): AsyncGenerator<GeneratorChunk> {
        asked.push(question)
        yield { kind: 'text', text: 'Oaks grow very high. [1]' }
        yield { kind: 'done', citations: [], grounded: false, usage: { promptTokens: 5, completionTokens: 7 }, finishReason: 'stop' }
      },
      async *chat() {},
      async *complete() {},
      summarise: none,
      translate: none,
    },
  }))
  const editing = troupe.spawn('editing', loopUntil({ writer: writer(model) }, { worker: 'writer', check: critic, most: 2 }))
  const input = write('How high?', [{ title: 'Maples', source: 'library/maples.md', text: 'The field maple grows to 15 metres. It needs sun.' }])
  const tries: string[] = []
  let answer: unknown
  for await (const chunk of editing.stream({ type: 'run', input })) {
    if (chunk.kind === 'thought') tries.push(chunk.text)
    if (chunk.kind === 'done') answer = chunk
  }
  expect(asked).toEqual(['How high?'])
  expect(tries).toEqual(['Oaks grow very high. [1]', 'The field maple grows to 15 metres. [1]'])
  expect(answer).toMatchObject({ text: 'The field maple grows to 15 metres. [library/maples.md]', usage: { steps: 1, promptTokens: 5, completionTokens: 7 } })
})

test('one command shows who speaks, and says which models run', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [join(root, 'dist-examples/research-team/main.js'), 'How much cooler is a street with large trees?'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed, code] = await Promise.all([text(child.stdout), new Promise((resolve) => child.once('close', resolve))])
  expect(code).toBe(0)
  expect(printed).toContain('writes with embedded:generator')
  expect(printed).toContain('team>answering>editing>writer')
  expect(printed).toMatch(/- .*4 degrees/)
})
