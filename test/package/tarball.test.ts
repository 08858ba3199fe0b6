import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { filesBelow, root } from '../house/tree.js'
import { pack, runIn, workplace } from './consumer.js'
import type { Tarball } from './consumer.js'

const TARBALL_BYTES_MAX = 48_000_000

const place = workplace()
let tarball: Tarball
beforeAll(async () => {
  tarball = await pack(place.folder)
})
afterAll(() => place.remove())

describe('the tarball', () => {
  test('has what the package runs on and what one reads about it, and nothing else', () => {
    const top = new Set(tarball.files.map((path) => path.replace(/\/.*/, '')))
    expect([...top].toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json'].filter((path) => path === 'dist' || existsSync(join(root, path))))
    expect(tarball.files.filter((path) => path.startsWith('dist/') && !/^dist\/models\/embedded\/|\.(js|js\.map|d\.ts)$/.test(path))).toEqual([])
  })

  test('has the compiled form of every source, and no leftover of one that is gone', () => {
    const sources = filesBelow('src', ['.ts']).map(({ path }) => path.replace(/^src/, 'dist').replace(/\.ts$/, ''))
    expect(tarball.files.filter((path) => path.endsWith('.d.ts')).toSorted()).toEqual(sources.map((path) => `${path}.d.ts`).toSorted())
    expect(tarball.files.filter((path) => path.endsWith('.js')).toSorted()).toEqual(sources.map((path) => `${path}.js`).toSorted())
  })

  test('has the embedded weights with their cards', () => {
    const embedded = filesBelow('src/models/embedded', ['']).map(({ path }) => path.replace(/^src/, 'dist'))
    expect(embedded.filter((path) => path.endsWith('.onnx'))).not.toEqual([])
    expect(embedded.filter((path) => path.endsWith('README.md'))).not.toEqual([])
    expect(tarball.files).toEqual(expect.arrayContaining(embedded))
  })

  test('stays small enough to download', () => {
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
    console.log(`the tarball has ${megabytes(tarball.bytes)} MB, unpacked ${megabytes(tarball.unpackedBytes)} MB in ${tarball.files.length} files`)
    expect(tarball.bytes).toBeLessThan(TARBALL_BYTES_MAX)
  })

  test('has a manifest that publint finds nothing wrong with', async () => {
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(readFileSync(tarball.path)).buffer }, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>))).toEqual([])
  })

  test('has types that resolve for ESM consumers', async () => {
    const attw = await runIn(root, process.execPath, [join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js'), tarball.path, '--profile', 'esm-only', '--no-color'])
    expect(attw.status, attw.stdout + attw.stderr).toBe(0)
  })
})
