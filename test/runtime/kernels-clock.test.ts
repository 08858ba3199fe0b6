import { expect, test } from 'vitest'
import { actor, createTroupe, protocol, request, type InferOptions, type Kernels } from 'troupe'
import { virtualClock } from 'troupe/testing'
import { any } from './stage.js'

const Asker = protocol({ go: request(null, any<null>()) })
const inferring = (how: InferOptions) =>
  actor(Asker, {
    on: {
      go: async (_, me) => {
        await me.infer('tag', 'small', 'text', how)
        return null
      },
    },
  })

/** Kernels that keep a time of their own, as a host with real threads does under a virtual clock. */
function kernels(given: (number | undefined)[], now?: number): Kernels {
  return {
    ...(now !== undefined && { now: () => now }),
    infer: (_task, _model, _input, { deadline } = {}) => {
      given.push(deadline)
      return Object.assign(Promise.resolve(null), {
        async *[Symbol.asyncIterator]() {
          yield await Promise.resolve(null)
        },
      })
    },
  }
}

test.each([
  ['the deadline of its ask', {}, '10s', 10_000],
  ['a timeout of its own', { timeout: '2s' }, '10s', 2_000],
  ['the sooner of both', { timeout: '1m' }, '10s', 10_000],
] as const)('a model call has %s, in the time of the kernels', async (_, how, timeout, ms) => {
  const given: number[] = []
  for (const [own, base] of [[5_000_000, 5_000_000], [undefined, Date.UTC(2026, 0, 1)]] as const) {
    const clock = virtualClock()
    const troupe = await createTroupe({ clock, host: kernels(given, own) })
    await troupe.spawn('asker', inferring(how)).ask({ type: 'go' }, { timeout })
    expect(given.pop()).toBe(base + ms)
    await troupe.stop()
  }
})

test('a model call of an ask that waits for ever has no deadline', async () => {
  const given: (number | undefined)[] = []
  const troupe = await createTroupe({ clock: virtualClock(), host: kernels(given, 1) })
  await troupe.spawn('asker', inferring({})).ask({ type: 'go' }, { timeout: 'none' })
  expect(given).toEqual([undefined])
  await troupe.stop()
})
