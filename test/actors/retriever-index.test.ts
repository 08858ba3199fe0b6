import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { createTroupe } from 'troupe'
import { retriever } from 'troupe/actors'
import { LanceIndex } from '../../src/actors/retriever/lance-index.js'
import { MemoryIndex } from '../../src/actors/retriever/memory-index.js'
import type { Entry, PassageIndex } from '../../src/actors/retriever/passage-index.js'
import { passageIndexContract } from '../contract/passage-index.js'

const settings = { vectorWeight: 0.1, synonyms: [] }
const folders: string[] = []
const folder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), 'troupe-passages-')))
  return folders.at(-1) as string
}
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true, force: true })))

const opened = async (index: PassageIndex): Promise<PassageIndex> => {
  await index.open()
  return index
}
passageIndexContract('memory', () => opened(new MemoryIndex(settings)))
passageIndexContract('LanceDB', () => opened(new LanceIndex(folder(), settings)))

const vector = (seed: number): Float32Array => {
  const raw = Array.from({ length: 8 }, (_, at) => Math.sin((seed + 1) * (at + 1)))
  const norm = Math.hypot(...raw)
  return Float32Array.from(raw, (x) => x / norm)
}
const entries = Array.from({ length: 300 }, (_, i): Entry => ({ document: `d${i}`, at: 0, hash: 'h', title: `Title ${i % 7}`, source: '', text: `word${i % 13} word${i % 29} amber`, vector: vector(i), metadata: { n: i }, triples: [], leads: true }))
const names = entries.map(({ document }) => document)

test('in memory, a search lets the event loop turn, and finds each passage once whatever is replaced meanwhile', async () => {
  const index = await opened(new MemoryIndex(settings))
  const many = Array.from({ length: 10_000 }, (_, i): Entry => ({ ...(entries[i % entries.length] as Entry), document: `m${i}` }))
  await index.replace(many.map(({ document }) => document), many)
  let [turns, isOver] = [0, false]
  const turn = (): void => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  setImmediate(turn)
  const search = index.search({ text: 'amber word3', vector: vector(3), limit: 10_000 })
  await index.replace(['m0', 'm1'], many.slice(0, 2).map((entry) => ({ ...entry, text: 'amber anew' })))
  const found = (await search).map(({ document }) => document)
  isOver = true
  expect(turns).toBeGreaterThan(1)
  expect(new Set(found).size).toBe(10_000)
  expect(found).toHaveLength(10_000)
})

describe('on disk', () => {
  test('ranks as in memory does', async () => {
    const [memory, disk] = [await opened(new MemoryIndex(settings)), await opened(new LanceIndex(folder(), settings))]
    for (let from = 0; from < entries.length; from += 100) {
      for (const index of [memory, disk]) await index.replace(names.slice(from, from + 100), entries.slice(from, from + 100))
    }
    for (let seed = 0; seed < 20; seed++) {
      const query = { text: `word${seed % 13} word${seed % 29} title`, vector: vector(seed * 3), limit: 5 }
      const [a, b] = [await memory.search(query), await disk.search(query)]
      expect(b.map(({ score }) => score.toFixed(5))).toEqual(a.map(({ score }) => score.toFixed(5)))
    }
  })

  test('what was committed is there when it is opened again, and scores the same', async () => {
    const path = folder()
    const first = await opened(new LanceIndex(path, settings))
    await first.replace(names.slice(0, 50), entries.slice(0, 50))
    const query = { text: 'word3 amber', vector: vector(3), limit: 3 }
    const before = await first.search(query)
    first.close()
    const again = await opened(new LanceIndex(path, settings))
    expect([again.size, await again.search(query)]).toEqual([50, before])
  })

  test('vectors of another encoder are refused', async () => {
    const path = folder()
    const first = await opened(new LanceIndex(path, settings))
    await first.replace(['d0'], entries.slice(0, 1))
    first.close()
    const again = await opened(new LanceIndex(path, settings))
    const other = { ...(entries[1] as Entry), vector: new Float32Array(4) }
    await expect(again.replace(['d1'], [other])).rejects.toMatchObject({ code: 'Incompatible' })
  })
})

test('in memory there is room for so many, and the error says where there is more', async () => {
  const index = await opened(new MemoryIndex(settings))
  const one = entries[0] as Entry
  const many = Array.from({ length: 50_001 }, () => one)
  await expect(index.replace(['d0'], many)).rejects.toMatchObject({ code: 'Overloaded', hint: expect.stringContaining('folder') as string })
})

describe('a retriever that cannot open its folder', () => {
  test('says which package is missing, and how to get it', () => {
    const loader = `export const resolve = (name, context, next) => { if (name === '@lancedb/lancedb') throw new Error('not here'); return next(name, context) }`
    const program = `import { register } from 'node:module'; register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(loader)}))
      const [{ createTroupe }, { retriever }] = await Promise.all([import('troupe'), import('troupe/actors')])
      const troupe = await createTroupe()
      const ref = troupe.spawn('retriever', retriever({ folder: './never-made' }))
      for (const type of ['facts', 'remove']) await ref.ask({ type, ids: [] }).catch(({ code, hint }) => console.log(code, hint))
      await troupe.stop()`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
    expect(stdout).toBe('MissingDependency npm install @lancedb/lancedb apache-arrow@18.1.0\n'.repeat(2))
  })

  test('tells everyone who asks, and works once the cause is mended', async () => {
    const path = join(folder(), 'passages')
    writeFileSync(path, 'a file where a folder should be')
    const troupe = await createTroupe()
    const ref = troupe.spawn('retriever', retriever({ folder: path }))
    await expect(ref.ask({ type: 'facts' })).rejects.toMatchObject({ code: 'StoreCorrupt' })
    await expect(ref.ask({ type: 'remove', ids: ['a'] })).rejects.toMatchObject({ code: 'StoreCorrupt' })
    rmSync(path)
    // Whoever comes first still hears of the last attempt, which began before.
    await ref.ask({ type: 'facts' }).catch(() => {})
    expect(await ref.ask({ type: 'facts' })).toEqual({ facts: [] })
    await troupe.stop()
  })
})

describe('one retriever holds a folder', () => {
  const document = { id: 'a', source: 'a.md', text: 'Amber is resin.' }

  test('a second one is refused, and opens it when the first has stopped', async () => {
    const path = folder()
    const [first, second] = [await createTroupe(), await createTroupe()]
    await first.spawn('retriever', retriever({ folder: path })).ask({ type: 'facts' })
    const late = second.spawn('retriever', retriever({ folder: path }))
    await expect(late.ask({ type: 'facts' })).rejects.toMatchObject({ code: 'Overloaded', message: expect.stringContaining(path) as string })
    await first.stop()
    // Whoever comes first still hears of the last attempt.
    await late.ask({ type: 'facts' }).catch(() => {})
    expect(await late.ask({ type: 'facts' })).toEqual({ facts: [] })
    await second.stop()
  })

  test('what a killed process held is free', async () => {
    const path = folder()
    const program = `import { createTroupe } from 'troupe'; import { retriever } from 'troupe/actors'
      const troupe = await createTroupe()
      await troupe.spawn('retriever', retriever({ folder: ${JSON.stringify(path)} })).ask({ type: 'facts' })
      process.stdout.write('open'); setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    const index = new LanceIndex(path, settings)
    await expect(index.open()).rejects.toMatchObject({ code: 'Overloaded' })
    holder.kill('SIGKILL')
    await once(holder, 'close')
    await index.open()
    index.close()
  })

  test('one that failed and was started anew finds its passages', async () => {
    const index = new LanceIndex(folder(), settings)
    await index.open()
    await index.replace(names.slice(0, 3), entries.slice(0, 3))
    index.close()
    await index.open()
    expect([index.size, await index.documents()]).toEqual([3, ['d0', 'd1', 'd2']])
    index.close()
  })

  /** Vectors of the letters in a text, each model from another letter on. */
  const kernels = (asked: string[]) => ({
    infer: (_: string, model: string, texts: unknown) => {
      asked.push(...(texts as string[]).map((text) => `${model}: ${text}`))
      const vectors = (texts as string[]).map((text) => {
        const counts = Float32Array.from({ length: 8 }, (_, at) => text.split(String.fromCharCode(97 + at + (model === 'two' ? 8 : 0))).length - 0.5)
        return counts.map((x) => x / Math.hypot(...counts))
      })
      return Object.assign(Promise.resolve(vectors), { async *[Symbol.asyncIterator]() {} }) as never
    },
  })

  test('reindex embeds anew what another encoder embedded, once, and what is taken in again costs nothing', async () => {
    const path = folder()
    const asked: string[] = []
    const documents = [document, { id: 'b', source: 'b.md', text: 'Birch is a tree.' }]
    const before = await createTroupe({ host: kernels(asked) })
    await before.spawn('retriever', retriever({ folder: path, model: 'one' })).ask({ type: 'add', documents })
    await before.stop()
    const after = await createTroupe({ host: kernels(asked) })
    const ref = after.spawn('retriever', retriever({ folder: path, model: 'two' }))
    expect(await ref.ask({ type: 'reindex' })).toEqual({ documents: 2, of: 2, unchanged: 0, passages: 2, embedded: 2 })
    expect(asked).toEqual(['one: Amber is resin.', 'one: Birch is a tree.', 'two: Amber is resin.', 'two: Birch is a tree.'])
    expect(await ref.ask({ type: 'reindex' })).toMatchObject({ unchanged: 2, embedded: 0 })
    expect(await ref.ask({ type: 'add', documents })).toMatchObject({ unchanged: 2, embedded: 0 })
    expect((await ref.ask({ type: 'search', query: 'birch', limit: 1 })).passages[0]).toMatchObject({ document: 'b', text: 'Birch is a tree.' })
    await after.stop()
  })
})
