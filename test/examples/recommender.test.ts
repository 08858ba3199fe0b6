import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLibrary, type Library } from '../../examples/recommender/library.js'
import type { Action } from '../../examples/recommender/reader.js'
import type { Suggestion } from '../../examples/recommender/shelf.js'

let library: Library
beforeAll(async () => {
  library = await openLibrary()
})
afterAll(() => library.close())

async function all(name: string, ...actions: readonly (readonly [Action, string])[]): Promise<readonly Suggestion[]> {
  const ref = library.reader(name)
  for (const [action, item] of actions) await ref.tell({ type: 'did', action, item })
  return ref.ask({ type: 'recommend', count: 20 })
}
const after = async (name: string, ...actions: readonly (readonly [Action, string])[]): Promise<readonly Suggestion[]> => (await all(name, ...actions)).slice(0, 3)
const ids = (suggestions: readonly Suggestion[]): string[] => suggestions.map(({ id }) => id)

test('whoever likes baking is offered more from the kitchen, with the nearest of what was liked', async () => {
  const suggestions = await after('baker', ['liked', 'sourdough'], ['liked', 'cakes'])
  expect(['pasta', 'soups', 'spices']).toContain(suggestions[0]?.id)
  for (const { because } of suggestions) {
    expect(because.length).toBeGreaterThan(0)
    for (const { title } of because) expect(['Bread from Nothing', 'Cakes for Sundays']).toContain(title)
    expect(because.map(({ likeness }) => likeness)).toEqual(because.map(({ likeness }) => likeness).toSorted((a, b) => b - a))
  }
})

test('readers do not share their tastes, and nobody is offered what they know', async () => {
  const suggestions = await after('pilot', ['liked', 'moon'], ['borrowed', 'mars'])
  expect(['stars', 'comets', 'black-holes']).toContain(suggestions[0]?.id)
  expect(ids(suggestions)).not.toContain('moon')
  expect(ids(suggestions)).not.toContain('mars')
})

test('a dislike pushes what is like it down', async () => {
  const place = async (name: string, ...more: readonly (readonly [Action, string])[]): Promise<number> => {
    const suggestions = await all(name, ['liked', 'algorithms'], ['liked', 'python'], ...more)
    return suggestions.findIndex(({ id }) => id === 'databases')
  }
  const before = await place('curious')
  expect(before).toBeGreaterThanOrEqual(0)
  expect(await place('annoyed', ['disliked', 'networks'], ['disliked', 'debugging'])).toBeGreaterThan(before)
})

test('who has done nothing yet is offered nothing', async () => {
  expect(await after('new')).toEqual([])
})

test('one command suggests three books to each reader, with the reason', { timeout: 60_000 }, () => {
  const main = fileURLToPath(new URL('../../dist-examples/recommender/main.js', import.meta.url))
  const { stdout, stderr, status } = spawnSync(process.execPath, [main], { encoding: 'utf8' })
  const lines = stdout.trimEnd().split('\n')
  expect(lines.filter((line) => !line.startsWith(' ')).map((line) => line.split(':')[0])).toEqual(['ada', 'ben', 'eva'])
  expect(lines.filter((line) => /^ {2}\d\.\d\d .+ — like .+ \(\d\.\d\d\)/.test(line))).toHaveLength(9)
  expect(stderr).toBe('')
  expect(status).toBe(0)
})
