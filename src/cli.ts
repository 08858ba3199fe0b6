#!/usr/bin/env node
import { readFileSync } from 'node:fs'

const HELP = `troupe: an actor-model runtime for agents

usage: troupe [option]

  --version  print the version
  --help     print this
`

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const [first, ...rest] = process.argv.slice(2)

if (first === '--version' && rest.length === 0) console.log(version)
else if (first === '--help' && rest.length === 0) process.stdout.write(HELP)
else {
  process.stderr.write(first === undefined ? HELP : `troupe: cannot read ${JSON.stringify([first, ...rest].join(' '))}\n\n${HELP}`)
  process.exitCode = 2
}
