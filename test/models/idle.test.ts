import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('./programs/idle.mjs', import.meta.url))

test('threads that have nothing to do, or wait for a reader, leave the processor to others', { timeout: 120_000 }, () => {
  const { idleMs, elsewhereMs, threads } = JSON.parse(execFileSync(process.execPath, [program], { encoding: 'utf8' })) as { idleMs: number[]; elsewhereMs: number; threads: number }
  expect(threads).toBeGreaterThanOrEqual(2)
  // V8 tidies up once after work; a thread that looks around for work would take its share in every stretch.
  expect(Math.min(...idleMs), `milliseconds while another process computed for ${elsewhereMs}: ${idleMs.join(', ')}`).toBeLessThan(elsewhereMs / 10)
})
