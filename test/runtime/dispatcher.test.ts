// Whose turn it is: the event loop stays alive, the stack flat, and nobody waits for a flooded neighbour.
import { expect, test } from 'vitest'
import { actor, createTroupe, event, protocol, request, type Ref } from 'troupe'
import { any, gate, turn } from './stage.js'

const Player = protocol({ ball: event(any<{ left: number }>()), partner: event(any<{ address: string }>()), ping: request(null, any<number>()) })

/** Counts what a timer and an immediate see of the event loop until it is stopped. */
function heartbeat(): { readonly timers: () => number; readonly longestMs: () => number; stop(): void } {
  let timers = 0
  let longest = 0
  let before = performance.now()
  const timer = setInterval(() => {
    timers++
    longest = Math.max(longest, performance.now() - before)
    before = performance.now()
  }, 1)
  return { timers: () => timers, longestMs: () => longest, stop: () => clearInterval(timer) }
}

test.each([
  ['synchronous handlers', false],
  ['handlers that are each a microtask of their own', true],
])('200,000 ping-pongs between %s let timers fire', async (_, asynchronous) => {
  const troupe = await createTroupe()
  const done = gate()
  const player = actor(Player, {
    state: () => ({ to: undefined as Ref<typeof Player.specs> | undefined }),
    on: {
      partner: ({ address }, me) => void (me.state.to = me.ref(Player, address)),
      ball: ({ left }, me) => {
        if (left === 0) done.open()
        else me.tell(me.state.to as Ref<typeof Player.specs>, { type: 'ball', left: left - 1 })
        return asynchronous ? Promise.resolve() : undefined
      },
      ping: () => 1,
    },
  })
  const ping = troupe.spawn('ping', player)
  const pong = troupe.spawn('pong', player)
  await ping.tell({ type: 'partner', address: 'pong' })
  await pong.tell({ type: 'partner', address: 'ping' })
  const heart = heartbeat()
  await ping.tell({ type: 'ball', left: 200_000 })
  await done.passed
  heart.stop()
  expect(heart.timers()).toBeGreaterThan(5)
  await troupe.stop()
})

test('200,000 sequential asks let timers fire', async () => {
  const troupe = await createTroupe()
  const ref = troupe.spawn('player', actor(Player, { on: { ball: () => {}, partner: () => {}, ping: () => 1 } }))
  const heart = heartbeat()
  let sum = 0
  for (let i = 0; i < 200_000; i++) sum += await ref.ask({ type: 'ping' })
  heart.stop()
  expect(sum).toBe(200_000)
  expect(heart.timers()).toBeGreaterThan(5)
  await troupe.stop()
})

test('a chain of 5,000 actors that ask each other does not overflow the stack', async () => {
  const Link = protocol({ depth: request(null, any<number>()), hop: event(any<{ sum: number }>()) })
  const troupe = await createTroupe()
  const done = gate<number>()
  const links = Array.from({ length: 5_000 }, (_, i) =>
    troupe.spawn(
      `link-${i}`,
      actor(Link, {
        on: {
          depth: async (_message, me) => (i === 4_999 ? 1 : 1 + (await me.ask(me.ref(Link, `link-${i + 1}`), { type: 'depth' }))),
          hop: ({ sum }, me) => (i === 4_999 ? done.open(sum + 1) : me.tell(me.ref(Link, `link-${i + 1}`), { type: 'hop', sum: sum + 1 })),
        },
      }),
    ),
  )
  const [first] = links
  await first?.tell({ type: 'hop', sum: 0 })
  expect(await done.passed).toBe(5_000)
  expect(await first?.ask({ type: 'depth' })).toBe(5_000)
  await troupe.stop()
})

test('a quiet actor answers while its neighbour is flooded', async () => {
  const troupe = await createTroupe()
  let handled = 0
  const flooded = troupe.spawn('flooded', actor(Player, { mailbox: { capacity: 100_000 }, on: { ball: () => void handled++, partner: () => {}, ping: () => 1 } }))
  const quiet = troupe.spawn('quiet', actor(Player, { on: { ball: () => {}, partner: () => {}, ping: () => handled } }))
  for (let i = 0; i < 100_000; i++) void flooded.tell({ type: 'ball', left: 0 })
  expect(await quiet.ask({ type: 'ping' })).toBeLessThan(1_000)
  await troupe.stop()
})

test('slow handlers hand the event loop back after each few milliseconds, not after each slice of messages', async () => {
  const troupe = await createTroupe()
  const done = gate()
  const busy = troupe.spawn(
    'busy',
    actor(Player, {
      on: {
        ball: ({ left }) => {
          for (const began = performance.now(); performance.now() - began < 2; );
          if (left === 0) done.open()
        },
        partner: () => {},
        ping: () => 1,
      },
    }),
  )
  const heart = heartbeat()
  for (let left = 199; left >= 0; left--) void busy.tell({ type: 'ball', left })
  await done.passed
  heart.stop()
  // 400 ms of work: in slices of 64 messages it would be four breaths of 128 ms.
  expect(heart.timers()).toBeGreaterThan(20)
  await troupe.stop()
})

test('a cancel overtakes a backlog of 10,000', async () => {
  const troupe = await createTroupe()
  let balls = 0
  let pings = 0
  const ref = troupe.spawn('player', actor(Player, { mailbox: { capacity: 20_000 }, on: { ball: () => void balls++, partner: () => {}, ping: () => ++pings } }))
  for (let i = 0; i < 10_000; i++) void ref.tell({ type: 'ball', left: 0 })
  const stop = new AbortController()
  const asked = ref.ask({ type: 'ping' }, { signal: stop.signal })
  stop.abort()
  await expect(asked).rejects.toMatchObject({ code: 'Cancelled', details: { reason: 'caller' } })
  expect(balls).toBeLessThan(100)
  expect(await ref.ask({ type: 'ping' })).toBe(1)
  expect(balls).toBe(10_000)
  await troupe.stop()
})

test('a throw where none can be does not stop the other actors', async () => {
  const troupe = await createTroupe({
    interceptors: [{ receive: (message) => (message.type === 'ball' ? { type: 'partner' } : undefined) }],
  })
  const ref = troupe.spawn('player', actor(Player, { on: { ball: () => {}, partner: () => {}, ping: () => 1 } }))
  await ref.tell({ type: 'ball', left: 1 })
  await turn()
  expect(await ref.ask({ type: 'ping' })).toBe(1)
  expect(troupe.deadLetters.counts()).toEqual({ refused: 1 })
  await troupe.stop()
})
