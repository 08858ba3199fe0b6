import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('./programs/storm.mjs', import.meta.url))
/** How many processes are ended, all ways together. A thousand take half an hour on two cores: STORMS=200 STORM_SEED=1, then 2, … */
const STORMS = Number(process.env['STORMS'] ?? 22)
const SEED = Number(process.env['STORM_SEED'] ?? 1)
/** A process takes one to three seconds on idle cores; one that takes this long hangs, and is told apart from a slow one. */
const HUNG_MS = 120_000

interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  hung: boolean
  errors: string
}

/** Runs one process to its end; when it says that it is in the middle of inference, `signal` is sent. */
function ended(how: string, delayMs: number, start: 'warm' | 'cold', signal?: NodeJS.Signals): Promise<Ending> {
  return new Promise((resolve) => {
    const child = fork(program, [how, String(delayMs), start], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let errors = ''
    let hung = false
    const watchdog = setTimeout(() => (hung = child.kill('SIGKILL')), HUNG_MS)
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('message', () => void (signal !== undefined && child.kill(signal)))
    child.on('close', (code, by) => {
      clearTimeout(watchdog)
      resolve({ code, signal: by, hung, errors })
    })
  })
}

/** Each way to end, and how a process that runs no models would end. */
const WAYS: readonly (readonly [how: string, sent: NodeJS.Signals | undefined, expected: number | NodeJS.Signals])[] = [
  ['natural', undefined, 0],
  ['exit', undefined, 7],
  ['throw', undefined, 1],
  ['reject', undefined, 1],
  ['stop', undefined, 0],
  ['stop, exit', undefined, 3],
  ['cancel', undefined, 0],
  ['cancel, exit', undefined, 4],
  ['signal', 'SIGTERM', 'SIGTERM'],
  ['signal', 'SIGINT', 'SIGINT'],
  ['stop on signal', 'SIGTERM', 0],
]
const EACH = Math.max(1, Math.ceil(STORMS / WAYS.length))

/** The same numbers for the same seed (mulberry32), so that a moment that aborts can be tried again. */
function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('a process that ends in the middle of inference', () => {
  const table: string[] = []
  afterAll(() => {
    if (process.env['STORMS'] !== undefined) console.log([`seed ${SEED}`, ...table].join('\n'))
  })

  test.each(WAYS.map(([how, sent, expected], at) => ({ name: sent === undefined ? how : `${how} ${sent}`, how, sent, expected, at })))('$name: ends with $expected, as it would without models', { timeout: 2 * HUNG_MS + EACH * 30_000 }, async ({ name, how, sent, expected, at }) => {
    const chance = chanceOf(SEED * 1_000 + at)
    const counts = new Map<string, number>()
    for (let i = 0; i < EACH; i++) {
      const delayMs = Math.floor(chance() * 150)
      const start = chance() < 0.25 ? 'cold' : 'warm'
      const { code, signal, hung, errors } = await ended(how, delayMs, start, sent)
      const end = errors.includes('terminate called') ? 'aborted' : hung ? 'hung' : (signal ?? code)
      counts.set(String(end), (counts.get(String(end)) ?? 0) + 1)
      expect(end, `${name} after ${delayMs} ms, ${start}, seed ${SEED}: ${errors}`).toBe(expected)
    }
    table.push(`${name}: ${[...counts].map(([end, count]) => `${count} ended with ${end}`).join(', ')}`)
  })
})
