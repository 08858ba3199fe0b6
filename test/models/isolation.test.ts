import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'

const root = fileURLToPath(new URL('../..', import.meta.url))
const apart = { isolation: 'process', replicas: 1 } as const
const WATCHDOG_MS = 1_000
let host: Host

const children = (): number[] => execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n').filter((line) => line.includes('child-entry')).map((line) => Number.parseInt(line, 10))

beforeAll(async () => {
  host = await createHost({ placement: { 'embedded:encoder': apart, 'embedded:generator': apart }, watchdogMs: WATCHDOG_MS })
})
afterAll(() => host.stop())

test('a process in place of a thread gives the same answers', async () => {
  const own = await createHost()
  expect(await host.understand('embedded:encoder', 'Meet me in Paris at 7 pm')).toEqual(await own.understand('embedded:encoder', 'Meet me in Paris at 7 pm'))
  const request = { prompt: 'The parcel', maxTokens: 80, logitBias: { 9: -100 } }
  const inference = host.generate('embedded:generator', request)
  let streamed = ''
  for await (const { text } of inference) {
    streamed += text
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(streamed).toBe((await own.generate('embedded:generator', request)).text)
  await own.stop()
})

test('cancelling reaches it within a step', async () => {
  const controller = new AbortController()
  const left = host.generate('embedded:generator', { prompt: 'The parcel', maxTokens: 900, logitBias: { 9: -100 } }, { signal: controller.signal })
  await expect(async () => {
    for await (const { text } of left) if (text !== '') controller.abort()
  }).rejects.toMatchObject({ code: 'Cancelled' })
  expect((await host.generate('embedded:generator', { prompt: 'The parcel', maxTokens: 2 })).usage.completionTokens).toBe(2)
})

test('one that hangs is killed and replaced, and its work is done by the next', async () => {
  const before = children()
  const [vector] = await host.embed('embedded:encoder', 'hello')
  for (const pid of before) process.kill(pid, 'SIGSTOP')
  expect(await host.embed('embedded:encoder', 'hello')).toEqual([vector])
  const killed = before.filter((pid) => !children().includes(pid))
  expect(killed).toHaveLength(1)
  expect(host.metrics()['embedded:encoder']).toMatchObject({ threadDeaths: 1, threadsAbandoned: 0 })
  for (const pid of children()) process.kill(pid, 'SIGCONT')
})

test('it keeps nobody alive, and nobody outlives it', () => {
  const program = `
    import { createHost } from 'troupe/models'
    const host = await createHost({ placement: { 'embedded:encoder': { isolation: 'process', replicas: 1 } } })
    console.log((await host.embed('embedded:encoder', 'hello'))[0].length)
    if (process.argv[1] === 'exit') process.exit(5)
    if (process.argv[1] === 'stop') await host.stop()`
  for (const [how, code] of [['natural', 0], ['exit', 5], ['stop', 0]] as const) {
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program, how], { cwd: root, encoding: 'utf8' })
    expect([status, stdout.trim()]).toEqual([code, '320'])
  }
})
