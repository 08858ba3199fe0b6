import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, memory, protocol, request, stream, type Inference } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Poet = protocol({ write: stream(z.object({ about: z.string() }), z.string()), poems: request(null, z.array(z.string())) })

/** A model that writes two words, and counts how often it is called. */
function model(): { calls: number; infer: () => Inference } {
  const counted = {
    calls: 0,
    infer: (): Inference => {
      counted.calls++
      return Object.assign(Promise.resolve('roses red'), {
        async *[Symbol.asyncIterator]() {
          yield* await Promise.resolve(['roses ', 'red'])
        },
      })
    },
  }
  return counted
}

function poet(hold: () => Promise<void>) {
  return actor(Poet, {
    durable: true,
    state: () => ({ poems: [] as string[] }),
    on: {
      write: async function* ({ about }, me) {
        const call = me.infer<string, string>('generate', 'm', about)
        for await (const part of call) yield part
        const whole = await call
        await hold()
        me.state.poems.push(whole)
      },
      poems: (_, me) => me.state.poems,
    },
  })
}

test('a model call that is read part by part is one call, and one record', async () => {
  const host = model()
  const troupe = await createTroupe({ store: memory(), host })
  const ref = troupe.spawn('poet', poet(() => Promise.resolve()))
  const words: string[] = []
  for await (const word of ref.stream({ type: 'write', about: 'love' })) words.push(word)
  expect([words, await ref.ask({ type: 'poems' }), host.calls]).toEqual([['roses ', 'red'], ['roses red'], 1])
  await troupe.stop()
})

test('a stream that a crash cut off is worked to its end without a reader, and its model call is not made again', async () => {
  const store = memory()
  const host = model()
  const first = await createTroupe({ store, host, clock: virtualClock() })
  let held: () => void = () => {}
  const holding = new Promise<void>((resolve) => (held = resolve))
  const cut = first.spawn('poet', poet(() => (held(), new Promise(() => {})))).stream({ type: 'write', about: 'love' })
  void (async () => {
    for await (const word of cut) void word
  })().catch(() => undefined)
  await holding
  // The process is gone here: nothing of the first troupe runs any more.
  const second = await createTroupe({ store, host })
  const ref = second.spawn('poet', poet(() => Promise.resolve()))
  expect([await ref.ask({ type: 'poems' }), host.calls]).toEqual([['roses red'], 1])
  await second.stop()
})

test('a step that takes longer than its timeout is DeadlineExceeded, and its signal fires', async () => {
  const Slow = protocol({ go: request(null, z.string()) })
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  let aborted = false
  const slow = actor(Slow, {
    on: {
      go: (_, me) =>
        me
          .step('wait', ({ signal }) => new Promise<string>(() => signal.addEventListener('abort', () => (aborted = true))), { timeout: '2s' })
          .catch((error: unknown) => (error as { code: string }).code),
    },
  })
  const outcome = troupe.spawn('slow', slow).ask({ type: 'go' })
  await clock.advance('2s')
  expect([await outcome, aborted]).toEqual(['DeadlineExceeded', true])
  await troupe.stop()
})
