// A program that is killed at random moments, started again each time, and asked in the end what it knows.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** How many of all kills, 50 unless TROUPE_KILLS says otherwise, a suite takes on. */
export const killsOf = (share: number): number => Math.max(1, Math.round(Number(process.env['TROUPE_KILLS'] ?? 50) * share))

/** Kills on one store; then another begins, since what the programs remember for the check grows with each. */
const KILLS_A_STORE = 25
/** Lines until a kill, at most. */
const LINES = 60
/** A kill by time falls between the start of Node and some work done. */
const LATEST_MS = 800
/** A program that says nothing for so long hangs. */
const STUCK_MS = 60_000

export interface Aftermath<Report> {
  readonly kills: number
  /** The lines that the program printed before its kills. */
  readonly told: readonly string[]
  /** What it prints as JSON when it is asked to check. */
  readonly report: Report
}

/**
 * Kills `<program>.mjs <folder> run <from>` and gives `check` what `<program>.mjs <folder> check` says, for each store.
 * When `check` throws, the seed that repeats the moments of the kills is printed.
 */
export async function killed<Report>(program: string, kills: number, check: (aftermath: Aftermath<Report>) => void): Promise<void> {
  const first = Number(process.env['TROUPE_SEED'] ?? 4711)
  for (let done = 0; done < kills; done += KILLS_A_STORE) {
    const seed = first + done
    const folder = await mkdtemp(join(tmpdir(), `troupe-${program}-`))
    try {
      check(await aftermath<Report>(program, folder, Math.min(KILLS_A_STORE, kills - done), seed))
    } catch (error) {
      process.stderr.write(`${program} failed: TROUPE_SEED=${seed}, its store is in ${folder}\n`)
      throw error
    }
    await rm(folder, { recursive: true, force: true })
  }
}

async function aftermath<Report>(program: string, folder: string, kills: number, seed: number): Promise<Aftermath<Report>> {
  let state = seed
  const random = (): number => ((state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) / 0x7fffffff)
  const file = fileURLToPath(new URL(`${program}.mjs`, import.meta.url))
  const told: string[] = []
  for (let kill = 0; kill < kills; kill++) told.push(...(await oneLife(file, folder, kill * 1_000, random)))
  const { stdout } = await promisify(execFile)(process.execPath, [file, folder, 'check'], { maxBuffer: 64 * 1024 * 1024, timeout: STUCK_MS })
  return { kills, told, report: JSON.parse(stdout) as Report }
}

/** Starts the program and kills it: two times out of three after some lines, else after some time. */
async function oneLife(file: string, folder: string, from: number, random: () => number): Promise<string[]> {
  const child = spawn(process.execPath, [file, folder, 'run', String(from)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let told = ''
  const byTime = random() < 1 / 3
  const lines = byTime ? Infinity : 1 + Math.floor(random() * LINES)
  let hangs = false
  const timer = setTimeout(
    () => {
      hangs = !byTime
      child.kill('SIGKILL')
    },
    byTime ? random() * LATEST_MS : STUCK_MS,
  )
  child.stdout.on('data', (data: Buffer) => {
    told += data.toString()
    if (told.split('\n').length > lines) child.kill('SIGKILL')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  if (hangs) throw new Error(`${file} hangs after ${told.split('\n').length - 1} of ${lines} lines`)
  if (code !== null) throw new Error(`${file} ended by itself, with ${code}`)
  return told.split('\n').slice(0, -1)
}
