import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { unpack } from '../../src/runtime/codec.js'
import { LINK_BYTES, LINK_RETRY_MAX_MS, LINK_RETRY_MS, LINK_WINDOW } from '../../src/runtime/limits.js'
import { Link } from '../../src/runtime/transport/link.js'

type Frame = readonly [kind: string, ...rest: unknown[]]

/** One end of a link, with all that it hears. */
class End {
  readonly heard: string[] = []
  readonly breaks: string[] = []
  waits = false
  link!: Link
  sends: (bytes: Uint8Array) => void = () => {}
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock) {
    this.#clock = clock
    this.begin()
  }
  /** A new life. */
  begin(): void {
    this.link = new Link({ clock: this.#clock, send: (bytes) => this.sends(bytes), heard: (item) => this.heard.push(Buffer.from(item).toString()), broke: (why) => this.breaks.push(why), waits: () => this.waits })
  }
  say(...items: string[]): void {
    for (const item of items) this.link.say(Buffer.from(item))
  }
}

function joined(fate: (clock: VirtualClock) => readonly number[] = () => [0], seed = 1): { clock: VirtualClock; a: End; b: End; frames: Frame[] } {
  const clock = virtualClock({ seed })
  const [a, b] = [new End(clock), new End(clock)]
  const frames: Frame[] = []
  const wire = (to: End) => (bytes: Uint8Array) => {
    frames.push((unpack(bytes) as [number, ...unknown[]]).slice(1) as unknown as Frame)
    for (const ms of fate(clock)) clock.timer(ms, () => to.link.receive(bytes))
  }
  a.sends = wire(b)
  b.sends = wire(a)
  return { clock, a, b, frames }
}

const names = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `${from + i}`)

test('each item arrives once and in order, whatever the network does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.double({ min: 0, max: 0.6, noNaN: true }), fc.double({ min: 0, max: 0.8, noNaN: true }), fc.integer({ min: 0, max: 300 }), async (seed, loss, twice, delay) => {
      const { clock, a, b } = joined((clock) => (clock.random() < loss ? [] : Array.from({ length: clock.random() < twice ? 2 : 1 }, () => Math.floor(clock.random() * delay))), seed)
      for (let at = 0; at < 60; at += 20) {
        a.say(...names(at, 20))
        b.say(...names(at, 20))
        await clock.advance(50)
      }
      for (let tries = 0; tries < 40 && (a.heard.length < 60 || b.heard.length < 60); tries++) await clock.advance(5_000)
      expect([a.heard, b.heard]).toEqual([names(0, a.heard.length), names(0, b.heard.length)])
      // So much may be lost in a row that one gives the other up.
      if (a.breaks.length + b.breaks.length === 0) expect([a.heard.length, b.heard.length]).toEqual([60, 60])
    }),
    { numRuns: 60 },
  )
})

test('a former life that was late on its way brings nothing back', async () => {
  const { clock, a, b } = joined()
  a.say('1')
  await clock.advance(5)
  const late: Uint8Array[] = []
  const send = a.sends
  a.sends = (bytes) => void late.push(bytes)
  a.say('old')
  await clock.advance(LINK_RETRY_MS)
  a.link.close()
  a.sends = send
  a.begin()
  a.say('new')
  await clock.advance(5)
  expect(b.breaks).toEqual(['the node began anew'])
  for (const bytes of late) b.link.receive(bytes)
  await clock.advance(1_000)
  expect([b.heard, b.breaks.length]).toEqual([['1', 'new'], 1])
})

test('what is said after a break arrives, whoever began anew and however often', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 400 })), { maxLength: 6 }), async (seed, lives) => {
      const { clock, a, b } = joined((clock) => (clock.random() < 0.2 ? [] : [Math.floor(clock.random() * 60)]), seed)
      for (const [isA, ms] of lives) {
        a.say('x')
        b.say('y')
        await clock.advance(ms)
        const end = isA ? a : b
        end.link.close()
        end.begin()
      }
      // Whatever was still under way between former lives has been lost or has arrived by now.
      await clock.advance(60_000)
      a.say('are you')
      b.say('still you?')
      await clock.advance(60_000)
      a.heard.length = b.heard.length = 0
      a.say(...names(0, 5))
      b.say(...names(0, 5))
      await clock.advance(60_000)
      expect([a.heard, b.heard]).toEqual([names(0, 5), names(0, 5)])
    }),
    { numRuns: 60 },
  )
})

describe('within its bounds', () => {
  test('at most 1,024 items are under way, in frames of 64 KiB; a larger item travels alone', async () => {
    const { clock, a, b, frames } = joined()
    a.say('first')
    await clock.advance(5)
    frames.length = 0
    b.sends = () => {}
    a.say(...names(0, 3_000))
    await clock.advance(5)
    const said = (): number[] => frames.filter(([kind]) => kind === 'said').map((frame) => (frame[5] as unknown[]).length)
    expect(said().reduce((sum, each) => sum + each, 0)).toBe(LINK_WINDOW)
    a.link.close()

    const other = joined()
    other.a.say('x'.repeat(LINK_BYTES - 1), 'y', 'z', 'x'.repeat(3 * LINK_BYTES), 'w')
    await other.clock.advance(5)
    const counts = other.frames.filter(([kind]) => kind === 'said').map((frame) => (frame[5] as unknown[]).length)
    expect(counts.filter((count) => count > 0).slice(0, 4)).toEqual([2, 1, 1, 1])
    expect(other.b.heard).toHaveLength(5)
  })

  test('it tries again after 100 ms, ever more rarely, every 5 s at last; after 30 s it gives up, and goes on trying', async () => {
    const { clock, a } = joined()
    const at: number[] = []
    a.sends = () => void at.push(clock.now())
    a.say('anybody?')
    await clock.advance(60_000)
    const gaps = at.slice(1).map((each, i) => each - (at[i] as number))
    expect(gaps.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * LINK_RETRY_MS))
    expect(Math.max(...gaps)).toBeLessThanOrEqual(LINK_RETRY_MAX_MS)
    expect(a.breaks).toEqual(['the node is silent'])
    a.say('still nobody?')
    at.length = 0
    await clock.advance(12_000)
    expect(at.length).toBeGreaterThanOrEqual(2)
    a.link.close()
  })

  test('no timer stands once everything has arrived', async () => {
    const { clock, a, b } = joined()
    a.say('1', '2')
    b.say('3')
    await clock.advance(LINK_RETRY_MS + 5)
    expect([a.heard, b.heard, clock.timers]).toEqual([['3'], ['1', '2'], 0])
  })

  test('bytes that are no frame are refused, and harm nothing', async () => {
    const { clock, a, b } = joined()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          b.link.receive(bytes)
        } catch {
          // Refused.
        }
      }),
    )
    a.say('1')
    await clock.advance(500)
    expect(b.heard).toEqual(['1'])
  })
})
