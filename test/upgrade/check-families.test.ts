// What check-upgrade says of children that no file exports, and of the effects of charts.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTroupe, type Definition } from 'troupe'
import { lmdb } from 'troupe/lmdb'

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'troupe-families-'))
afterAll(() => rmSync(folder, { recursive: true }))

beforeAll(async () => {
  const { families } = (await import(here('families.mjs'))) as { families: () => Record<'trip' | 'crew', Definition> }
  const { trip, crew } = families()
  let slow!: () => void
  const second = new Promise<void>((resolve) => (slow = resolve))
  const kernels = { infer: (_: string, model: string) => (model === 'slow model' ? (slow(), new Promise(() => {})) : Promise.resolve('Ritz')) }
  const troupe = await createTroupe({ store: lmdb(folder), host: kernels as never })
  const ref = troupe.spawn('trip', trip)
  await ref.tell({ type: 'plan' } as never)
  await ref.tell({ type: 'stop', town: 'Ulm' } as never)
  troupe.spawn('crew', crew)
  await second
  await troupe.stop({ within: '1s' })
})

const check = (definitions: string) => spawnSync(process.execPath, [here('../../dist/cli.js'), 'check-upgrade', '--store', folder, here(definitions)], { encoding: 'utf8' })

test('with the same code all of them go on, and all of them were looked at', () => {
  expect(check('families-as-before.mjs')).toMatchObject({ status: 0, stdout: '3 actors, 2 handlers under way: all would go on\n', stderr: '' })
})

test('with other code each is told of: a child chart by its parent\'s machine, a spawned child, and an effect', () => {
  const { status, stdout } = check('families-after.mjs')
  expect(status).toBe(1)
  expect(stdout).toMatch(/^trip>ride: incompatible: .*"resting"/m)
  expect(stdout).toMatch(/^crew>hand: diverges: its handler of work: .*effect 0 was step saw, and is now step plane/m)
  expect(stdout).toMatch(/^trip: diverges: book, which it invoked as book: .*effect 0, infer tag model, is now called with something else/m)
  expect(stdout).toMatch(/3 actors, 2 handlers under way: 3 findings\n$/)
})
