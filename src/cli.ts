#!/usr/bin/env node
import { readFileSync } from 'node:fs'

const HELP = `troupe: an actor-model runtime for agents

usage: troupe [option]
       troupe sim <file> [--seeds 100] [--from 1]
       troupe check-upgrade --store <folder> [--key-env NAME] [--json] <file>

  sim            run the simulation that a file exports with many seeds, until one fails (docs/simulation.md)
  check-upgrade  say which actors of a store would not go on with the definitions that a file exports (docs/upgrades.md)
  --version      print the version
  --help         print this
`

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const [first, ...rest] = process.argv.slice(2)

const print = (line: string): void => console.log(line)
const refused = (error: unknown): number => {
  console.error(`troupe: ${error instanceof Error ? error.message : String(error)}`)
  return 2
}

if (first === '--version' && rest.length === 0) console.log(version)
else if (first === '--help' && rest.length === 0) process.stdout.write(HELP)
else if (first === 'sim') {
  const { sim } = await import('./testing/sim-command.js')
  process.exitCode = await sim(rest, print).catch(refused)
} else if (first === 'check-upgrade') {
  const { checkUpgrade } = await import('./check-upgrade.js')
  const code = await checkUpgrade(rest, print).catch(refused)
  // Handlers that were left behind, and what their program opened, would keep the process.
  process.stdout.write('', () => process.exit(code))
} else {
  process.stderr.write(first === undefined ? HELP : `troupe: cannot read ${JSON.stringify([first, ...rest].join(' '))}\n\n${HELP}`)
  process.exitCode = 2
}
