import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = new URL('..', import.meta.url)
const troupe = (...args: string[]) => spawnSync(process.execPath, [fileURLToPath(new URL('dist/cli.js', root)), ...args], { encoding: 'utf8' })
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }

describe('the command', () => {
  test('--version prints the version of the package', () => {
    expect(troupe('--version')).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' })
  })

  test('--help prints every option', () => {
    const { status, stdout } = troupe('--help')
    expect(status).toBe(0)
    expect(stdout).toContain('--version')
    expect(stdout).toContain('--help')
  })

  test('sim runs a simulation with many seeds, says which fails, and is an error then', () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-sim-'))
    const file = join(folder, 'sim.mjs')
    writeFileSync(file, "export default { cast() {}, run: (sim) => sim.sleep('1d'), invariants: { small: (sim) => { if (sim.random() > 0.9) throw new Error('large') } } }")
    expect(troupe('sim', file, '--seeds', '2')).toMatchObject({ status: 0, stdout: expect.stringContaining('2 seeds from 1:') as string })
    expect(troupe('sim', file, '--seeds', '500')).toMatchObject({ status: 1, stdout: expect.stringMatching(/^seed \d+: small: Error: large\nwith no faults\ntrace: /) as string })
    expect(troupe('sim')).toMatchObject({ status: 2, stderr: expect.stringContaining('sim has no file') as string })
    rmSync(folder, { recursive: true })
  })

  test('an option that it does not know is named, with the help, and is an error', () => {
    const { status, stdout, stderr } = troupe('--frobnicate')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('"--frobnicate"')
    expect(stderr).toContain('usage:')
  })
})
