// What goes wrong in a chart, and what is left of it: nothing of the failed step.
import { assign, createMachine, sendTo, setup } from 'xstate'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, protocol, reply, request, stepOnce, tell, type EventsOf, type MachineOptions, type Troupe } from 'troupe'

const Frail = protocol({
  add: request(z.object({ how: z.enum(['well', 'action', 'guard', 'assign', 'ghost', 'loop', 'exit']) }), z.number()),
  count: request(null, z.number()),
  hold: request(null, z.string()),
  end: event(),
})
const Sink = protocol({ line: event(), lines: request(null, z.number()) })
const sink = actor(Sink, { state: () => ({ n: 0 }), on: { line: (_, me) => void me.state.n++, lines: (_, me) => me.state.n } })

const crash = (): never => {
  throw new RangeError('crashed')
}
const frail = setup({
  types: { context: {} as { count: number }, events: {} as EventsOf<typeof Frail>, output: {} as number },
  guards: { is: ({ event }, how: string) => event.type === 'add' && event.how === how },
  actions: { add: assign({ count: ({ context }) => context.count + 1 }), say: tell({ protocol: Sink, address: 'sink' }, { type: 'line' }) },
}).createMachine({
  context: { count: 0 },
  initial: 'on',
  on: { count: { actions: reply(({ context }) => context.count) }, end: '.over' },
  states: {
    on: {
      on: {
        hold: {},
        add: [
          { guard: { type: 'is', params: 'well' }, actions: ['add', 'say', reply(({ context }) => context.count)] },
          { guard: { type: 'is', params: 'action' }, actions: ['add', 'say', reply(1), crash] },
          { guard: { type: 'is', params: 'assign' }, actions: ['add', 'say', assign({ count: crash })] },
          { guard: { type: 'is', params: 'ghost' }, actions: ['add', 'say', sendTo('ghost', { type: 'boo' })] },
          { guard: { type: 'is', params: 'loop' }, target: 'looping', actions: ['add', 'say'] },
          { guard: { type: 'is', params: 'exit' }, target: 'crashing', actions: ['add', 'say'] },
          { guard: crash },
        ],
      },
    },
    looping: { always: { target: 'back' } },
    back: { always: { target: 'looping' } },
    crashing: { entry: crash },
    over: { type: 'final' },
  },
  output: ({ context }) => context.count,
})

async function open(supervise: MachineOptions['supervise']) {
  const troupe: Troupe = await createTroupe()
  const lines = troupe.spawn('sink', sink)
  const ref = troupe.spawn('frail', actor(Frail, frail, { ...(supervise && { supervise }) }))
  return { troupe, ref, lines }
}

test.each(['action', 'guard', 'assign', 'ghost', 'loop', 'exit'] as const)('a throw (%s) leaves the previous snapshot, sends nothing, and the asker gets ActorFailed', async (how) => {
  const { troupe, ref, lines } = await open({ onFailure: 'resume' })
  expect(await ref.ask({ type: 'add', how: 'well' })).toBe(1)
  await expect(ref.ask({ type: 'add', how })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(await ref.ask({ type: 'count' })).toBe(1)
  expect(await lines.ask({ type: 'lines' })).toBe(1)
  expect(troupe.deadLetters.list()).toMatchObject([{ type: 'add', reason: 'failed' }])
  await troupe.stop()
})

test('supervision restarts from the initial state, or stops with the error', async () => {
  const restarted = await open({ onFailure: 'restart' })
  await restarted.ref.ask({ type: 'add', how: 'well' })
  await expect(restarted.ref.ask({ type: 'add', how: 'action' })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(await restarted.ref.ask({ type: 'count' })).toBe(0)
  await restarted.troupe.stop()

  const stopped = await open({ onFailure: 'stop' })
  const ended = stopped.ref.watch()
  await expect(stopped.ref.ask({ type: 'add', how: 'action' })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(await ended).toMatchObject({ kind: 'failed', error: { message: 'crashed' } })
  await stopped.troupe.stop()
})

test('a machine that finishes tells its watchers its output', async () => {
  const { troupe, ref } = await open(undefined)
  await ref.ask({ type: 'add', how: 'well' })
  const ended = ref.watch()
  await ref.tell({ type: 'end' })
  expect(await ended).toEqual({ kind: 'finished', output: 1 })
  await troupe.stop()
})

test('an ask that was taken and never answered is told when the actor stops, fails or restarts', async () => {
  for (const [supervise, end, says] of [
    [undefined, 'stop', 'took hold and then stopped'],
    [{ onFailure: 'stop' }, 'crash', 'took hold and then failed: RangeError: crashed'],
    [{ onFailure: 'restart' }, 'crash', 'took hold and then failed: RangeError: crashed'],
  ] as const) {
    const { troupe, ref } = await open(supervise)
    const held = ref.ask({ type: 'hold' })
    const told = expect(held).rejects.toMatchObject({ code: 'ActorFailed', message: expect.stringContaining(says) as string })
    await ref.ask({ type: 'count' })
    if (end === 'stop') await ref.stop()
    else await ref.ask({ type: 'add', how: 'action' }).catch(() => {})
    await told
    await troupe.stop()
  }
})

test('a context factory that throws fails the actor; restarts are tried within their bound, then it is over', async () => {
  let tries = 0
  const machine = createMachine({
    context: () => {
      tries++
      return crash()
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('broken', actor(protocol({}), machine, { supervise: { intensity: { restarts: 3, within: '1m' } } }))
  await expect.poll(() => ref.watch()).toEqual({ kind: 'no-such-actor' })
  expect(tries).toBe(4)
})

test('a restart calls off what was invoked, and its late outcome does not reach the new life', async () => {
  const results: ((text: string) => void)[] = []
  const Job = protocol({ fail: event(), got: request(null, z.array(z.string())) })
  const machine = setup({ types: { context: {} as { got: string[] }, events: {} as EventsOf<typeof Job> }, actors: { work: stepOnce('work', () => new Promise<string>((resolve) => results.push(resolve))) } }).createMachine({
    context: { got: [] },
    invoke: { src: 'work', onDone: { actions: assign({ got: ({ context, event }) => [...context.got, event.output] }) } },
    on: { fail: { actions: crash }, got: { actions: reply(({ context }) => context.got) } },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('job', actor(Job, machine))
  await expect.poll(() => results.length).toBe(1)
  await ref.tell({ type: 'fail' })
  await expect.poll(() => results.length).toBe(2)
  results[0]?.('old')
  expect(await ref.ask({ type: 'got' })).toEqual([])
  results[1]?.('new')
  await expect.poll(() => ref.ask({ type: 'got' })).toEqual(['new'])
})

test('a throwing inspector and a throwing log wedge nobody', async () => {
  await using troupe = await createTroupe({ log: crash })
  troupe.inspect(crash)
  const Loud = protocol({ say: request(null, z.string()) })
  const machine = setup({ types: { events: {} as EventsOf<typeof Loud> } }).createMachine({ on: { say: { actions: [({ system }) => void system, reply('said')] } } })
  expect(await troupe.spawn('loud', actor(Loud, machine)).ask({ type: 'say' })).toBe('said')
})

// ── scale ───────────────────────────────────────────────────────────────────────────────────────

const Ball = protocol({ ball: event(z.object({ left: z.number() })) })

test('200,000 ping-pongs between two machines let timers fire', async () => {
  await using troupe = await createTroupe({ check: 'boundary' })
  let done = (): void => {}
  const over = new Promise<void>((resolve) => (done = resolve))
  const player = (other: string) =>
    actor(
      Ball,
      setup({ types: { events: {} as EventsOf<typeof Ball> } }).createMachine({
        on: {
          ball: [
            { guard: ({ event }) => event.left === 0, actions: () => done() },
            { actions: tell({ protocol: Ball, address: other }, ({ event }) => ({ type: 'ball', left: event.left - 1 })) },
          ],
        },
      }),
    )
  troupe.spawn('ping', player('pong'))
  troupe.spawn('pong', player('ping'))
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  await troupe.ref(Ball, 'ping').tell({ type: 'ball', left: 200_000 })
  await over
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(20)
})

test('a chain of 5,000 machines passes a message on without an overflow', async () => {
  await using troupe = await createTroupe({ check: 'boundary' })
  let done: (left: number) => void = () => {}
  const over = new Promise<number>((resolve) => (done = resolve))
  const link = setup({ types: { context: {} as { next: string }, events: {} as EventsOf<typeof Ball>, input: {} as { next: string } } }).createMachine({
    context: ({ input }) => input,
    on: { ball: { actions: tell(({ context }) => ({ protocol: Ball, address: context.next }), ({ event }) => ({ type: 'ball', left: event.left + 1 })) } },
  })
  const last = setup({ types: { events: {} as EventsOf<typeof Ball> } }).createMachine({ on: { ball: { actions: ({ event }) => done(event.left) } } })
  for (let i = 0; i < 5_000; i++) troupe.spawn(`link-${i}`, actor(Ball, link), { input: { next: i === 4_999 ? 'last' : `link-${i + 1}` } })
  troupe.spawn('last', actor(Ball, last))
  await troupe.ref(Ball, 'link-0').tell({ type: 'ball', left: 0 })
  expect(await over).toBe(5_000)
})
