import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
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

  test('an option that it does not know is named, with the help, and is an error', () => {
    const { status, stdout, stderr } = troupe('--frobnicate')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('"--frobnicate"')
    expect(stderr).toContain('usage:')
  })
})
