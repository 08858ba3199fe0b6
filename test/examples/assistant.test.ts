import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const main = fileURLToPath(new URL('../../dist-examples/assistant/main.js', import.meta.url))
const said = (input: string): { stdout: string; status: number | null } => spawnSync(process.execPath, [main], { input, encoding: 'utf8' })

test('a small sum is sent at once', () => {
  expect(said('Send 20 euros to Grace\nWhat is my balance?\n')).toMatchObject({
    status: 0,
    stdout: 'Let me see to that.\n[bank_transfer {"to":"Grace","euros":20}]\nSent. You have 480 euros left.\n[bank_balance {}]\nYou have 480 euros.\n',
  })
})

test('before a large one its owner is asked, who may say no', () => {
  const { stdout, status } = said('Send 80 euros to Grace\nn\nSend 90 euros to Ada\ny\nWhat is my balance?\n')
  expect(status).toBe(0)
  expect(stdout).toContain('[May assistant use bank_transfer? {"to":"Grace","euros":80}] y/n? [denied by the owner]\nI did not send it: not done: the person who was asked said no.\n')
  expect(stdout).toContain('[granted by the owner]\nSent. You have 410 euros left.\n[bank_balance {}]\nYou have 410 euros.\n')
})
