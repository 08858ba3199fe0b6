// What the docs show, the tests run. Every ```ts and ```js block in README.md, CHANGELOG.md, docs/*.md and in the doc
// comments of src is checked by the compiler and then run by Node in an empty project in which `troupe` and our
// dependencies resolve. It must end by itself, with exit code 0, within a minute. Each block stands alone, unless marked:
//
//   ```ts continues     goes on where the snippet before it on the page ended: same program, same names
//   ```ts no-run        only checked by the compiler
//   ```text output      follows a snippet, and is exactly what it prints on stdout; `…` is any text within a line
//
// Any other block (sh, json, a plain text) is left alone.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chainsOf, isAsShown, problemsOf, run, snippetsOf } from './house/snippets.js'
import type { Chain } from './house/snippets.js'
import { fileAt, filesBelow, root } from './house/tree.js'

const pages = [...fileAt('README.md'), ...fileAt('CHANGELOG.md'), ...filesBelow('docs', ['.md'])]
const chains = chainsOf([...pages, ...filesBelow('src', ['.ts'])].flatMap((file) => snippetsOf(file)))
const nameOf = ([first]: Chain): string => `${first?.path}:${first?.line}`
const page = (...lines: string[]): Chain[] => chainsOf(snippetsOf({ path: 'page.md', text: lines.join('\n') }))

async function expectAsShown(chain: Chain): Promise<void> {
  const printed = await run(chain)
  for (const [index, { output }] of chain.entries()) {
    const text = printed[index] ?? ''
    if (output !== undefined && !isAsShown(text, output)) expect(text).toBe(output)
  }
}

describe('what the docs show', () => {
  test('compiles', { timeout: 60_000 }, () => {
    expect(problemsOf(chains)).toEqual([])
  })

  const programs = chains.filter((chain) => chain.every((snippet) => snippet.run)).map((chain) => ({ name: nameOf(chain), chain }))
  // One test also where no page has a snippet yet, since a suite without tests is an error.
  if (programs.length === 0) test('runs nothing so far', () => expect(programs).toEqual([]))
  else test.each(programs)('runs: $name', { timeout: 70_000 }, async ({ chain }) => expectAsShown(chain))

  test('explains every code of an error, and no other', () => {
    const codes = [...(fileAt('src/ground/errors.ts')[0]?.text ?? '').matchAll(/^ {2}\| '(\w+)'$/gm)].map((found) => found[1])
    const explained = [...(fileAt('docs/errors.md')[0]?.text ?? '').matchAll(/^\| `(\w+)` \|/gm)].map((found) => found[1])
    expect(codes).toContain('Overloaded')
    expect(explained).toEqual(codes)
  })

  test('points at files that are there', () => {
    const dead = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)[^)]*\)/g)].map((link) => join(dirname(path), link[1] as string)).flatMap((target) => (existsSync(join(root, target)) ? [] : `${path} links to ${target}`)),
    )
    expect(dead).toEqual([])
  })
})

describe('the check itself', () => {
  test('finds a type error at its line of the page, in a continued snippet too', { timeout: 30_000 }, () => {
    const chain = page('# A page', '', '```ts', 'const a = 1', '```', 'then', '```ts no-run continues', 'const b = a', 'const c: string = a', '```', '```js', 'const d = nowhere', '```')
    expect(problemsOf(chain)).toEqual(["page.md:9 Type 'number' is not assignable to type 'string'.", "page.md:12 Cannot find name 'nowhere'."])
  })

  test('finds an import that the package does not export', { timeout: 30_000 }, () => {
    expect(problemsOf(page('```ts', "import { noSuchThing } from 'troupe'", '```'))).toEqual([expect.stringContaining('noSuchThing')])
  })

  test('runs with the package and its dependencies, and tells the outputs of a chain apart', async () => {
    const chain = page('```ts', "import 'troupe'", "import { z } from 'zod'", 'const a: number = z.number().parse(1)', 'console.log(a)', '```', '```text output', '1', '```', '1. then', '   ```ts continues', '   console.log(`took ${a + 1} ms`)', '   ```', '   ```text output', '   took … ms', '   ```')
    expect(chain).toHaveLength(1)
    expect(await run(chain[0] as Chain)).toEqual(['1', 'took 2 ms'])
    await expectAsShown(chain[0] as Chain)
  })

  test('finds an output that is not as shown', async () => {
    const [chain] = page('```js', 'console.log("two")', '```', '```text output', 'one', '```')
    await expect(expectAsShown(chain as Chain)).rejects.toThrow("expected 'two' to be 'one'")
  })

  test('finds a snippet that fails', async () => {
    const [chain] = page('```js', 'throw new Error("as the page says")', '```')
    await expect(run(chain as Chain)).rejects.toThrow('as the page says')
  })

  test('reads the comments of sources', () => {
    const text = '/**\n * Greets.\n *\n * ```ts\n * greet({\n *   name: 1,\n * })\n * ```\n */\nexport const greet = 1'
    expect(snippetsOf({ path: 'src/greet.ts', text })).toMatchObject([{ line: 5, code: 'greet({\n  name: 1,\n})' }])
  })

  test('refuses a mark that it does not know, an output of nothing, and a block without an end', () => {
    expect(() => page('```ts norun', '```')).toThrow('page.md:1 marks a snippet "norun"')
    expect(() => page('```text output', 'x', '```')).toThrow('of which snippet')
    expect(() => page('```ts continues', '```')).toThrow('none is before it')
    expect(() => page('```ts', 'x')).toThrow('never ends')
  })
})
