import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createTroupe } from 'troupe'
import { Human } from 'troupe/actors'
import { virtualClock } from 'troupe/testing'
import { openAssistant } from '../../examples/assistant/assistant.js'
import { scriptedModel } from '../../examples/assistant/model.js'

const main = fileURLToPath(new URL('../../dist-examples/assistant/main.js', import.meta.url))
const said = (input: string): { stdout: string; status: number | null } => spawnSync(process.execPath, [main], { input, encoding: 'utf8' })

test('a small sum is sent at once', () => {
  expect(said('Send 20 euros to Grace\nWhat is my balance?\n')).toMatchObject({
    status: 0,
    stdout: 'Let me see to that.\n[bank_transfer {"to":"Grace","euros":20}]\nSent. You have 480 euros left.\n[bank_balance {}]\nYou have 480 euros.\n',
  })
})

test('before a large one its owner is asked, who may say no, and why', () => {
  const { stdout, status } = said('Send 80 euros to Grace\nn\nSend 70 euros to Eve\nI do not know her\nSend 90 euros to Ada\ny\nWhat is my balance?\n')
  expect(status).toBe(0)
  // The call is told by the run, the question by the person: either may be first.
  expect(stdout.replace(/\[bank_transfer .*"Grace".*\]\n/, '')).toContain('[May assistant use bank_transfer? {"to":"Grace","euros":80}] y, n or why not? [denied by the owner]\nI did not send it: not done: the person who was asked said no.\n')
  expect(stdout).toContain('[denied by the owner]\nI did not send it: not done: the person who was asked said no: I do not know her.\n')
  expect(stdout).toContain('[granted by the owner]\nSent. You have 410 euros left.\n[bank_balance {}]\nYou have 410 euros.\n')
})

test('with --http the word may come from elsewhere, and the next line is the next task', async () => {
  const child = spawn(process.execPath, [main, '--http'], { stdio: 'pipe' })
  let [out, told] = ['', '']
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (told += bytes.toString()))
  const heard = async (words: string): Promise<void> => {
    while (!out.includes(words)) await once(child.stdout, 'data')
  }
  child.stdin.write('Send 80 euros to Grace\n')
  await heard('why not? ')
  const url = /questions at (\S+)\)/.exec(told)?.[1] ?? ''
  const post = async (body: object): Promise<unknown> => (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json()
  const [question] = (await post({ type: 'list' })) as { id: string; question: string }[]
  expect(question?.question).toBe('May assistant use bank_transfer?')
  expect(await post({ type: 'decide', id: question?.id, approved: true, by: 'Ada' })).toMatchObject({ approved: true, by: 'Ada' })
  await heard('[granted by Ada]')
  child.stdin.end('What is my balance?\n')
  const [status] = (await once(child, 'close')) as [number]
  expect(status).toBe(0)
  expect(out).toContain('You have 420 euros.\n')
})

test('the owner is reminded, then the deputy is asked, and when neither decides nothing is sent', async () => {
  const clock = virtualClock()
  await using troupe = await createTroupe({ clock })
  const news: string[] = []
  let told: () => void = () => {}
  const heard = async (line: string): Promise<void> => {
    while (!news.includes(line)) await new Promise<void>((resolve) => (told = resolve))
  }
  const { ref } = openAssistant(troupe, {
    model: scriptedModel,
    onNews: ({ what, person }) => {
      news.push(`${person} ${what}`)
      told()
    },
  })
  const send = (to: string) => ref.ask({ type: 'answer', input: `Send 80 euros to ${to}` }, { timeout: 'none' })
  const first = send('Grace')
  await heard('owner asked')
  await clock.advance('10m')
  await heard('owner reminded')
  await clock.advance('20m')
  await heard('deputy asked')
  const deputy = troupe.ref(Human, 'person/deputy')
  const [question] = await deputy.ask({ type: 'list' })
  await deputy.ask({ type: 'decide', id: question?.id ?? '', approved: true, by: 'the deputy' })
  expect((await first).text).toBe('Sent. You have 420 euros left.')
  news.length = 0
  const second = send('Eve')
  await heard('owner asked')
  await clock.advance('1h')
  expect((await second).text).toBe('I did not send it: not done: a person was asked, and nobody decided in time.')
})
