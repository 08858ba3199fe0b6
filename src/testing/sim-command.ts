/** `troupe sim <file> [--seeds 100] [--from 1]`: runs a simulation with one seed after another, and stops at the first that fails. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { TroupeError } from '../ground/errors.js'
import { simulate, type SimulationOptions } from './simulate.js'

/** The file exports the simulation's options as its default; a seed among them is left aside. Gives the exit code. */
export async function sim(args: readonly string[], print: (line: string) => void): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { seeds: { type: 'string', default: '100' }, from: { type: 'string', default: '1' } } })
  const [file] = positionals
  if (file === undefined) throw new TroupeError('InvalidDefinition', 'sim has no file', 'troupe sim <file> [--seeds 100] [--from 1]')
  const { default: options } = (await import(pathToFileURL(resolve(file)).href)) as { default?: SimulationOptions<unknown> }
  if (typeof options?.cast !== 'function') throw new TroupeError('InvalidDefinition', `${file} exports no simulation`, 'export default { cast, run, invariants, faults }')
  const from = Number(values.from)
  let steps = 0
  let lives = 0
  for (let seed = from; seed < from + Number(values.seeds); seed++) {
    try {
      const report = await simulate({ ...options, seed })
      steps += report.steps
      lives += report.lives
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== 'SimulationFailed') throw error
      print(error.message)
      return 1
    }
  }
  print(`${values.seeds} seeds from ${from}: ${steps} steps, ${lives} lives, no failure`)
  return 0
}
