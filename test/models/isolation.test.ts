import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHost, type Host } from 'troupe/models'

const root = fileURLToPath(new URL('../..', import.meta.url))
const apart = { isolation: 'process', replicas: 1 } as const
const WATCHDOG_MS = 1_000
let host: Host

/** Both of length 1. */
const cosine = (a: Float32Array | undefined, b: Float32Array | undefined): number => (a === undefined || b === undefined ? 0 : a.reduce((sum, x, i) => sum + x * (b[i] as number), 0))
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

describe('one that is killed with a batch in its hands', () => {
  /** Each process is stopped before it can begin what it was started for, and killed once that has been sent to it. */
  const murderous = async (deaths: number): Promise<Host> => {
    const others = children()
    let left = deaths
    return await createHost({
      placement: { 'embedded:encoder': apart },
      onProgress: ({ kind }) => {
        if (kind !== 'loaded' || left-- <= 0) return
        const [victim] = children().filter((pid) => !others.includes(pid)) as [number]
        process.kill(victim, 'SIGSTOP')
        setImmediate(() => process.kill(victim, 'SIGKILL'))
      },
    })
  }
  const texts = ['one', 'two', 'three']

  test('is replaced, and its batch is tried once more for all its callers', async () => {
    const expected = await Promise.all(texts.map((text) => host.embed('embedded:encoder', text)))
    const own = await murderous(1)
    const vectors = await Promise.all(texts.map((text) => own.embed('embedded:encoder', text)))
    for (const [i, [vector]] of vectors.entries()) expect(cosine(vector, expected[i]?.[0])).toBeGreaterThan(0.995)
    expect(own.metrics()['embedded:encoder']).toMatchObject({ threads: 1, threadDeaths: 1, texts: 3 })
    await own.stop()
  })

  test('twice is not tried a third time, and the model goes on', async () => {
    const own = await murderous(2)
    const outcomes = await Promise.allSettled(texts.map((text) => own.embed('embedded:encoder', text)))
    expect(outcomes).toEqual(texts.map(() => expect.objectContaining({ reason: expect.objectContaining({ code: 'ModelFailed', details: { model: 'embedded:encoder', reason: 'thread-died' } }) as unknown }) as unknown))
    expect(await own.embed('embedded:encoder', texts)).toHaveLength(3)
    expect(own.metrics()['embedded:encoder']).toMatchObject({ threads: 1, threadDeaths: 2, texts: 3 })
    await own.stop()
  })
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
