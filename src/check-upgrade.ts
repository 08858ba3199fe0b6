/** `troupe check-upgrade --store <folder> [--key-env NAME] [--json] <definitions.js>`: would what is stored go on with this code? */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { TroupeError } from './ground/errors.js'
import { isDefinition, type Definition } from './runtime/definition.js'
import { rehearse, type Finding } from './runtime/rehearsal.js'
import { lmdbReadOnly } from './runtime/store/lmdb.js'

const USAGE = 'troupe check-upgrade --store ./data [--key-env NAME] [--json] ./definitions.js'

/** The file exports definitions by address or kind, each by itself or all as its default. Gives the exit code. */
export async function checkUpgrade(args: readonly string[], print: (line: string) => void): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { store: { type: 'string' }, 'key-env': { type: 'string' }, json: { type: 'boolean', default: false } } })
  const [file] = positionals
  if (file === undefined || values.store === undefined) throw new TroupeError('InvalidDefinition', 'check-upgrade needs a store and a file of definitions', USAGE)
  const key = keyFrom(values['key-env'])
  const definitions = await load(file)
  const store = await lmdbReadOnly(values.store, key === undefined ? {} : { key })()
  try {
    const findings: Finding[] = []
    let found = 0
    const { actors, handlers, unchecked } = await rehearse(store, definitions, (finding) => {
      if (values.json) findings.push(finding)
      else print(`${finding.address === '' ? 'the log' : finding.address}: ${finding.kind}: ${finding.message}`)
      found++
    })
    if (values.json) print(JSON.stringify({ actors, handlers, unchecked, findings }, undefined, 2))
    else {
      for (const [name, count] of Object.entries(unchecked)) print(`${name}: ${count} not checked, since only its parent knows its definition; export it as '${name}'`)
      print(`${actors} actors, ${handlers} handlers under way: ${found === 0 ? 'all would go on' : `${found} ${found === 1 ? 'finding' : 'findings'}`}`)
    }
    return found === 0 ? 0 : 1
  } finally {
    await store.close()
  }
}

function keyFrom(name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  const key = process.env[name]
  if (key !== undefined) return key
  throw new TroupeError('InvalidDefinition', `the environment has no ${name}`, 'put the key of the store there')
}

async function load(file: string): Promise<Readonly<Record<string, Definition>>> {
  const { default: all = {}, ...named } = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
  const definitions = Object.fromEntries(Object.entries({ ...named, ...(all as object) }).filter((entry): entry is [string, Definition] => isDefinition(entry[1])))
  if (Object.keys(definitions).length > 0) return definitions
  throw new TroupeError('InvalidDefinition', `${file} exports no definitions`, "export default { order, 'support-desk': desk }: each by its address or kind")
}
