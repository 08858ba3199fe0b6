// Conversations as transcripts: what the user says after `>`, what is answered after `<`, what is said unasked after
// `!`, and where the conversation stands in brackets. `UPDATE=1` rewrites what is expected; commit such a change only
// when you understand it. Understanding is a stand-in that knows intents by their words, so that no model is needed.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { actor, createTroupe, type Ref, type Troupe } from 'troupe'
import { flows, Flows, FlowsNews, Nlu, type FlowsChunk, type Standing } from 'troupe/actors'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { cafe, chitchat, sources, understand } from './flows/cafe.js'

const folder = new URL('flows/', import.meta.url)

interface Stage {
  readonly clock: VirtualClock
  readonly troupe: Troupe
  readonly ref: Ref<(typeof Flows)['specs']>
  readonly said: string[]
}

const standing = ({ state, flow, slots, asked }: Standing): string =>
  `[${[state, ...(flow === undefined ? [] : [`${flow}${slots.length === 0 ? '' : ` ${slots.map(({ name, text }) => `${name}=${text}`).join(' ')}`}`]), ...(asked === undefined || state !== 'collecting' ? [] : [`${asked}?`])].join(' | ')}]`

/** A stand-in for a protocol of which a test needs one message. */
const standIn = (on: object): never => ({ on }) as never

async function open(): Promise<Stage> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const others = Object.keys(Nlu.specs).filter((type) => type !== 'parse')
  const nlu = troupe.spawn('nlu', actor(Nlu, standIn({ parse: ({ text }: { text: string }) => understand(text), ...Object.fromEntries(others.map((type) => [type, () => null])) })))
  const asked = troupe.keyed('sources', sources)
  const conversations = troupe.keyed('talk', flows({ nlu, flows: cafe(troupe), replies: chitchat, sources: (key) => asked(key), reminders: 1, remindAfter: '2m' }))
  const said: string[] = []
  const news = actor(FlowsNews, {
    on: {
      said: ({ by, text }) => void said.push(`! ${by === 'human' ? 'human: ' : ''}${text}`),
      waiting: ({ text }) => void said.push(`! for a human: ${text}`),
    },
  })
  troupe.subscribe('conversation.*', troupe.spawn('news', news))
  return { clock, troupe, ref: conversations('ada'), said }
}

async function hear({ ref }: Stage, text: string): Promise<string[]> {
  let whole = ''
  let last: Extract<FlowsChunk, { kind: 'done' }> | undefined
  for await (const chunk of ref.stream({ type: 'say', text })) {
    if (chunk.kind === 'text') whole += chunk.text
    else last = chunk
  }
  return [...(whole === '' ? [] : [`< ${whole}`]), ...(last === undefined ? [] : [standing(last)])]
}

const commands: Readonly<Record<string, (stage: Stage, rest: string) => unknown>> = {
  '>': async (stage, text) => stage.said.push(...(await hear(stage, text))),
  wait: ({ clock }, duration) => clock.advance(duration as '1s'),
  human: ({ ref }, text) => ref.tell({ type: 'answer', text }),
  'hand-back': ({ ref }) => ref.tell({ type: 'handBack' }),
  'take-over': ({ ref }) => ref.tell({ type: 'takeOver' }),
  reset: ({ ref }) => ref.tell({ type: 'reset' }),
  status: async ({ ref, said }) => said.push(standing(await ref.ask({ type: 'status' }))),
}

/** Performs the lines that cause something, and writes down what they cause. */
async function perform(script: string): Promise<string> {
  const stage = await open()
  const lines: string[] = []
  for (const line of script.trimEnd().split('\n')) {
    if (/^[<![]/u.test(line)) continue
    lines.push(line)
    const [name = '', ...rest] = line.split(' ')
    if (line === '' || name === '#') continue
    const command = commands[name]
    if (command === undefined) throw new Error(`a transcript has no command ${name}`)
    await command(stage, rest.join(' '))
    await stage.clock.settle()
    lines.push(...stage.said.splice(0))
  }
  await stage.troupe.stop()
  return `${lines.join('\n')}\n`
}

describe('a conversation', () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith('.txt')))('%s', async (name) => {
    const file = new URL(name, folder)
    const script = readFileSync(file, 'utf8')
    const performed = await perform(script)
    if (process.env['UPDATE'] === '1') writeFileSync(file, performed)
    else expect(performed).toBe(script)
  })
})
