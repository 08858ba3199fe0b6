// The mailbox against a deliberately dumb twin, and the full rooms that a sender can meet.
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Mailbox, type MailboxOptions, type Overflow, type Waiter } from '../../src/runtime/mailbox.js'
import { PRIORITY_RUN, WAITERS_MAX } from '../../src/runtime/limits.js'

interface Letter {
  readonly name: number
  readonly priority: 0 | 1 | 2
  readonly body: { readonly length: number }
}

interface TwinWaiter {
  readonly item: Letter
  readonly name: number
}

/** The same promises in plain arrays: slow, and easy to believe. */
class Twin {
  lanes: Letter[][] = [[], [], []]
  deferred: Letter[] = []
  retryAt = 0
  waiters: TwinWaiter[] = []
  runs = [0, 0]
  settled: [number, boolean][] = []
  constructor(readonly capacity: number, readonly bytesMax: number, readonly overflow: Overflow, readonly deferredMax: number) {}

  get all(): Letter[] {
    return [...this.deferred, ...this.lanes.flat()]
  }
  get count(): number {
    return this.all.length
  }
  get bytes(): number {
    return this.all.reduce((sum, { body }) => sum + body.length, 0)
  }
  hasRoom(item: Letter): boolean {
    return this.count < this.capacity && this.bytes + item.body.length <= this.bytesMax
  }
  offer(item: Letter): string {
    if (item.body.length > this.bytesMax) return 'full'
    if (this.waiters.length === 0 && this.hasRoom(item)) {
      this.lanes[item.priority]?.push(item)
      return 'accepted'
    }
    if (this.overflow === 'wait' || this.overflow === 'reject') return 'full'
    if (this.overflow === 'drop-newest') return `dropped ${item.name}`
    const spared = this.lanes.map((lane) => [...lane])
    const dropped: number[] = []
    while (!this.hasRoom(item)) {
      const lane = [2, 1, 0].find((priority) => priority >= item.priority && this.lanes[priority]?.length !== 0)
      const oldest = lane === undefined ? undefined : this.lanes[lane]?.shift()
      if (oldest === undefined) {
        this.lanes = spared
        return `dropped ${item.name}`
      }
      dropped.push(oldest.name)
    }
    this.lanes[item.priority]?.push(item)
    return `dropped ${dropped.join(' ')}`
  }
  admit(): void {
    for (let first = this.waiters[0]; first !== undefined && this.hasRoom(first.item); first = this.waiters[0]) {
      this.waiters.shift()
      this.lanes[first.item.priority]?.push(first.item)
      this.settled.push([first.name, true])
    }
  }
  take(): Letter | undefined {
    let item: Letter | undefined
    if (this.retryAt < this.deferred.length) item = this.deferred.splice(this.retryAt, 1)[0]
    else {
      const [high, normal, low] = this.lanes as [Letter[], Letter[], Letter[]]
      const [highs, normals] = this.runs as [number, number]
      if (high.length > 0 && (highs < PRIORITY_RUN || normal.length + low.length === 0)) {
        this.runs[0] = highs + 1
        item = high.shift()
      } else if (normal.length > 0 && (normals < PRIORITY_RUN || low.length === 0)) {
        this.runs = [0, normals + 1]
        item = normal.shift()
      } else {
        this.runs = [0, 0]
        item = low.shift()
      }
      if (this.count === 0 && item === undefined) return undefined
    }
    this.admit()
    return item
  }
  pick(matches: (item: Letter) => boolean): Letter | undefined {
    const at = this.deferred.findIndex(matches)
    if (at >= 0) {
      if (at < this.retryAt) this.retryAt--
      const [item] = this.deferred.splice(at, 1)
      this.admit()
      return item
    }
    for (const lane of this.lanes) {
      const found = lane.findIndex(matches)
      if (found === -1) continue
      const [item] = lane.splice(found, 1)
      this.admit()
      return item
    }
    const waiter = this.waiters.find(({ item }) => matches(item))
    if (waiter === undefined) return undefined
    this.waiters = this.waiters.filter((one) => one !== waiter)
    this.settled.push([waiter.name, true])
    this.admit()
    return waiter.item
  }
}

type Command =
  | { readonly do: 'offer'; readonly priority: 0 | 1 | 2; readonly bytes: number }
  | { readonly do: 'take' | 'putBack' | 'defer' | 'retry' }
  | { readonly do: 'leave' | 'pick'; readonly nth: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('offer' as const), priority: fc.constantFrom(0, 1, 2), bytes: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('take' as const, 'take' as const, 'putBack' as const, 'defer' as const, 'retry' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'pick' as const), nth: fc.nat(40) }) },
)

/** Runs the same commands on the mailbox and its twin, and gives what each was seen to do. */
function run(options: Required<MailboxOptions>, commands: readonly Command[]): { real: unknown[]; twin: unknown[] } {
  const mailbox = new Mailbox<Letter>(options)
  const twin = new Twin(options.capacity, options.bytes, options.overflow, options.deferred)
  const real: unknown[] = []
  const expected: unknown[] = []
  const settled: [number, boolean][] = []
  const waiters: { name: number; waiter: Waiter<Letter> }[] = []
  let names = 0
  let hand: Letter | undefined
  const see = (of: unknown, ofTwin: unknown): void => {
    real.push([of, mailbox.count, mailbox.bytes, mailbox.waiting, mailbox.deferredCount, mailbox.hasMail])
    expected.push([ofTwin, twin.count, twin.bytes, twin.waiters.length, twin.deferred.length, twin.count > twin.retryAt])
  }
  for (const one of commands) {
    switch (one.do) {
      case 'offer': {
        const item = { name: ++names, priority: one.priority, body: { length: one.bytes } }
        const offer = mailbox.offer(item)
        see(offer.kind === 'dropped' ? `dropped ${offer.items.map(({ name }) => name).join(' ')}` : offer.kind, twin.offer(item))
        if (offer.kind !== 'full' || options.overflow !== 'wait' || !mailbox.couldHold(item)) break
        const { name } = item
        const waiter = mailbox.wait(item, (admitted) => settled.push([name, admitted]))
        if (waiter !== undefined) waiters.push({ name, waiter })
        twin.waiters.push({ item, name })
        break
      }
      case 'take': {
        const item = mailbox.take()
        see(item?.name, twin.take()?.name)
        hand = item
        break
      }
      case 'putBack':
        if (hand === undefined) break
        mailbox.putBack(hand)
        see('back', (twin.lanes[hand.priority]?.unshift(hand), 'back'))
        hand = undefined
        break
      case 'defer': {
        if (hand === undefined) break
        const kept = mailbox.defer(hand)
        const keptBytes = twin.deferred.reduce((sum, { body }) => sum + body.length, hand.body.length)
        const twinKept = twin.deferred.length < Math.min(twin.deferredMax, twin.capacity - 1) && keptBytes <= twin.bytesMax / 2
        if (twinKept) twin.deferred.splice(twin.retryAt++, 0, hand)
        see(kept, twinKept)
        hand = undefined
        break
      }
      case 'retry':
        hand = undefined
        mailbox.retry()
        see('retry', ((twin.retryAt = 0), 'retry'))
        break
      case 'leave': {
        const left = waiters[one.nth % Math.max(1, waiters.length)]
        if (left === undefined) break
        mailbox.leave(left.waiter)
        twin.waiters = twin.waiters.filter(({ name }) => name !== left.name)
        twin.admit()
        see('left', 'left')
        break
      }
      case 'pick':
        see(mailbox.pick(({ name }) => name % 41 === one.nth)?.name, twin.pick(({ name }) => name % 41 === one.nth)?.name)
        break
    }
  }
  see(mailbox.drain().map(({ name }) => name), twin.all.map(({ name }) => name))
  real.pop()
  expected.pop()
  real.push(settled)
  expected.push([...twin.settled, ...twin.waiters.map(({ name }) => [name, false])])
  return { real, twin: expected }
}

describe('a mailbox does what its dumb twin does', () => {
  test.each(['wait', 'reject', 'drop-oldest', 'drop-newest'] as const)('with overflow %s, over random programs', (overflow) => {
    const options = fc.record({ capacity: fc.integer({ min: 1, max: 6 }), bytes: fc.integer({ min: 4, max: 30 }), overflow: fc.constant(overflow), deferred: fc.integer({ min: 0, max: 4 }) })
    fc.assert(
      fc.property(options, fc.array(command, { maxLength: 120 }), (given, commands) => {
        const { real, twin } = run(given, commands)
        expect(real).toEqual(twin)
      }),
      { numRuns: 400 },
    )
  })
})

const letter = (name: number, priority: 0 | 1 | 2 = 1, length = 1): Letter => ({ name, priority, body: { length } })

describe('the lanes', () => {
  test('a lower priority has a turn after eight of a higher one', () => {
    const mailbox = new Mailbox<Letter>()
    for (let i = 0; i < 100; i++) mailbox.offer(letter(i, 0))
    for (let i = 100; i < 104; i++) mailbox.offer(letter(i, 1))
    for (let i = 200; i < 204; i++) mailbox.offer(letter(i, 2))
    const order = Array.from({ length: 108 }, () => mailbox.take()?.priority)
    expect(order.slice(0, 18)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    // All the normal and the low ones were served while high ones were still waiting.
    expect(order.lastIndexOf(0)).toBe(107)
  })

  test('a low one is not starved by high and normal ones together', () => {
    const mailbox = new Mailbox<Letter>()
    for (let i = 0; i < 500; i++) mailbox.offer(letter(i, (i % 2) as 0 | 1))
    mailbox.offer(letter(999, 2))
    const order = Array.from({ length: 501 }, () => mailbox.take()?.name)
    expect(order.indexOf(999)).toBeLessThan(100)
  })

  test('give 300,000 letters back in order, each at the same price', () => {
    const mailbox = new Mailbox<Letter>({ capacity: 300_000 })
    for (let i = 0; i < 300_000; i++) mailbox.offer(letter(i))
    let inOrder = 0
    while (mailbox.take()?.name === inOrder) inOrder++
    expect(inOrder).toBe(300_000)
  })
})

describe('senders that wait', () => {
  test('are let in first in, first out, and a newcomer never passes them', () => {
    const mailbox = new Mailbox<Letter>({ capacity: 1 })
    mailbox.offer(letter(0))
    const admitted: number[] = []
    for (let i = 1; i <= 5; i++) {
      expect(mailbox.offer(letter(i)).kind).toBe('full')
      mailbox.wait(letter(i), () => admitted.push(i))
    }
    expect(Array.from({ length: 6 }, () => mailbox.take()?.name)).toEqual([0, 1, 2, 3, 4, 5])
    expect(admitted).toEqual([1, 2, 3, 4, 5])
  })

  test('are 1,024 at most, also when many came and went', () => {
    const mailbox = new Mailbox<Letter>({ capacity: 1 })
    mailbox.offer(letter(0))
    const stay = mailbox.wait(letter(1), () => {})
    for (let i = 0; i < 10 * WAITERS_MAX; i++) mailbox.leave(mailbox.wait(letter(i), () => {}) as Waiter<Letter>)
    for (let i = 1; i < WAITERS_MAX; i++) expect(mailbox.wait(letter(i), () => {})).toBeDefined()
    expect(mailbox.wait(letter(9), () => {})).toBeUndefined()
    mailbox.leave(stay as Waiter<Letter>)
    expect(mailbox.wait(letter(9), () => {})).toBeDefined()
  })

  test('are let in when the large one before them gives up', () => {
    const mailbox = new Mailbox<Letter>({ bytes: 10 })
    mailbox.offer(letter(0, 1, 5))
    const admitted: number[] = []
    const large = mailbox.wait(letter(1, 1, 9), () => admitted.push(1)) as Waiter<Letter>
    mailbox.wait(letter(2, 1, 2), () => admitted.push(2))
    expect(admitted).toEqual([])
    mailbox.leave(large)
    expect(admitted).toEqual([2])
  })

  test('learn of a drained mailbox, once each', () => {
    const mailbox = new Mailbox<Letter>({ capacity: 1 })
    mailbox.offer(letter(0))
    const told: boolean[] = []
    const first = mailbox.wait(letter(1), (admitted) => told.push(admitted)) as Waiter<Letter>
    mailbox.wait(letter(2), (admitted) => told.push(admitted))
    expect(mailbox.drain().map(({ name }) => name)).toEqual([0])
    mailbox.leave(first)
    expect([told, mailbox.waiting, mailbox.count, mailbox.bytes]).toEqual([[false, false], 0, 0, 0])
  })
})

test('what is no longer wanted makes room, in a quarter of the mail at the latest, and those who wait come in', () => {
  const mailbox = new Mailbox<Letter>({ capacity: 8 })
  const gone = new Set<number>()
  for (let i = 0; i < 8; i++) mailbox.offer(letter(i, (i % 3) as 0 | 1 | 2, 5))
  const admitted: number[] = []
  for (const i of [100, 101]) mailbox.wait(letter(i, 0, 7), () => admitted.push(i))
  for (const i of [2, 3]) {
    gone.add(i)
    mailbox.unwanted(({ name }) => !gone.has(name))
  }
  expect([admitted, mailbox.count, mailbox.bytes, mailbox.waiting]).toEqual([[100, 101], 8, 44, 0])
  expect(Array.from({ length: 8 }, () => mailbox.take()?.name)).toEqual([0, 6, 100, 101, 1, 4, 7, 5])
})

describe('dropping', () => {
  test('never drops for a letter that would not fit even then', () => {
    const mailbox = new Mailbox<Letter>({ bytes: 10, overflow: 'drop-oldest' })
    mailbox.offer(letter(1, 0, 6))
    mailbox.offer(letter(2, 1, 4))
    // A normal letter may push out normal ones, not the high one; so neither goes in vain.
    expect(mailbox.offer(letter(3, 1, 5))).toEqual({ kind: 'dropped', items: [letter(3, 1, 5)] })
    expect(mailbox.offer(letter(4, 1, 11)).kind).toBe('full')
    expect(mailbox.drain().map(({ name }) => name)).toEqual([1, 2])
  })
})
