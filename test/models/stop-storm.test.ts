import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const program = fileURLToPath(new URL('./programs/storm.mjs', import.meta.url))
/** How many processes are ended; the nightly run asks for 1,000. */
const STORMS = Number(process.env['STORMS'] ?? 22)

interface Ending {
  code: number | null
  signal: NodeJS.Signals | null
  errors: string
}

/** Runs one process to its end; when it says that it is in the middle of inference, `signal` is sent. */
function ended(how: string, delayMs: number, start: 'warm' | 'cold', signal?: NodeJS.Signals): Promise<Ending> {
  return new Promise((resolve) => {
    const child = fork(program, [how, String(delayMs), start], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    let errors = ''
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on('message', () => void (signal !== undefined && child.kill(signal)))
    child.on('close', (code, by) => resolve({ code, signal: by, errors }))
  })
}

/** Each way to end, and how a process that runs no models would end. */
const WAYS: readonly (readonly [how: string, sent: NodeJS.Signals | undefined, expected: Pick<Ending, 'code' | 'signal'>])[] = [
  ['natural', undefined, { code: 0, signal: null }],
  ['exit', undefined, { code: 7, signal: null }],
  ['throw', undefined, { code: 1, signal: null }],
  ['reject', undefined, { code: 1, signal: null }],
  ['stop', undefined, { code: 0, signal: null }],
  ['stop, exit', undefined, { code: 3, signal: null }],
  ['cancel', undefined, { code: 0, signal: null }],
  ['cancel, exit', undefined, { code: 4, signal: null }],
  ['signal', 'SIGTERM', { code: null, signal: 'SIGTERM' }],
  ['signal', 'SIGINT', { code: null, signal: 'SIGINT' }],
  ['stop on signal', 'SIGTERM', { code: 0, signal: null }],
]

describe('a process that ends in the middle of inference', () => {
  test.each(WAYS.map(([how, sent, expected]) => ({ name: sent === undefined ? how : `${how} ${sent}`, how, sent, expected })))('$name: ends as it would without models', { timeout: 20_000 + STORMS * 500 }, async ({ how, sent, expected }) => {
    const each = Math.max(1, Math.round(STORMS / WAYS.length))
    for (let i = 0; i < each; i++) {
      const delayMs = (i * 17 + how.length * 7) % 90
      const start = i % 4 === 3 ? 'cold' : 'warm'
      const { code, signal, errors } = await ended(how, delayMs, start, sent)
      expect({ code, signal, aborted: errors.includes('terminate called') }, `${how} after ${delayMs} ms, ${start}: ${errors}`).toEqual({ ...expected, aborted: false })
    }
  })
})
