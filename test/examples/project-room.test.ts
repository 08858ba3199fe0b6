import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTroupe, type Ref, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { openRoom } from '../../examples/project-room/open.js'
import type { Room } from '../../examples/project-room/room.js'

const main = fileURLToPath(new URL('../../dist-examples/project-room/main.js', import.meta.url))

test('one command plays two days: tasks, an agent that reports, a summary each evening', { timeout: 60_000 }, () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout.split('\n')).toEqual([
    'Bo       Good morning everybody!',
    'Bo       Ada, please fix the login by Friday',
    'room     #1 Ada: fix the login, due 2026-03-13',
    'Ada      Rex, can you run the link checker today?',
    'room     #2 Rex: run the link checker, due 2026-03-09',
    'Ada      Bo, please write the release notes until tomorrow.',
    'room     #3 Bo: write the release notes, due 2026-03-10',
    'Rex      #2 is done.',
    'Bo       Who does what?',
    'room     Open: #1 Ada: fix the login, due 2026-03-13; #3 Bo: write the release notes, due 2026-03-10.',
    'summary  2026-03-09: 1 finished today. Open: #1 Ada: fix the login, due 2026-03-13; #3 Bo: write the release notes, due 2026-03-10.',
    'Ada      The login is fixed.',
    'room     #1 is done.',
    'summary  2026-03-10: 1 finished today. Open: #3 Bo: write the release notes, due 2026-03-10.',
    '',
  ])
  expect(status).toBe(0)
})

test('at the keyboard, lines are heard until there are no more', { timeout: 60_000 }, () => {
  const { stdout, status } = spawnSync(process.execPath, [main, '--chat', 'Ada'], { input: 'Bo, please call the bank\nwhat is open?\n', encoding: 'utf8' })
  expect(stdout).toContain('#1 Bo: call the bank')
  expect(status).toBe(0)
})

describe('the room', () => {
  let troupe: Troupe
  let clock: VirtualClock
  let room: Ref<(typeof Room)['specs']>
  const heard: string[] = []
  beforeAll(async () => {
    clock = virtualClock({ start: Date.UTC(2026, 2, 9, 8) })
    troupe = await createTroupe({ clock })
    room = await openRoom(troupe, (by, text) => heard.push(`${by}: ${text}`))
  })
  afterAll(async () => troupe.stop())
  const say = async (who: string, text: string): Promise<string> => (await room.ask({ type: 'say', who, text })).answer

  test('leaves alone what nobody assigned, and what is another\'s', async () => {
    expect(await say('Bo', 'Does anybody want coffee?')).toBe('')
    expect(await say('Bo', 'Ada, please order the chairs')).toBe('#1 Ada: order the chairs')
    expect(await say('Bo', 'I finished the chairs')).toBe('')
    expect(await room.ask({ type: 'tasks' })).toMatchObject([{ who: 'Ada', by: 'Bo', done: false }])
    expect(await say('Ada', 'I finished the chairs')).toBe('#1 is done.')
  })

  test('names what is late in the evening', async () => {
    await say('Ada', 'Bo, please send the invoice by tomorrow')
    await clock.advance('3d')
    expect(heard.filter((line) => line.startsWith('summary')).at(-1)).toMatch(/Open: #2 Bo: send the invoice, due 2026-03-10\. Late: #2\.$/)
  })
})
