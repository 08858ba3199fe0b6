// Two versions of a program over one store: what does the second make of what the first left?
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lmdb } from 'troupe/lmdb'

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const KEY = 'a key of sixteen or more'
const folders: string[] = []
const folder = (): string => (folders.push(mkdtempSync(join(tmpdir(), 'troupe-upgrade-'))), folders.at(-1) as string)

/** Runs the program until two orders are under way. */
async function shop(...args: string[]): Promise<ChildProcess> {
  const program = spawn(process.execPath, [here('shop.mjs'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  for await (const line of createInterface(program.stdout)) {
    lines.push(line)
    if (lines.length === 3) return program
  }
  throw new Error(`the shop ended after ${lines.join(', ')}`)
}
const killed = async (program: ChildProcess): Promise<void> => {
  const gone = once(program, 'exit')
  program.kill('SIGKILL')
  await gone
}
const check = (store: string, definitions: string, ...more: string[]) =>
  spawnSync(process.execPath, [here('../../dist/cli.js'), 'check-upgrade', '--store', store, ...more, here(definitions)], { encoding: 'utf8', env: { ...process.env, SHOP_KEY: KEY } })
const left = folder()
beforeAll(async () => killed(await shop(left)))
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true })
})

describe('check-upgrade', () => {
  test('finds nothing where nothing has changed, and runs no effect', () => {
    expect(check(left, 'before.mjs')).toMatchObject({ status: 0, stdout: '9 actors, 2 handlers under way: all would go on\n', stderr: '' })
  })

  test('lists each actor that would not go on, and why', () => {
    const { status, stdout } = check(left, 'after.mjs', '--json')
    const { actors, handlers, findings } = JSON.parse(stdout) as { actors: number; handlers: number; findings: { address: string; kind: string; message: string }[] }
    expect({ status, actors, handlers }).toEqual({ status: 1, actors: 9, handlers: 2 })
    expect(findings.map(({ address, kind }) => `${address}: ${kind}`).toSorted()).toEqual([
      'diary: mail', 'lamp: incompatible', 'order/k: diverges', 'order/n: diverges', 'stairs: incompatible', 'till/1: not-upcast', 'till/2: not-upcast', 'visitor: missing',
    ])
    const saying = (address: string): string => findings.find((finding) => finding.address === address)?.message ?? ''
    expect(saying('order/k')).toContain('effect 1 was step charge, and is now step ask for the address')
    expect(saying('order/n')).toContain('effect 0 was step reserve a pen, and is now step reserve a book')
    expect(saying('lamp')).toContain('cannot go on from state "on"')
    expect(saying('stairs')).toContain('its timer xstate.after.60000')
    expect(saying('visitor')).toBe('has no definition; 2 actors in the store')
    expect(saying('diary')).toContain('words: ')
  })

  test('says it in lines too, and leaves the store as it was', () => {
    const { status, stdout } = check(left, 'after.mjs')
    expect(status).toBe(1)
    expect(stdout).toMatch(/^till\/1: not-upcast: /m)
    expect(stdout).toMatch(/9 actors, 2 handlers under way: 8 findings\n$/)
    expect(check(left, 'before.mjs')).toMatchObject({ status: 0 })
  })

  test('a damaged record is its own actor\'s, and a damaged entry nobody\'s', async () => {
    const store = folder()
    await killed(await shop(store))
    const open = await lmdb(store)()
    await open.commit([{ kind: 'put', key: ['actor', 'till/1'], value: Uint8Array.of(0xc1) }, { kind: 'put', key: ['log', 999_999], value: Uint8Array.of(0xc1) }])
    await open.close()
    const { status, stdout } = check(store, 'before.mjs')
    expect(status).toBe(1)
    expect(stdout).toMatch(/^the log: damaged: entry 999999 /m)
    expect(stdout).toMatch(/^till\/1: damaged: /m)
    expect(stdout).toMatch(/2 findings\n$/)
  })

  test('looks into a store that a troupe is at work with, an encrypted one too, and disturbs nobody', async () => {
    const store = folder()
    const program = await shop(store, KEY)
    expect(check(store, 'before.mjs', '--key-env', 'SHOP_KEY')).toMatchObject({ status: 0, stdout: expect.stringContaining('all would go on') as string })
    expect(check(store, 'before.mjs')).toMatchObject({ status: 2, stderr: expect.stringContaining('does not open with this key') as string })
    expect(program.exitCode).toBe(null)
    await killed(program)
  })

  test.each([
    ['no store', ['check-upgrade', here('before.mjs')], 'check-upgrade needs a store'],
    ['a folder without one', ['check-upgrade', '--store', tmpdir(), here('before.mjs')], 'holds no store'],
    ['a key that nobody has set', ['check-upgrade', '--store', left, '--key-env', 'SHOP_LOST_KEY', here('before.mjs')], 'the environment has no SHOP_LOST_KEY'],
    ['a file without definitions', ['check-upgrade', '--store', left, here('../../dist/ground/duration.js')], 'exports no definitions'],
  ])('%s is an error of its own', (_, args, words) => {
    const { status, stderr } = spawnSync(process.execPath, [here('../../dist/cli.js'), ...args], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(words) as string })
  })
})
