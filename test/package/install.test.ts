import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileAt, root } from '../house/tree.js'
import { Consumer, pack, workplace } from './consumer.js'
import type { Tarball } from './consumer.js'

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const HEAVY = /onnxruntime|@huggingface[/\\]transformers/
const hasHost = fileAt('src/models/index.ts').some(({ text }) => text.includes('createHost'))

const EMBED = `
import { createHost } from 'troupe/models'
const host = await createHost()
const tell = (outcome) => console.log(JSON.stringify(outcome))
await host.embed('embedded:encoder', ['some text']).then(
  ([vector]) => tell({ kind: vector.constructor.name, length: vector.length }),
  ({ code, hint }) => tell({ code, hint }),
)
await host.stop()`

const place = workplace()
let tarball: Tarball
beforeAll(async () => {
  tarball = await pack(place.folder)
})
afterAll(() => place.remove())

describe.each([
  { kind: 'with its optional dependencies', options: [], optional: true },
  { kind: 'without its optional dependencies', options: ['--omit=optional'], optional: false },
])('the package installed $kind', ({ kind, options, optional }) => {
  let consumer: Consumer
  beforeAll(async () => {
    consumer = await Consumer.install(join(place.folder, kind.replaceAll(' ', '-')), tarball, ...options)
  })

  test('is what this test thinks it is, and shows it when a model library is loaded', async () => {
    expect(consumer.has('xstate')).toBe(true)
    expect(consumer.has('onnxruntime-node')).toBe(optional)
    expect(consumer.has('@huggingface/transformers')).toBe(optional)
    if (!optional) return
    const loaded = await consumer.loadedBy("import 'onnxruntime-node'")
    expect(loaded).toEqual(expect.arrayContaining([expect.stringContaining('onnxruntime-node/dist/index.js'), expect.stringContaining('onnxruntime_binding.node')]))
  })

  test("loads no model library for 'troupe'", async () => {
    const loaded = await consumer.loadedBy("import 'troupe'")
    expect(loaded).toEqual(expect.arrayContaining([expect.stringContaining('/troupe/dist/runtime/index.js')]))
    expect(loaded.filter((path) => HEAVY.test(path))).toEqual([])
  })

  test("loads no model library for 'troupe/models' and 'troupe/actors' before their first use", async () => {
    const loaded = await consumer.loadedBy("import 'troupe/models'\nimport 'troupe/actors'\nimport 'troupe/testing'")
    expect(loaded).toEqual(expect.arrayContaining([expect.stringContaining('/troupe/dist/models/index.js')]))
    expect(loaded.filter((path) => HEAVY.test(path))).toEqual([])
  })

  test('ends by itself after an import', async () => {
    expect(await consumer.run("import 'troupe'\nimport 'troupe/models'\nimport 'troupe/actors'\nimport 'troupe/testing'")).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })

  test('has types that a strict compiler takes, library files included', async () => {
    const entrances = ['troupe', 'troupe/models', 'troupe/actors', 'troupe/lmdb', 'troupe/testing', 'troupe/client'].map((name, index) => `import * as part${index} from '${name}'\nexport const keys${index}: string[] = Object.keys(part${index})`)
    const compiled = await consumer.compile(entrances.join('\n'))
    expect(compiled.stdout).toBe('')
    expect(compiled.status).toBe(0)
    const exact = await consumer.compile(entrances.join('\n'), { exact: true })
    expect(exact.stdout.split('\n').filter((line) => /^\S/.test(line) && !line.startsWith('node_modules/xstate/'))).toEqual([])
    const wrong = await consumer.compile("import { noSuchThing } from 'troupe'\nnoSuchThing()")
    expect(wrong.stdout).toContain('noSuchThing')
  })

  test('has a command that tells its version', async () => {
    expect(await consumer.bin('--version')).toMatchObject({ status: 0, stdout: `${version}\n` })
  })

  test.runIf(hasHost && optional)('embeds with the weights that it carries', async () => {
    const { status, stdout, stderr } = await consumer.run(EMBED)
    expect(status, stderr).toBe(0)
    const outcome = JSON.parse(stdout) as { kind: string; length: number }
    expect(outcome.kind).toBe('Float32Array')
    expect(outcome.length).toBeGreaterThan(0)
  })

  test.runIf(hasHost && !optional)('says which command brings the models, when they are first used', async () => {
    const { status, stdout, stderr } = await consumer.run(EMBED)
    expect(status, stderr).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ code: 'MissingDependency', hint: expect.stringContaining('npm install') as string })
  })
})
