// Every bound of the runtime is filled by some test: by the one named here, or by one of those below.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createMachine } from 'xstate'
import { actor, createTroupe, event, memory, protocol, request, TroupeError, type Store } from 'troupe'
import { virtualClock } from 'troupe/testing'
import * as limits from '../../src/runtime/limits.js'
import { Replies, type OpenAsk } from '../../src/runtime/replies.js'
import { Topics } from '../../src/runtime/topics.js'
import { any } from './stage.js'

const HERE = 'bounds'
/** Where each bound is filled: the file of the test, and words of its title. */
const FILLED: Readonly<Record<keyof typeof limits, readonly [file: string, title: string]>> = {
  MAILBOX_COUNT_MAX: ['dead-letters', 'with 10,000 callers at once, overflow %s'],
  MAILBOX_BYTES_MAX: [HERE, 'a mailbox holds 64 MiB'],
  WAITERS_MAX: ['dead-letters', '1,024 wait, the next are Overloaded'],
  DEFERRED_MAX: [HERE, '256 messages may be deferred'],
  OUTBOX_COUNT_MAX: ['handlers', 'the 10,001st message throws Overloaded'],
  OUTBOX_BYTES_MAX: ['handlers', 'is bounded in bytes'],
  SEND_TIMEOUT_MS: ['handlers', 'gives up after the send timeout'],
  ASK_TIMEOUT_MS: ['ask', 'an ask waits 30 s'],
  OPEN_ASKS_MAX: [HERE, '1,000,000 asks may be open'],
  STREAM_WINDOW: ['streams', 'at most 32 chunks ahead'],
  STREAM_IDLE_MS: ['resume', 'given up after five minutes'],
  RESUME_CHUNKS: ['resume', 'keeps its last 1,000 chunks'],
  RESUME_BYTES: ['resume', 'and 1 MB of them'],
  RESUME_MS: ['resume', 'is gone a minute after its reader left'],
  RESUMABLE_MAX: ['resume', 'at most 1,000 are kept'],
  DEAD_LETTERS_MAX: ['dead-letters', 'are the last 1,000'],
  DEAD_LETTER_BYTES_MAX: ['dead-letters', 'are bounded in bytes too'],
  RECORD_COUNT: ['dead-letters', 'more than 65,536'],
  SLICE_MS: ['dispatcher', 'after each few milliseconds'],
  SLICE_STEPS: ['dispatcher', '200,000 sequential asks let timers fire'],
  CELL_SLICE: ['dispatcher', 'while its neighbour is flooded'],
  PRIORITY_RUN: ['mailbox', 'after eight of a higher one'],
  RESIDENTS_MAX: ['routing', 'at the cap the least recently used'],
  SUBSCRIPTIONS_MAX: [HERE, '100,000 subscriptions'],
  MICROSTEPS_MAX: ['charts-failure', 'a throw (%s) leaves the previous snapshot'],
  VERDICTS_MAX: [HERE, 'types that senders invent'],
  WITHIN_MAX: ['charts-children', 'floods its chart is stopped'],
  ENDED_CHILDREN_MAX: ['charts-ended', 'the last 100 stay in the snapshot'],
  DURABLE_RETRIES: ['durable', 'is set aside in the end'],
  LOG_SEGMENT: [HERE, 'a segment of the log leaves'],
  STORE_RETRY_MS: [HERE, 'a store that could not be written'],
  DOZE_MS: ['dozing', 'after a second'],
  DRAIN_MS: ['life-cycle', '5 s at most'],
  LINK_WINDOW: ['link', 'at most 1,024 items are under way'],
  LINK_BYTES: ['link', 'in frames of 64 KiB'],
  LINK_RETRY_MS: ['link', 'it tries again after 100 ms'],
  LINK_RETRY_MAX_MS: ['link', 'every 5 s at last'],
  LINK_QUIET_MS: ['nodes', 'who waits for a node that is gone'],
  LINK_SILENT_MS: ['link', 'after 30 s it gives up'],
  LINK_MAIL_MAX: ['nodes', '4,096 messages may be on their way'],
  LINK_MAIL_BYTES_MAX: ['nodes', '64 MiB of messages may be on their way'],
  OWED_MAX: ['nodes-durable', 'more than 4,096 parcels'],
  OWED_WINDOW: ['nodes-durable', '1,024 of them on their way'],
  READ_CHUNKS: ['nodes', 'a stream over nodes comes whole'],
  INTAKE_BATCH: ['nodes-durable', '256 of them at a time'],
  NODES_MAX: ['nodes', 'a troupe of nodes is told at once'],
  HISTORY_KEEP: ['history', 'the last 1,000 steps are kept'],
  SCHEDULES_MAX: ['schedules', 'at most 10,000 are set'],
  LATE_MAX: ['schedules', 'more missed moments than it may fire for'],
  ADDRESS_LENGTH_MAX: [HERE, 'an address has 512 characters'],
}

test('every bound is filled by a test', () => {
  expect(Object.keys(FILLED).toSorted()).toEqual(Object.keys(limits).toSorted())
  const lost = Object.entries(FILLED).filter(([, [file, title]]) => {
    const text = readFileSync(new URL(`${file}.test.ts`, import.meta.url), 'utf8')
    return !text.split('\n').some((line) => /^\s*test\b.*\(/.test(line) && line.includes(title))
  })
  expect(lost).toEqual([])
})

describe('at its bound', () => {
  const P = protocol({ put: event(any<{ bytes: Uint8Array }>()), get: request(null, any<number>()) })

  test('a mailbox holds 64 MiB, and the next message is refused', async () => {
    const troupe = await createTroupe()
    const ref = troupe.spawn('a', actor(P, { mailbox: { overflow: 'reject' }, on: { put: () => {}, get: () => 1 } }))
    const bytes = new Uint8Array(4 * 2 ** 20)
    const told = Array.from({ length: 16 }, () => ref.tell({ type: 'put', bytes }).then(() => 'accepted', (error: { code: string }) => error.code))
    // Sixteen times 4 MiB with their headers are a little more than 64 MiB.
    expect(await Promise.all(told)).toEqual([...Array.from({ length: 15 }, () => 'accepted'), 'Overloaded'])
    expect(await ref.ask({ type: 'get' })).toBe(1)
    await troupe.stop()
  })

  test('256 messages may be deferred, and the next is refused', async () => {
    const Door = protocol({ open: event(), enter: request(null, any<string>()) })
    const machine = createMachine({ initial: 'closed', states: { closed: { on: { open: 'opened' } }, opened: { on: { enter: {} } } } })
    const troupe = await createTroupe()
    const ref = troupe.spawn('door', actor(Door, machine))
    const codes = Array.from({ length: 300 }, () => ref.ask({ type: 'enter' }).catch((error: { code: string }) => error.code))
    expect(await Promise.all(codes.slice(256))).toEqual(Array.from({ length: 44 }, () => 'Overloaded'))
    await ref.stop()
    expect(new Set(await Promise.all(codes.slice(0, 256)))).not.toContain('Overloaded')
    await troupe.stop()
  })

  test('1,000,000 asks may be open, and the next is refused', () => {
    const replies = new Replies(virtualClock())
    const ask = (id: number): OpenAsk => ({ envelope: { id }, asked: { forget: () => {} }, deadline: Infinity }) as unknown as OpenAsk
    for (let id = 1; id <= limits.OPEN_ASKS_MAX; id++) replies.open(ask(id))
    expect(() => replies.open(ask(0))).toThrow(expect.objectContaining({ code: 'Overloaded' }))
    expect(replies.size).toBe(1_000_000)
  })

  test('100,000 subscriptions are open, and the next is refused until one leaves', () => {
    const topics = new Topics()
    for (let n = 0; n < 100_000; n++) topics.subscribe('news.*', `actor-${n}`)
    expect(() => topics.subscribe('news.*', 'late')).toThrow(expect.objectContaining({ code: 'Overloaded' }))
    topics.forget('actor-7')
    topics.subscribe('news.*', 'late')
    expect(topics.match('news.today').size).toBe(100_000)
  })

  test('types that senders invent change no verdict', async () => {
    const Door = protocol({ open: event(), enter: event() })
    const troupe = await createTroupe()
    const ref = troupe.spawn('door', actor(Door, createMachine({ initial: 'closed', states: { closed: { on: { open: 'opened' } }, opened: { on: { enter: { target: 'over' } } }, over: { type: 'final' } } })))
    const ended = ref.watch()
    void ref.tell({ type: 'enter' })
    for (let n = 0; n < 3_000; n++) await troupe.ref({ specs: {} }, 'door').tell({ type: `invented-${n}` } as never)
    void ref.tell({ type: 'open' })
    expect(await ended).toMatchObject({ kind: 'finished' })
    expect(troupe.deadLetters.counts()).toEqual({ unhandled: 3_000 })
    await troupe.stop()
  })

  test('an address has 512 characters, and no more', async () => {
    const troupe = await createTroupe()
    const definition = actor(P, { on: { put: () => {}, get: () => 1 } })
    expect(troupe.spawn(`a/${'k'.repeat(510)}`, definition).address).toHaveLength(512)
    expect(() => troupe.spawn(`a/${'k'.repeat(511)}`, definition)).toThrow(expect.objectContaining({ code: 'InvalidDefinition' }))
    await troupe.stop()
  })
})

describe('of a durable actor', () => {
  const Counter = protocol({ add: request(null, any<number>()) })
  const counter = actor(Counter, { durable: true, state: () => ({ n: 0 }), on: { add: (_, me) => ++me.state.n } })

  test('a segment of the log leaves once all of it is dealt with', async () => {
    const store = await memory()()
    const troupe = await createTroupe({ store: () => Promise.resolve(store) })
    const ref = troupe.spawn('counter', counter)
    let n = 0
    while (n < 3 * limits.LOG_SEGMENT) n = Math.max(...(await Promise.all(Array.from({ length: 512 }, () => ref.ask({ type: 'add' })))))
    expect([...store.range(['log'], ['log', Infinity])].length).toBeLessThan(2 * limits.LOG_SEGMENT)
    await troupe.stop()
  })

  test('a store that could not be written is tried again after a second, and the step counts once', async () => {
    const clock = virtualClock()
    const kept = await memory()()
    let commits = 0
    // The first commit opens the store, the second accepts the message, the third is the step.
    const full = () => Promise.reject(new TroupeError('Overloaded', 'no room', 'make some', { store: true }))
    const store: Store = { range: (from, to) => kept.range(from, to), get: (key) => kept.get(key), commit: (changes) => (++commits === 3 ? full() : kept.commit(changes)), close: () => kept.close() }
    const troupe = await createTroupe({ clock, store: () => Promise.resolve(store), log: () => {} })
    const ref = troupe.spawn('counter', counter)
    const answers: number[] = []
    void ref.ask({ type: 'add' }).then((n) => answers.push(n))
    await clock.advance(999)
    expect(answers).toEqual([])
    await clock.advance(1)
    expect(answers).toEqual([1])
    expect(await ref.ask({ type: 'add' })).toBe(2)
    await troupe.stop()
  })
})
