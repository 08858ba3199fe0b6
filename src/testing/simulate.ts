/** Runs a simulation, and when it fails finds the fewest faults that make it fail. */
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, TroupeError } from '../ground/errors.js'
import type { Address } from '../runtime/address.js'
import type { Kernels } from '../runtime/effects.js'
import { fingerprint } from '../runtime/fingerprint.js'
import type { Troupe } from '../runtime/troupe.js'
import { chance } from './chance.js'
import { checkFaults, plan, shrink, type Fault, type Faults } from './faults.js'
import type { Failure, Simulation } from './simulation.js'
import { Try } from './try.js'

export interface SimulationOptions<World = undefined> {
  /** Decides everything that is left to chance. Default 1. */
  readonly seed?: number
  /** What the script and the invariants share, made anew for each try. */
  readonly world?: () => World
  /** The names of the nodes of the troupe, each a process of its own, with a network between them. Default one process. */
  readonly nodes?: readonly string[]
  /** Which node an address is on. Default what `createTroupe` makes of it. */
  readonly place?: (address: Address) => string
  /** Registers the actors, when a process is started, and each time that it is started again; `node` is its name. */
  readonly cast: (troupe: Troupe, sim: Simulation<World>, node: string) => void | Promise<void>
  /** What happens from outside. When it ends, the troupe is stopped and the simulation is over. */
  readonly run: (sim: Simulation<World>) => void | Promise<void>
  /** Checked after each step, by name; one that throws fails the simulation. */
  readonly invariants?: Readonly<Record<string, (sim: Simulation<World>) => void>>
  /** How many faults there are at most, or which: a list that a failed simulation has told. Default none. */
  readonly faults?: Faults | readonly Fault[]
  /** Whether there is a store, on a disk that is lost in parts by a crash. Default true. */
  readonly store?: boolean
  /** What `infer` reaches. Time stands still while a call is at work. */
  readonly kernels?: Kernels
  /** When it is at the start. Default the beginning of 2026. */
  readonly start?: number
  /** Steps after which a run that has not ended is a failure. Default 1,000,000. */
  readonly steps?: number
  /** Where the trace of a failure is written. Default the folder for temporary files. */
  readonly folder?: string
}

/** What came of a simulation that did not fail. */
export interface SimulationReport<World = undefined> {
  readonly seed: number
  readonly world: World
  readonly steps: number
  readonly lives: number
  readonly faults: readonly Fault[]
  /** The latest lines: facts, faults, syncs and notes, each with its step and its virtual milliseconds. */
  readonly trace: readonly string[]
  /** A hash over the whole trace. Two runs with one seed have the same. */
  readonly digest: string
}

/** Runs of a failed simulation with fewer faults. */
const SHRINK_TRIES = 100

/**
 * Runs a whole troupe in one process, or several nodes of one, under virtual time, with everything that is left to chance decided by a seed: the
 * same seed is the same run. Throws `SimulationFailed` with the seed, the fewest faults with which it still fails, and
 * the file that has the trace.
 */
export async function simulate<World = undefined>(options: SimulationOptions<World>): Promise<SimulationReport<World>> {
  const seed = options.seed ?? 1
  const faults = Array.isArray(options.faults) ? (options.faults as readonly Fault[]) : plan((options.faults ?? {}) as Faults, chance(fingerprint(`${seed}/faults`)), options.nodes)
  checkFaults(faults, options.nodes)
  const first = new Try(options, seed, faults)
  const failure = await first.play()
  if (failure === undefined) return { seed, world: first.world, steps: first.steps, lives: first.lives, faults, trace: first.trace.lines, digest: first.trace.digest() }

  const struck = faults.filter(({ step }) => step <= first.steps)
  const fewest = await shrink(struck, async (fewer) => (await new Try(options, seed, fewer).play())?.what === failure.what, SHRINK_TRIES)
  const last = new Try(options, seed, fewest)
  throw await failed(seed, (await last.play()) ?? failure, fewest, last.trace.lines, options.folder ?? tmpdir())
}

async function failed(seed: number, { what, error }: Failure, faults: readonly Fault[], lines: readonly string[], folder: string): Promise<TroupeError> {
  const path = join(folder, `troupe-simulation-${seed}.txt`)
  await mkdir(folder, { recursive: true })
  await writeFile(path, `${lines.join('\n')}\n`)
  const list = faults.map((fault) => `\n  ${JSON.stringify(fault)}`).join('')
  const message = `seed ${seed}: ${what}: ${describe(error)}\nwith ${faults.length === 0 ? 'no faults' : `the faults${list}`}\ntrace: ${path}`
  return new TroupeError('SimulationFailed', message, 'the same seed fails in the same way; give it these faults to see no others', { seed, what, faults, trace: path }, error)
}
