import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { scriptedOpenAI } from '../scripted-openai.js'

const program = fileURLToPath(new URL('approval.mjs', import.meta.url))

test.each(['SIGKILL', 'SIGTERM'] as const)('a person is asked before a %s and decides after it: the tool runs once, and no model call is paid twice', { timeout: 60_000 }, async (signal) => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-approval-'))
  const provider = await scriptedOpenAI(({ messages }) => (messages.at(-1)?.role === 'tool' ? { text: 'The bill is paid.' } : { calls: [{ name: 'pay', arguments: '{"cents":900}' }] }))
  const begin = (mode: string) => spawn(process.execPath, [program, folder, provider.url, mode], { stdio: ['ignore', 'pipe', 'inherit'] })

  const first = begin('ask')
  const ended = once(first, 'close')
  const [asked] = (await once(createInterface({ input: first.stdout }), 'line')) as [string]
  first.kill(signal)
  await ended
  const said = JSON.parse(await text(begin('decide').stdout)) as unknown
  await provider.close()
  const till = await readFile(join(folder, 'till'), 'utf8')
  await rm(folder, { recursive: true, force: true })

  expect(asked).toMatch(/^clerk\/bob#\d+\/[\w.-]+\/[\w-]+$/)
  expect(said).toMatchObject({ questions: [['May clerk/bob use pay?', '{"cents":900}']], outcome: { text: 'The bill is paid.', finish: 'stop', usage: { steps: 2 } } })
  expect(till).toMatch(/^900 .+\n$/)
  expect(provider.asked).toHaveLength(2)
})
