/**
 * A project room: people and an agent share a chat, tasks are assigned and tracked from what they say, and each evening
 * at six the room sums the day up.
 *
 *   node dist-examples/project-room/main.js             two days of a script, in no time
 *   node dist-examples/project-room/main.js --chat Ada  you are Ada, in real time
 */
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { createTroupe } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { openRoom } from './open.js'
import { SCRIPT } from './script.js'

const { values } = parseArgs({ options: { chat: { type: 'string' } } })
const print = (by: string, text: string): void => console.log(`${by.padEnd(8)} ${text}`)

if (values.chat === undefined) await play()
else await chat(values.chat)

/** Monday and Tuesday, as fast as they go. */
async function play(): Promise<void> {
  const clock = virtualClock({ start: Date.UTC(2026, 2, 9, 8) })
  await using troupe = await createTroupe({ clock })
  const room = await openRoom(troupe, print)
  for (const line of SCRIPT) {
    if ('wait' in line) await clock.advance(line.wait)
    else await room.ask({ type: 'say', ...line })
  }
  // What was published last is still on its way.
  await clock.advance('1s')
}

async function chat(who: string): Promise<void> {
  await using troupe = await createTroupe({ signals: true })
  const room = await openRoom(troupe, print)
  for await (const text of createInterface({ input: process.stdin })) if (text.trim() !== '') await room.ask({ type: 'say', who, text })
}
