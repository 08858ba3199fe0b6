// A stream that a reader may leave and take up again, by the number of the last chunk it has seen.
import { describe, expect, test } from 'vitest'
import { actor, createTroupe, protocol, stream, type Ref, type ResumableStream, type Troupe } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { any, rejection } from './stage.js'

const Source = protocol({ count: stream(any<{ to: number; size?: number }>(), any<{ n: number; bytes?: Uint8Array }>()) })

interface Stage {
  readonly troupe: Troupe
  readonly clock: VirtualClock
  readonly ref: Ref<typeof Source.specs>
  readonly seen: { made: number; ended: string }
}
async function stage(): Promise<Stage> {
  const clock = virtualClock()
  const troupe = await createTroupe({ clock })
  const seen = { made: 0, ended: '' }
  const source = actor(Source, {
    concurrency: 2_000,
    on: {
      count: async function* ({ to, size }, me) {
        try {
          for (let n = 1; n <= to; n++) yield { n: (seen.made = n), ...(size !== undefined && { bytes: new Uint8Array(size) }) }
          seen.ended = 'its end'
        } finally {
          if (me.signal.aborted) seen.ended = String((me.signal.reason as { details: Record<string, unknown> }).details['reason'])
        }
      },
    },
  })
  return { troupe, clock, seen, ref: troupe.spawn('source', source) }
}
async function read(chunks: ResumableStream<{ n: number }>, count: number): Promise<number[]> {
  const numbers: number[] = []
  while (numbers.length < count) {
    const next = await chunks.next()
    if (next.done === true) break
    numbers.push(next.value.n)
  }
  return numbers
}
async function cutShort(troupe: Troupe, clock: VirtualClock): Promise<void> {
  const stopping = troupe.stop({ within: 0 })
  await clock.advance(0)
  await stopping
}
const thrown = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return error
  }
}

describe('a resumable stream', () => {
  test('goes on after the chunk that its reader names, and the producer waits meanwhile', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const first = ref.stream({ type: 'count', to: 100 }, { resumable: true })
    expect([await read(first, 5), first.sequence]).toEqual([[1, 2, 3, 4, 5], 5])
    await first.return?.()
    await clock.advance('59s')
    expect(seen).toEqual({ made: 37, ended: '' })
    const second = troupe.resume<{ n: number }>(first.id, { after: 3 })
    expect([await read(second, 200), second.sequence, second.id]).toEqual([Array.from({ length: 97 }, (_, i) => i + 4), 100, first.id])
    await clock.settle()
    expect(seen.ended).toBe('its end')
    expect(await read(troupe.resume<{ n: number }>(first.id, { after: 98 }), 9)).toEqual([99, 100])
    await troupe.stop()
    expect(clock.timers).toBe(0)
  })

  test('is gone a minute after its reader left: its producer is told, and who comes back too', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const first = ref.stream({ type: 'count', to: 1_000 }, { resumable: true })
    for await (const { n } of first) if (n === 3) break
    await clock.advance('1m')
    expect(seen.ended).toBe('reader-left')
    expect(thrown(() => troupe.resume(first.id, { after: 3 }))).toMatchObject({ code: 'Gone' })
    expect(thrown(() => troupe.resume(12_345, { after: 0 }))).toMatchObject({ code: 'Gone' })
    await troupe.stop()
  })

  test('is gone a minute after its end, whether somebody has come back meanwhile or not', async () => {
    const { troupe, ref, clock } = await stage()
    const first = ref.stream({ type: 'count', to: 3 }, { resumable: true })
    await read(first, 9)
    await clock.advance('30s')
    troupe.resume(first.id, { after: 0 })
    await clock.advance('59s')
    expect(thrown(() => troupe.resume(first.id, { after: 0 }))).not.toBeInstanceOf(Error)
    await clock.advance('60s')
    expect(thrown(() => troupe.resume(first.id, { after: 0 }))).toMatchObject({ code: 'Gone' })
    await troupe.stop()
  })

  test('keeps its last 1,000 chunks, and 1 MB of them: what is older is gone, what never was too', async () => {
    const { troupe, ref, clock } = await stage()
    const many = ref.stream({ type: 'count', to: 2_000 }, { resumable: true })
    await read(many, 1_500)
    expect(thrown(() => troupe.resume(many.id, { after: 499 }))).toMatchObject({ code: 'Gone' })
    expect(thrown(() => troupe.resume(many.id, { after: 1_501 }))).toMatchObject({ code: 'Gone' })
    expect(await read(troupe.resume(many.id, { after: 500 }), 2)).toEqual([501, 502])
    const large = ref.stream({ type: 'count', to: 100, size: 100_000 }, { resumable: true })
    await read(large, 50)
    expect(thrown(() => troupe.resume(large.id, { after: 39 }))).toMatchObject({ code: 'Gone' })
    expect(await read(troupe.resume(large.id, { after: 40 }), 2)).toEqual([41, 42])
    await cutShort(troupe, clock)
  })

  test('has one reader at a time: the newest', async () => {
    const { troupe, ref, clock } = await stage()
    const first = ref.stream({ type: 'count', to: 100 }, { resumable: true })
    await read(first, 2)
    const second = troupe.resume<{ n: number }>(first.id, { after: 2 })
    expect(await rejection(first.next())).toMatchObject({ code: 'Gone' })
    expect(await read(second, 3)).toEqual([3, 4, 5])
    await first.return?.()
    expect(await read(second, 1)).toEqual([6])
    await cutShort(troupe, clock)
  })

  test('chunks asked for in advance come in order, and each reader has memory of its own', async () => {
    const { troupe, ref } = await stage()
    const first = ref.stream({ type: 'count', to: 3, size: 4 }, { resumable: true })
    const asked = await Promise.all([first.next(), first.next(), first.next(), first.next()])
    expect(asked.map((next) => (next.done === true ? 'end' : next.value.n))).toEqual([1, 2, 3, 'end'])
    if (asked[0].done !== true) (asked[0].value.bytes as Uint8Array)[0] = 7
    const again = await troupe.resume(first.id, { after: 0 }).next()
    expect(again.value).toEqual({ n: 1, bytes: new Uint8Array(4) })
    await troupe.stop()
  })

  test('its signal ends it, a stop of the troupe too, and at most 1,000 are kept', async () => {
    const { troupe, ref, seen, clock } = await stage()
    const stop = new AbortController()
    const signalled = ref.stream({ type: 'count', to: 100 }, { resumable: true, signal: stop.signal })
    await read(signalled, 1)
    stop.abort()
    expect(await rejection(read(signalled, 100))).toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
    expect(await rejection(troupe.ref(Source, 'nobody').stream({ type: 'count', to: 1 }, { resumable: true }).next())).toMatchObject({ code: 'NoSuchActor' })
    const kept = Array.from({ length: 999 }, () => ref.stream({ type: 'count', to: 100 }, { resumable: true }))
    expect(await rejection(ref.stream({ type: 'count', to: 1 }, { resumable: true }).next())).toMatchObject({ code: 'Overloaded' })
    for (const each of kept) await each.return?.()
    await troupe.stop()
    expect([seen.ended, clock.timers]).toEqual(['reader-left', 0])
  })
})

describe('a reader that takes nothing', () => {
  test.each([{ resumable: true }, {}] as const)('is given up after five minutes, so that the actor is free again (%j)', async (how) => {
    const { troupe, ref, seen, clock } = await stage()
    const chunks = ref.stream({ type: 'count', to: 1_000 }, how)
    await chunks.next()
    await clock.advance('4m')
    await chunks.next()
    await clock.advance('4m')
    expect(seen.ended).toBe('')
    await clock.advance('2m')
    expect(seen.ended).toBe('reader-left')
    expect(await rejection((async () => { for await (const _ of chunks); })())).toMatchObject({ code: 'Gone' })
    await troupe.stop()
    expect(clock.timers).toBe(0)
  })

  test('is waited for as long as it says', async () => {
    const { troupe, ref, seen, clock } = await stage()
    ref.stream({ type: 'count', to: 1_000 }, { idle: '1s' })
    await clock.advance('1s')
    expect(seen.ended).toBe('reader-left')
    const patient = ref.stream({ type: 'count', to: 1_000 }, { idle: 'none' })
    seen.ended = ''
    await clock.advance('30d')
    expect(seen.ended).toBe('')
    await patient.return?.()
    await troupe.stop()
  })
})
