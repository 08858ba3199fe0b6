import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { IngestProgress } from 'troupe/actors'

const program = fileURLToPath(new URL('retriever-killed.mjs', import.meta.url))
const DOCUMENTS = 1_500

interface Report {
  readonly done: IngestProgress
  readonly embedded: number
  readonly found: readonly string[]
  readonly passages: number
  readonly distinct: number
}

/** Takes documents in until it has told so many times how far it is; gives all that it told. */
async function told(folder: string, times: number): Promise<string[]> {
  const child = spawn(process.execPath, [program, folder, String(DOCUMENTS)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString()
    if (text.split('\n').length > times) child.kill('SIGKILL')
  })
  await once(child, 'close')
  return text.split('\n').slice(0, -1)
}

test('an ingestion that is killed three times goes on where it was, and the index is whole', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-ingestion-'))
  let known = 0
  for (const times of [9, 17, 14]) {
    const last = JSON.parse((await told(folder, times)).at(-1) as string) as IngestProgress
    // What an earlier life had told as taken in is still there.
    expect(last.unchanged).toBeGreaterThanOrEqual(Math.min(known, last.documents))
    known = Math.max(known, last.documents)
  }
  expect(known).toBeLessThan(DOCUMENTS)
  const report = JSON.parse((await told(folder, Infinity)).at(-1) as string) as Report
  expect(report.done).toMatchObject({ documents: DOCUMENTS, of: DOCUMENTS })
  expect(report.done.unchanged).toBeGreaterThanOrEqual(known)
  expect(report.embedded).toBeLessThan(2 * (DOCUMENTS - known) + 10)
  expect(report).toMatchObject({ found: ['d0.md', `d${DOCUMENTS / 2}.md`, `d${DOCUMENTS - 1}.md`], passages: 2 * DOCUMENTS, distinct: 2 * DOCUMENTS })
  await rm(folder, { recursive: true, force: true })
})
