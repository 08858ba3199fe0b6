// From the first actor to the last: draining, stopping, and leaving the process to end by itself.
import { spawn } from 'node:child_process'
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { any, rejection } from './stage.js'

const P = protocol({ work: request(any<{ ms: number }>(), any<string>()), put: event(), note: event() })
const worker = (log: string[] = []) =>
  actor(P, {
    stopped: (me) => void log.push(`${me.id} stopped`),
    on: {
      work: async ({ ms }, me) => {
        me.signal.addEventListener('abort', () => log.push(`${me.id} called off`))
        await me.sleep(ms)
        log.push(`${me.id} done`)
        return 'done'
      },
      put: async (_, me) => (await me.sleep(10), void log.push(`${me.id} put`)),
      note: () => void log.push('note'),
    },
  })

describe('stop', () => {
  test('lets work under way and mail finish within its deadline', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    const ref = troupe.spawn('a', worker(log))
    const answer = ref.ask({ type: 'work', ms: 1_000 })
    for (let i = 0; i < 2; i++) void ref.tell({ type: 'put' })
    const stopping = troupe.stop()
    await clock.advance('2s')
    await stopping
    expect([await answer, log]).toEqual(['done', ['a done', 'a put', 'a put', 'a stopped']])
    expect(clock.timers).toBe(0)
  })

  test('cancels what takes longer, and tells mail that it will not be handled', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const log: string[] = []
    const ref = troupe.spawn('a', worker(log))
    const outcomes = [rejection(ref.ask({ type: 'work', ms: 60_000 })), rejection(ref.ask({ type: 'work', ms: 1 }))]
    void ref.tell({ type: 'note' })
    const stopping = troupe.stop({ within: '2s' })
    await clock.advance('2s')
    await stopping
    for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatchObject({ code: 'Cancelled', details: { reason: 'shutting-down' } })
    expect([log, troupe.deadLetters.counts()]).toEqual([['a called off', 'a stopped'], { stopped: 1 }])
    expect(clock.timers).toBe(0)
  })

  test('waits for a handler that does not heed its signal 5 s at most, however many there are', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const deaf = actor(P, { on: { work: () => new Promise<string>(() => {}), put: () => {}, note: () => {} } })
    const outcomes = Array.from({ length: 10 }, (_, i) => rejection(troupe.spawn(`deaf-${i}`, deaf).ask({ type: 'work', ms: 1 })))
    const stopping = troupe.stop({ within: '1s' })
    await clock.advance('6s')
    await stopping
    expect((await Promise.all(outcomes)).map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 'Cancelled'))
  })

  test('waits for an ask to end by its deadline, and for no longer', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const ref = troupe.spawn('a', actor(P, { on: { work: (_, me) => me.sleep('1h').then(() => ''), put: () => {}, note: () => {} } }))
    const outcome = rejection(ref.ask({ type: 'work', ms: 1 }, { timeout: '1s' }))
    let stopped = false
    const stopping = troupe.stop({ within: '1m' }).then(() => (stopped = true))
    await clock.advance('1s')
    expect(stopped).toBe(true)
    await stopping
    expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
  })

  test('is one stop, however often it is called, and refuses what comes after', async () => {
    const troupe = await createTroupe({ clock: virtualClock() })
    const log: string[] = []
    const ref = troupe.spawn('a', worker(log))
    const [one, two] = [troupe.stop(), troupe.stop()]
    expect(one).toBe(two)
    const refused = { code: 'Cancelled', details: { reason: 'shutting-down' } }
    expect(await rejection(ref.tell({ type: 'note' }))).toMatchObject(refused)
    expect(await rejection(ref.ask({ type: 'work', ms: 1 }))).toMatchObject(refused)
    expect(await rejection(troupe.publish('x', { type: 'note' }))).toMatchObject(refused)
    expect(() => troupe.spawn('b', worker())).toThrow(expect.objectContaining(refused))
    expect(() => troupe.keyed('k', worker())).toThrow(expect.objectContaining(refused))
    expect(() => troupe.pool('p', worker(), { size: 1 })).toThrow(expect.objectContaining(refused))
    await one
    await ref.stop()
    expect(await rejection((async () => { for await (const _ of ref.stream({ type: 'none' } as never)) expect(_).toBe('nothing') })())).toMatchObject(refused)
    expect(log).toEqual(['a stopped'])
  })

  test('comes with `await using`, and stops children before their parents', async () => {
    const log: string[] = []
    const parent = (name: string) => actor(P, { started: (me) => void me.spawn('child', worker(log)), stopped: () => void log.push(`${name} stopped`), on: { work: () => '', put: () => {}, note: () => {} } })
    {
      await using troupe = await createTroupe({ clock: virtualClock() })
      troupe.spawn('a', parent('a'))
      troupe.spawn('b', parent('b'))
    }
    for (const name of ['a', 'b']) expect(log.filter((line) => line.startsWith(name))).toEqual([`${name}>child stopped`, `${name} stopped`])
  })
})

describe('the process', () => {
  const PREAMBLE = `
    import { actor, createTroupe, event, protocol, request, stream } from 'troupe'
    const any = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
    const P = protocol({ ask: request(any, any), put: event(any), many: stream(any, any) })
    const on = {
      ask: async ({ ms }, me) => { await me.sleep(ms); return 'answered' },
      put: () => {},
      many: async function* () { for (let i = 0; ; i++) yield i },
    }
  `
  /** Runs a program of its own, and gives what it printed and how it ended. */
  function run(program: string, whenSaid?: { readonly text: string; readonly signal: NodeJS.Signals }): Promise<{ out: string; code: number | null; signal: string | null }> {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', PREAMBLE + program], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString()
      // Once only: the same signal again would end the process at once.
      if (whenSaid !== undefined && out.trim() === whenSaid.text) child.kill(whenSaid.signal)
    })
    return new Promise((resolve) => child.on('close', (code, signal) => resolve({ out: out.trim(), code, signal })))
  }

  test.concurrent('after stop() nothing keeps it alive', async ({ expect }) => {
    const { out, code } = await run(`
      const troupe = await createTroupe()
      const a = troupe.spawn('a', actor(P, { on, supervise: { backoff: { first: '1h' } } }))
      const keyed = troupe.keyed('k', actor(P, { on }), { passivateAfter: '1h' })
      await keyed('x').ask({ type: 'ask', ms: 1 })
      a.ask({ type: 'ask', ms: 3_600_000 }).catch(({ code }) => console.log(code))
      const reader = a.stream({ type: 'many' })
      reader.next().catch(({ code }) => console.log(code))
      await troupe.stop({ within: 50 })
      console.log('stopped')
      process.on('exit', () => console.log(process.getActiveResourcesInfo().filter((name) => /Timeout|Immediate/.test(name)).length))
    `)
    expect([out, code]).toEqual(['Cancelled\nCancelled\nstopped\n0', 0])
  })

  test.concurrent('an idle troupe lets it exit by itself, with code 0', async ({ expect }) => {
    const { out, code } = await run(`
      const troupe = await createTroupe()
      const a = troupe.spawn('a', actor(P, { on }))
      const keyed = troupe.keyed('k', actor(P, { on }), { passivateAfter: '1h' })
      await keyed('x').tell({ type: 'put' })
      console.log(await a.ask({ type: 'ask', ms: 1 }))
    `)
    expect([out, code]).toEqual(['answered', 0])
  })

  test.concurrent.each([["{ timeout: '1s' }", 'DeadlineExceeded'], ["{ timeout: 'none' }", 'answered']])('an open ask keeps it alive until its outcome: %s', async (options, expected) => {
    const { out, code } = await run(`
      const troupe = await createTroupe()
      let open
      const a = troupe.spawn('a', actor(P, { on: { ...on, ask: () => new Promise((resolve) => { open = resolve }) } }))
      const outcome = a.ask({ type: 'ask' }, ${options}).catch(({ code }) => code)
      // A background timer: it fires only when something else keeps the process alive.
      setTimeout(() => ${expected === 'answered' ? "open('answered')" : 'undefined'}, 300).unref()
      console.log(await outcome)
    `)
    expect([out, code]).toEqual([expected, 0])
  })

  test.concurrent.each(['SIGTERM', 'SIGINT'] as const)('%s with signals: true stops the troupe, and exits 0', async (signal) => {
    const { out, code } = await run(
      `
      const troupe = await createTroupe({ signals: true })
      const a = troupe.spawn('a', actor(P, { on, stopped: () => console.log('stopped') }))
      a.ask({ type: 'ask', ms: 200 }, { timeout: 'none' }).then(console.log)
      setTimeout(() => console.log('ready'), 10)
    `,
      { text: 'ready', signal },
    )
    expect([out, code]).toEqual(['ready\nanswered\nstopped', 0])
  })
})
