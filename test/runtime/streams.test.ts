// A stream from one producer to one reader: never far ahead, never silently cut off.
import { expect, test, describe } from 'vitest'
import { actor, createTroupe, event, protocol, request, stream, type Ref, type Troupe } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { any, gate, rejection, turn } from './stage.js'

const Source = protocol({
  count: stream(any<{ to: number }>(), any<number>()),
  objects: stream(null, any<{ n: number; bytes: Uint8Array }>()),
  ping: request(null, any<string>()),
  fall: event(),
})
type SourceRef = Ref<typeof Source.specs>

interface Seen {
  made: number
  ended: string[]
}
const source = (seen: Seen) =>
  actor(Source, {
    on: {
      count: async function* ({ to }, me) {
        try {
          for (let i = 1; i <= to; i++) {
            seen.made = i
            yield i
          }
          seen.ended.push('to its end')
        } finally {
          seen.ended.push(me.signal.aborted ? `called off: ${String((me.signal.reason as { details: Record<string, unknown> }).details['reason'])}` : 'finally')
        }
      },
      objects: function* () {
        const chunk = { n: 0, bytes: new Uint8Array([1, 2, 3]) }
        for (let i = 0; i < 3; i++) {
          chunk.n = i
          chunk.bytes[0] = i
          yield chunk
        }
      },
      ping: () => 'pong',
      fall: () => {
        throw new Error('fell')
      },
    },
  })

async function stage(): Promise<{ troupe: Troupe; seen: Seen; ref: SourceRef; clock: ReturnType<typeof virtualClock> }> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const seen: Seen = { made: 0, ended: [] }
  return { troupe, seen, clock, ref: troupe.spawn('source', source(seen)) }
}
const collect = async <T>(chunks: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}

describe('flow', () => {
  test('all chunks in order, then an explicit end', async () => {
    const { troupe, ref, seen } = await stage()
    const chunks = ref.stream({ type: 'count', to: 100 })
    expect(await collect(chunks)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    expect(await chunks.next()).toEqual({ done: true, value: undefined })
    expect(seen.ended).toEqual(['to its end', 'finally'])
    await troupe.stop()
  })

  test('a producer is at most 32 chunks ahead of its reader', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 100_000 })
    await clock.settle()
    expect(seen.made).toBe(32)
    let most = 0
    for (let read = 0; read < 1_000; read++) {
      await chunks.next()
      if (read % 50 === 0) await clock.settle()
      most = Math.max(most, seen.made - read)
    }
    expect(most).toBeLessThanOrEqual(33)
    await chunks.return?.()
    await troupe.stop()
  })

  test('100,000 chunks keep the heap flat and the event loop alive', async () => {
    const troupe = await createTroupe()
    const seen: Seen = { made: 0, ended: [] }
    const ref = troupe.spawn('source', source(seen))
    let timers = 0
    const heart = setInterval(() => timers++, 1)
    let sum = 0
    let most = 0
    for await (const n of ref.stream({ type: 'count', to: 100_000 })) {
      sum += n
      most = Math.max(most, seen.made - n)
      if (n % 10_000 === 0) await turn()
    }
    clearInterval(heart)
    expect([sum, most <= 33]).toEqual([5_000_050_000, true])
    expect(timers).toBeGreaterThan(5)
    await troupe.stop()
  })

  test('a synchronous generator and an array stream as well', async () => {
    const troupe = await createTroupe()
    const P = protocol({ each: stream(any<{ from: 'generator' | 'array' }>(), any<number>()) })
    const ref = troupe.spawn('a', actor(P, { on: { each: ({ from }) => (from === 'array' ? [1, 2, 3] : (function* () { yield 4; yield 5 })()) } }))
    expect([await collect(ref.stream({ type: 'each', from: 'array' })), await collect(ref.stream({ type: 'each', from: 'generator' }))]).toEqual([[1, 2, 3], [4, 5]])
    await troupe.stop()
  })

  test('the same as an Observable: opened by each subscriber', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const chunks = ref.observe({ type: 'count', to: 3 })
    expect(seen.made).toBe(0)
    for (let i = 0; i < 2; i++) {
      const all: number[] = []
      await new Promise<void>((complete, error) => void chunks.subscribe({ next: (n) => all.push(n), complete, error }))
      expect(all).toEqual([1, 2, 3])
    }
    const few: number[] = []
    const subscription = ref.observe({ type: 'count', to: 1_000_000 }).subscribe((n) => {
      few.push(n)
      if (n === 5) subscription.unsubscribe()
    })
    await clock.settle()
    expect([few, seen.ended.at(-1), await ref.ask({ type: 'ping' })]).toEqual([[1, 2, 3, 4, 5], 'called off: reader-left', 'pong'])
    await troupe.stop()
  })

  test('an error of the producer reaches an Observable too', async () => {
    const { troupe } = await stage()
    const error = await new Promise((resolve) => void troupe.ref(Source, 'nobody').observe({ type: 'count', to: 1 }).subscribe({ error: resolve }))
    expect(error).toMatchObject({ code: 'NoSuchActor' })
    await troupe.stop()
  })

  test('chunks asked for in advance come in order', async () => {
    const { troupe, ref } = await stage()
    const chunks = ref.stream({ type: 'count', to: 3 })
    const asked = Array.from({ length: 5 }, () => chunks.next())
    expect(await Promise.all(asked)).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }, { done: false, value: 3 }, { done: true, value: undefined }, { done: true, value: undefined }])
    await troupe.stop()
  })

  test('a chunk is the memory of its reader alone', async () => {
    const { troupe, ref } = await stage()
    const chunks = await collect(ref.stream({ type: 'objects' }))
    expect(chunks.map(({ n, bytes }) => [n, bytes[0]])).toEqual([[0, 0], [1, 1], [2, 2]])
    await troupe.stop()
  })
})

describe('a reader that leaves', () => {
  test('stops the producer, whose finally runs, also while it waits for credit', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 })
    await chunks.next()
    await clock.settle()
    await chunks.return?.()
    await clock.settle()
    expect(seen).toEqual({ made: 33, ended: ['called off: reader-left'] })
    expect(await ref.ask({ type: 'ping' })).toBe('pong')
    expect(troupe.deadLetters.list()).toEqual([])
    await troupe.stop()
  })

  test('by break, which is the same', async () => {
    const { troupe, ref, seen, clock } = await stage()
    for await (const n of ref.stream({ type: 'count', to: 1_000 })) if (n === 3) break
    await clock.settle()
    expect(seen.ended).toEqual(['called off: reader-left'])
    await troupe.stop()
  })

  test('is told nothing more, whatever becomes of the stream', async () => {
    const { troupe, ref, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 })
    await clock.settle()
    await ref.stop()
    await chunks.return?.()
    expect(await chunks.next()).toEqual({ done: true, value: undefined })
    await troupe.stop()
  })

  test('by its signal, as the caller', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const stop = new AbortController()
    const chunks = ref.stream({ type: 'count', to: 1_000 }, { signal: stop.signal })
    await chunks.next()
    stop.abort()
    expect(await rejection(collect(chunks))).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    await clock.settle()
    expect(seen.ended).toEqual(['called off: caller'])
    await troupe.stop()
  })

  test('before the stream has begun costs no work', async () => {
    const { troupe, ref, seen } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 })
    await chunks.return?.()
    expect(await ref.ask({ type: 'ping' })).toBe('pong')
    expect(seen).toEqual({ made: 0, ended: [] })
    await troupe.stop()
  })
})

describe('a stream that breaks off says so, after the chunks that were sent', () => {
  const readAll = async (chunks: AsyncIterable<unknown>): Promise<{ chunks: unknown[]; error: unknown }> => {
    const read: unknown[] = []
    try {
      for await (const chunk of chunks) read.push(chunk)
      return { chunks: read, error: undefined }
    } catch (error) {
      return { chunks: read, error }
    }
  }

  test('the producer throws', async () => {
    const troupe = await createTroupe()
    const P = protocol({ each: stream(null, any<number>()) })
    const ref = troupe.spawn('a', actor(P, { on: { each: async function* () { yield 1; yield 2; throw new Error('out of numbers') } } }))
    expect(await readAll(ref.stream({ type: 'each' }))).toMatchObject({ chunks: [1, 2], error: { code: 'ActorFailed', cause: { message: 'out of numbers' } } })
    expect(await readAll(ref.stream({ type: 'each' }))).toMatchObject({ chunks: [1, 2] })
    await troupe.stop()
  })

  test('a chunk that cannot be sent ends it, and the generator is closed', async () => {
    const troupe = await createTroupe()
    const P = protocol({ each: stream(null, any<unknown>()) })
    let closed = false
    const ref = troupe.spawn('a', actor(P, { on: { each: function* () { try { yield 1; yield () => {}; yield 2 } finally { closed = true } } } }))
    expect(await readAll(ref.stream({ type: 'each' }))).toMatchObject({ chunks: [1], error: { code: 'ActorFailed', cause: { code: 'InvalidMessage' } } })
    expect(closed).toBe(true)
    await troupe.stop()
  })

  test('a handler that returns no stream', async () => {
    const troupe = await createTroupe()
    const P = protocol({ each: stream(null, any<number>()) })
    const ref = troupe.spawn('a', actor(P, { on: { each: () => undefined as never } }))
    expect(await readAll(ref.stream({ type: 'each' }))).toMatchObject({ chunks: [], error: { code: 'ActorFailed' } })
    await troupe.stop()
  })

  test('the actor stops while its producer waits for credit', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 })
    await clock.settle()
    // Nobody advances the clock: the stop waits for no timeout.
    await ref.stop()
    const { chunks: read, error } = await readAll(chunks)
    expect([read.length, error]).toMatchObject([32, { code: 'Interrupted' }])
    expect(seen.ended).toEqual(['called off: actor-stopped'])
    await troupe.stop()
  })

  test('the actor restarts, by its parent, while its producer streams', async () => {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock })
    const seen: Seen = { made: 0, ended: [] }
    const Parent = protocol({ ready: request(null, any<string>()) })
    const parent = troupe.spawn('parent', actor(Parent, {
      strategy: 'one-for-all',
      started: (me) => {
        me.spawn('source', source(seen))
        me.spawn('other', source(seen))
      },
      on: { ready: () => 'yes' },
    }))
    await parent.ask({ type: 'ready' })
    const chunks = troupe.ref(Source, 'parent>source').stream({ type: 'count', to: 1_000 })
    await clock.settle()
    await troupe.ref(Source, 'parent>other').tell({ type: 'fall' })
    await clock.settle()
    const { chunks: read, error } = await readAll(chunks)
    expect([read.length, error]).toMatchObject([32, { code: 'Interrupted' }])
    expect(await troupe.ref(Source, 'parent>source').ask({ type: 'ping' })).toBe('pong')
    await troupe.stop()
  })

  test('the troupe shuts down', async () => {
    const { troupe, ref, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 })
    await clock.settle()
    const stopping = troupe.stop({ within: '1s' })
    await clock.advance('1s')
    await stopping
    expect(await readAll(chunks)).toMatchObject({ error: { code: 'Cancelled', details: { reason: 'shutting-down' } } })
  })

  test('nobody is there', async () => {
    const { troupe } = await stage()
    expect(await readAll(troupe.ref(Source, 'nobody').stream({ type: 'count', to: 1 }))).toMatchObject({ chunks: [], error: { code: 'NoSuchActor' } })
    await troupe.stop()
  })
})

test("a reader's patience is for each chunk, not for the whole", async () => {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const P = protocol({ ticks: stream(any<{ pauses: number[] }>(), any<number>()) })
  const ref = troupe.spawn('a', actor(P, { on: { ticks: async function* ({ pauses }, me) { for (const ms of pauses) { await me.sleep(ms); yield ms } } } }))
  const read: number[] = []
  const error = gate<unknown>()
  void (async () => {
    try {
      for await (const n of ref.stream({ type: 'ticks', pauses: [900, 900, 900, 1_100, 900] }, { timeout: '1s' })) read.push(n)
    } catch (thrown) {
      error.open(thrown)
    }
  })()
  await clock.advance('3s')
  expect(read).toEqual([900, 900, 900])
  await clock.advance('1s')
  expect(await error.passed).toMatchObject({ code: 'DeadlineExceeded' })
  await troupe.stop()
})

test('a handler that reads a stream has no more time for it than its own asker gave', async () => {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const P = protocol({ ticks: stream(null, any<number>()), sum: request(null, any<number>()) })
  const ticker = troupe.spawn('ticker', actor(P, { on: { sum: () => 0, ticks: async function* (_, me) { for (;;) { await me.sleep(100); yield 1 } } } }))
  const reader = troupe.spawn('reader', actor(P, { on: { ticks: () => [], sum: async (_, me) => { let sum = 0; for await (const n of me.stream(ticker, { type: 'ticks' })) sum += n; return sum } } }))
  const outcome = rejection(reader.ask({ type: 'sum' }, { timeout: '1s' }))
  await clock.advance('2s')
  expect(await outcome).toMatchObject({ code: 'DeadlineExceeded' })
  expect(clock.timers).toBe(0)
  await troupe.stop()
})
