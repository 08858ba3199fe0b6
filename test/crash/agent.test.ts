import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { scriptedOpenAI } from '../scripted-openai.js'

const program = fileURLToPath(new URL('agent.mjs', import.meta.url))
const BILLS = 5

test('an agent that is killed in model calls and in tool calls goes on after the last one on record, with the same keys', { timeout: 120_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'troupe-agent-'))
  const keys: string[] = []
  const bills: string[] = []
  let clerk: ChildProcess | undefined
  /** What the clerk is killed in, once each. */
  const deaths = new Set(['model 1', 'model 3', 'tool 2', 'tool 4', 'model 5'])
  const dies = (place: string): boolean => deaths.delete(place) && clerk?.kill('SIGKILL') === true

  const provider = await scriptedOpenAI(({ messages }) => {
    const paid = messages.filter(({ role }) => role === 'tool').length
    if (dies(`model ${paid}`)) return { stuck: '' }
    return paid < BILLS ? { calls: [{ name: 'pay', arguments: JSON.stringify({ bill: paid }) }] } : { text: 'All paid.' }
  })
  const till = createServer((request, response) => {
    const asked = new URL(request.url ?? '', 'http://till').searchParams
    const bill = asked.get('bill') ?? ''
    keys.push(asked.get('key') ?? '')
    bills.push(bill)
    if (!dies(`tool ${bill}`)) response.end(`paid bill ${bill}`)
  })
  await new Promise<void>((resolve) => till.listen(0, '127.0.0.1', resolve))
  const tillUrl = `http://127.0.0.1:${(till.address() as AddressInfo).port}`

  let lives = 0
  let said = ''
  for (let code: number | null = null; code !== 0 && lives < 10; lives++) {
    said = ''
    clerk = spawn(process.execPath, [program, folder, provider.url, tillUrl], { stdio: ['ignore', 'pipe', 'inherit'] })
    clerk.stdout?.on('data', (data: Buffer) => (said += data.toString()))
    code = (await once(clerk, 'close'))[0] as number | null
  }
  till.closeAllConnections()
  till.close()
  await provider.close()
  await rm(folder, { recursive: true, force: true })

  expect(lives).toBe(6)
  expect(JSON.parse(said)).toMatchObject({ text: 'All paid.', finish: 'stop', usage: { steps: BILLS + 1 } })
  // Each call was made once, and once more where it was cut off.
  expect(provider.asked).toHaveLength(BILLS + 1 + 3)
  expect(bills).toEqual(['0', '1', '2', '2', '3', '4', '4'])
  expect(new Set(keys).size).toBe(BILLS)
  expect([keys[2], keys[5]]).toEqual([keys[3], keys[6]])
})
