// Runs the transcripts: commands, and the whole exchange that they cause. `UPDATE=1` rewrites what is expected; commit
// such a change only when you understand it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTroupe, TroupeError, type Fact, type Ref, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { cast } from './transcripts/cast.js'

const folder = new URL('transcripts/', import.meta.url)

interface Stage {
  readonly clock: VirtualClock
  readonly troupe: Troupe
  readonly said: string[]
  readonly asks: AbortController[]
}

const nameOf = (address: string): string => address || 'outside'
const outcome = (error: unknown): string => (error instanceof TroupeError ? `${error.code}: ${error.message}` : String(error))
const described = ({ kind, id, type, from, to, cause, reason }: Fact): string => {
  if (kind === 'sent') return `#${id} ${type}: ${nameOf(from)} -> ${nameOf(to)}${cause === 0 ? '' : `, because of #${cause}`}`
  return `#${id} ${type}: ${kind}${reason === undefined ? '' : `, ${reason}`}`
}

type Command = (stage: Stage, words: readonly string[]) => unknown
const refTo = ({ troupe }: Stage, address: string | undefined): Ref => troupe.ref({ specs: {} }, address ?? '')
/** `type field=value …`, with values as JSON where they are, and as text otherwise. */
function message([type = '', ...fields]: readonly string[]): never {
  const entries = fields.map((field) => {
    const [name = '', value = ''] = field.split('=')
    return [name, /^[\d{["]/.test(value) ? (JSON.parse(value) as unknown) : value]
  })
  return { type, ...Object.fromEntries(entries) as object } as never
}

const commands: Readonly<Record<string, Command>> = {
  spawn: ({ troupe }, [address = '', name = address]) => void troupe.spawn(address, cast[name] as never),
  tell: (stage, [address, ...words]) => refTo(stage, address).tell(message(words)).catch((error: unknown) => stage.said.push(outcome(error))),
  ask(stage, [address, ...words]) {
    const { said, asks } = stage
    const abort = new AbortController()
    const label = `ask ${asks.push(abort)}`
    refTo(stage, address)
      .ask(message(words), { signal: abort.signal })
      .then((reply: unknown) => said.push(`${label} = ${JSON.stringify(reply)}`))
      .catch((error: unknown) => said.push(`${label} failed, ${outcome(error)}`))
  },
  'call-off': ({ asks }, [label]) => asks[Number(label) - 1]?.abort(),
  watch(stage, [address]) {
    void refTo(stage, address).watch().then((ending) => stage.said.push(`${address} ${ending.kind}${ending.kind === 'failed' ? `, ${outcome(ending.error)}` : ''}`))
  },
  stop: (stage, [address]) => refTo(stage, address).stop(),
  advance: ({ clock }, [duration]) => clock.advance(duration as '1s'),
  replay: async ({ troupe, said }, [id]) => said.push(`replayed: ${await troupe.deadLetters.replay(Number(id))}`),
  'dead-letters': ({ troupe, said }) => said.push(...troupe.deadLetters.list().map(({ id, type, to, reason }) => `#${id} ${type} to ${to}: ${reason}`)),
}

async function perform(script: string): Promise<string> {
  const clock = virtualClock()
  const said: string[] = []
  const troupe = await createTroupe({ clock, log: (address, words) => said.push(`[${address}] ${words.join(' ')}`) })
  troupe.inspect((fact) => said.push(described(fact)))
  const stage: Stage = { clock, troupe, said, asks: [] }
  const blocks = script.trimEnd().split(/\n\n+/)
  const performed: string[] = []
  for (const block of blocks) {
    const [given = ''] = block.split(/\n?----\n?/)
    said.length = 0
    for (const line of given.split('\n').filter((each) => !each.startsWith('#'))) {
      const [name = '', ...words] = line.split(' ')
      const command = commands[name]
      if (command === undefined) throw new Error(`a transcript has no command ${name}`)
      await command(stage, words)
      await clock.settle()
    }
    performed.push(said.length === 0 ? given : [given, '----', ...said].join('\n'))
  }
  await troupe.stop()
  await clock.settle()
  expect(clock.timers).toBe(0)
  return `${performed.join('\n\n')}\n`
}

test.each(readdirSync(folder).filter((name) => name.endsWith('.txt')))('%s', async (name) => {
  const file = new URL(name, folder)
  const script = readFileSync(file, 'utf8')
  const performed = await perform(script)
  if (process.env['UPDATE'] === '1') writeFileSync(file, performed)
  else expect(performed).toBe(script)
})
