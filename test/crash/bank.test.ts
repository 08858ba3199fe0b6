import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('bank.mjs', import.meta.url))
const KILLS = Number(process.env['TROUPE_KILLS'] ?? 20)

interface Report {
  readonly resumed: number
  readonly done: readonly string[]
  readonly accounts: readonly { readonly cents: number; readonly seen: readonly string[]; readonly disorder: number; readonly twice: number }[]
}

/** Lets the bank transfer and kills it at a random moment; gives the transfers whose acceptance it had told. */
async function killed(folder: string, from: number, random: () => number): Promise<string[]> {
  const bank = spawn(process.execPath, [program, folder, 'run', String(from)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  const wanted = 1 + Math.floor(random() * 60)
  bank.stdout.on('data', (data: Buffer) => {
    told += data.toString()
    if (told.split('\n').length > wanted) bank.kill('SIGKILL')
  })
  await once(bank, 'close')
  return told.split('\n').slice(0, -1)
}

test(`a bank that is killed ${KILLS} times loses nothing and pays nothing twice`, { timeout: 60_000 + KILLS * 2_000 }, async () => {
  const seed = Number(process.env['TROUPE_SEED'] ?? 4711)
  let state = seed
  const random = (): number => ((state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff)
  const folder = await mkdtemp(join(tmpdir(), 'troupe-bank-'))
  const accepted: string[] = []
  let next = 0
  for (let kill = 0; kill < KILLS; kill++) {
    accepted.push(...(await killed(folder, next, random)))
    next += 1_000
  }
  const { stdout } = await promisify(execFile)(process.execPath, [program, folder, 'check'], { maxBuffer: 64 * 1024 * 1024 })
  const report = JSON.parse(stdout) as Report
  const moves = report.accounts.flatMap(({ seen }) => seen)
  expect({
    seed,
    cents: report.accounts.reduce((sum, { cents }) => sum + cents, 0),
    twice: report.accounts.reduce((sum, { twice }) => sum + twice, 0),
    disorder: report.accounts.reduce((sum, { disorder }) => sum + disorder, 0),
    lost: accepted.filter((id) => !report.done.includes(id)),
    doneTwice: report.done.length - new Set(report.done).size,
    halves: report.done.filter((id) => !moves.includes(`${id}-`) || !moves.includes(`${id}+`)),
  }).toEqual({ seed, cents: 8_000, twice: 0, disorder: 0, lost: [], doneTwice: 0, halves: [] })
  expect(accepted.length).toBeGreaterThan(KILLS)
  await rm(folder, { recursive: true, force: true })
})
