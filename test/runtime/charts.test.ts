// What a machine behind a protocol may do: answer, keep for later, refuse, tell, publish, and invoke effects.
import { assign, createMachine, enqueueActions, setup } from 'xstate'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, ask, createTroupe, event, infer, protocol, publish, refuse, reply, request, stepOnce, stream, streamOnce, tell, TroupeError, type EventsOf, type Kernels, type ReturnAddress } from 'troupe'
import { virtualClock } from 'troupe/testing'

const Desk = protocol({
  greet: request(z.object({ name: z.string() }), z.string()),
  later: request(null, z.string()),
  no: request(null, z.string()),
  note: event(z.object({ text: z.string() })),
  release: event(),
})
type DeskEvents = EventsOf<typeof Desk>

const Log = protocol({ line: event(z.object({ text: z.string() })), lines: request(null, z.array(z.string())) })
const log = actor(Log, {
  state: () => ({ lines: [] as string[] }),
  on: { line: ({ text }, me) => void me.state.lines.push(text), lines: (_, me) => me.state.lines },
})

const desk = actor(
  Desk,
  setup({
    types: { context: {} as { waiting: ReturnAddress<string> | undefined }, events: {} as DeskEvents },
    actions: {
      say: tell({ protocol: Log, address: 'log' }, (_, params: { text: string }) => ({ type: 'line', text: params.text })),
    },
  }).createMachine({
    context: { waiting: undefined },
    on: {
      greet: { actions: reply(({ event }) => `hello ${event.name}`) },
      later: { actions: assign({ waiting: ({ event }) => event.from }) },
      release: { actions: reply('at last', { to: ({ context }) => context.waiting }) },
      no: { actions: refuse(new TroupeError('Unauthorized', 'not today', 'come tomorrow')) },
      note: {
        actions: [
          { type: 'say', params: ({ event }) => ({ text: event.text }) },
          enqueueActions(({ enqueue }) => {
            enqueue(tell({ protocol: Log, address: 'log' }, ({ event }) => ({ type: 'line', text: event.type })))
            enqueue({ type: 'say', params: { text: 'enqueued' } })
          }),
        ],
      },
    },
  }),
)

test('a machine replies at once, replies later to an address that it kept, and refuses', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('desk', desk)
  expect(await ref.ask({ type: 'greet', name: 'Ada' })).toBe('hello Ada')
  const later = ref.ask({ type: 'later' })
  await ref.tell({ type: 'release' })
  expect(await later).toBe('at last')
  await expect(ref.ask({ type: 'no' })).rejects.toMatchObject({ code: 'Unauthorized', message: 'not today' })
})

test('a machine tells from actions with params, named or enqueued, in order', async () => {
  await using troupe = await createTroupe()
  const lines = troupe.spawn('log', log)
  await troupe.spawn('desk', desk).tell({ type: 'note', text: 'first' })
  await expect.poll(() => lines.ask({ type: 'lines' })).toEqual(['first', 'note', 'enqueued'])
})

test('entry and exit actions tell and publish', async () => {
  const Door = protocol({ open: event(), shut: event() })
  const door = actor(
    Door,
    setup({ types: { events: {} as EventsOf<typeof Door> } }).createMachine({
      initial: 'closed',
      states: {
        closed: { on: { open: 'opened' } },
        opened: {
          entry: publish('doors.front', { type: 'line', text: 'opened' }),
          exit: publish(({ event }) => `doors.${event.type}`, () => ({ type: 'line', text: 'left' })),
          on: { shut: 'closed' },
        },
      },
    }),
  )
  await using troupe = await createTroupe()
  const lines = troupe.spawn('log', log)
  troupe.subscribe('doors.*', lines)
  const ref = troupe.spawn('door', door)
  await ref.tell({ type: 'open' })
  await ref.tell({ type: 'shut' })
  await expect.poll(() => lines.ask({ type: 'lines' })).toEqual(['opened', 'left'])
})

test('an answer that its protocol does not allow fails the actor, and its asker is told why', async () => {
  const liar = actor(
    Desk,
    setup({ types: { events: {} as DeskEvents } }).createMachine({
      on: { greet: { actions: reply((() => 42) as never) }, later: {}, no: {}, note: {}, release: {} },
    }),
  )
  await using troupe = await createTroupe()
  const asked = troupe.spawn('liar', liar).ask({ type: 'greet', name: 'Ada' })
  await expect(asked).rejects.toMatchObject({ code: 'ActorFailed', cause: { code: 'InvalidMessage' } })
})

test('an answer to an event, or to one who no longer waits, is nobody’s and harms nobody', async () => {
  const clock = virtualClock()
  await using troupe = await createTroupe({ clock })
  const ref = troupe.spawn('desk', desk)
  const later = ref.ask({ type: 'later' }, { timeout: '1s' })
  const late = expect(later).rejects.toMatchObject({ code: 'DeadlineExceeded' })
  await clock.advance('2s')
  await late
  await ref.tell({ type: 'release' })
  expect(await ref.ask({ type: 'greet', name: 'Bo' })).toBe('hello Bo')
  expect(troupe.deadLetters.list()).toEqual([])
})

test('a message with a field named from is refused, since a chart’s event says there where it came from', async () => {
  const Odd = protocol({ odd: request(z.object({ from: z.string() }), z.string()) })
  await using troupe = await createTroupe()
  // @ts-expect-error the compiler says so too
  const ref = troupe.spawn('odd', actor(Odd, setup({}).createMachine({ on: { odd: {} } })))
  await expect(ref.ask({ type: 'odd', from: 'x' })).rejects.toMatchObject({ code: 'InvalidMessage' })
})

test('what a machine cannot pack leaves its snapshot as it was, sends nothing and is told to the asker', async () => {
  const Box = protocol({ put: request(null, z.any()), count: request(null, z.number()) })
  const box = actor(
    Box,
    setup({ types: { context: {} as { count: number }, events: {} as EventsOf<typeof Box> } }).createMachine({
      context: { count: 0 },
      on: {
        put: {
          actions: [assign({ count: ({ context }) => context.count + 1 }), tell({ protocol: Log, address: 'log' }, { type: 'line', text: 'put' }), reply(() => () => 'a function')],
        },
        count: { actions: reply(({ context }) => context.count) },
      },
    }),
    { supervise: { onFailure: 'resume' } },
  )
  await using troupe = await createTroupe()
  const lines = troupe.spawn('log', log)
  const ref = troupe.spawn('box', box)
  await expect(ref.ask({ type: 'put' })).rejects.toMatchObject({ code: 'ActorFailed' })
  expect(await ref.ask({ type: 'count' })).toBe(0)
  expect(await lines.ask({ type: 'lines' })).toEqual([])
})

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

const Slow = protocol({ work: request(z.object({ n: z.number() }), z.number()), called: request(null, z.array(z.string())) })
const slow = actor(Slow, {
  concurrency: 8,
  on: {
    work: ({ n }, me) =>
      n >= 0
        ? n * 2
        : new Promise<number>((_, reject) => {
            me.signal.addEventListener('abort', () => {
              seen.push((me.signal.reason as TroupeError).details['reason'] as string)
              reject(me.signal.reason as TroupeError)
            })
          }),
    called: () => seen,
  },
})
const seen: string[] = []

const Caller = protocol({ double: request(z.object({ n: z.number() }), z.number()), leave: event(), state: request(null, z.string()) })
type CallerEvents = EventsOf<typeof Caller>
const doubler = setup({
  types: { context: {} as { asker: ReturnAddress<number> | undefined; n: number }, events: {} as CallerEvents },
  actors: { double: ask({ protocol: Slow, address: 'slow' }, 'work') },
}).createMachine({
  context: { asker: undefined, n: 0 },
  initial: 'idle',
  on: { leave: { target: '.idle', actions: refuse(() => new TroupeError('Cancelled', 'left', 'ask again'), { to: ({ context }) => context.asker }) } },
  states: {
    idle: {
      on: {
        double: { target: 'asking', actions: assign(({ event }) => ({ asker: event.from, n: event.n })) },
        state: { actions: reply('idle') },
      },
    },
    asking: {
      on: { state: { actions: reply('asking') } },
      invoke: {
        src: 'double',
        input: ({ context }) => ({ n: context.n }),
        onDone: { target: 'idle', actions: reply(({ event }) => event.output, { to: ({ context }) => context.asker }) },
        onError: { target: 'idle', actions: refuse(() => new TroupeError('ActorFailed', 'could not double', 'try less'), { to: ({ context }) => context.asker }) },
      },
    },
  },
})

test('an invoked ask gives its reply to onDone', async () => {
  await using troupe = await createTroupe()
  troupe.spawn('slow', slow)
  expect(await troupe.spawn('caller', actor(Caller, doubler)).ask({ type: 'double', n: 4 })).toBe(8)
})

test('an invoked ask that fails goes to onError', async () => {
  await using troupe = await createTroupe()
  await expect(troupe.spawn('caller', actor(Caller, doubler)).ask({ type: 'double', n: 4 })).rejects.toMatchObject({ message: 'could not double' })
})

test('leaving the state calls the ask off: the signal of the asked actor fires, and the late outcome is ignored', async () => {
  seen.length = 0
  await using troupe = await createTroupe()
  const asked = troupe.spawn('slow', slow)
  const ref = troupe.spawn('caller', actor(Caller, doubler))
  void ref.ask({ type: 'double', n: -1 }).catch(() => {})
  expect(await ref.ask({ type: 'state' })).toBe('asking')
  await ref.tell({ type: 'leave' })
  await expect.poll(() => asked.ask({ type: 'called' })).toEqual(['caller'])
  expect(await ref.ask({ type: 'state' })).toBe('idle')
})

test('an outcome that arrived in the moment its state was left and entered again does not stand for the new effect', async () => {
  const results: ((value: string) => void)[] = []
  const Twice = protocol({ again: event(), got: request(null, z.array(z.string())) })
  const machine = setup({
    types: { context: {} as { got: string[] }, events: {} as EventsOf<typeof Twice> },
    actors: { wait: stepOnce('wait', () => new Promise<string>((resolve) => results.push(resolve))) },
  }).createMachine({
    context: { got: [] },
    initial: 'waiting',
    on: { again: { target: '.waiting', reenter: true }, got: { actions: reply(({ context }) => context.got) } },
    states: {
      waiting: { invoke: { id: 'wait', src: 'wait', onDone: { target: 'done', actions: assign({ got: ({ context, event }) => [...context.got, event.output] }) } } },
      done: {},
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('twice', actor(Twice, machine))
  await expect.poll(() => results.length).toBe(1)
  // The event is accepted first, the outcome comes while it waits.
  const again = ref.tell({ type: 'again' })
  results[0]?.('old')
  await again
  await expect.poll(() => results.length).toBe(2)
  expect(await ref.ask({ type: 'got' })).toEqual([])
  results[1]?.('new')
  await expect.poll(() => ref.ask({ type: 'got' })).toEqual(['new'])
})

test('inline effects: stepOnce with an idempotency key, an error for onError, a signal that fires when the actor stops', async () => {
  const Job = protocol({ outcome: request(null, z.string()), hang: event() })
  let aborted: unknown
  const machine = createMachine({
    types: {} as { context: { outcome: string }; events: EventsOf<typeof Job> },
    context: { outcome: '' },
    initial: 'first',
    states: {
      first: {
        invoke: {
          src: stepOnce('key', async (_: void, work) => work.idempotencyKey),
          onDone: { target: 'second', actions: assign({ outcome: ({ event }) => String(event.output) }) },
        },
      },
      second: {
        invoke: {
          src: stepOnce('fail', () => {
            throw new RangeError('too far')
          }),
          onError: { target: 'third', actions: assign({ outcome: ({ context, event }) => `${context.outcome} ${(event.error as Error).message}` }) },
        },
      },
      third: { on: { outcome: { actions: reply(({ context }) => context.outcome) }, hang: 'hanging' } },
      hanging: {
        invoke: {
          src: stepOnce('hang', (_: void, { signal }) => new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              aborted = signal.reason
              reject(signal.reason as Error)
            })
          })),
        },
        on: { outcome: { actions: reply('hanging') } },
      },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('job', actor(Job, machine))
  expect(await ref.ask({ type: 'outcome' })).toMatch(/^job\/.*\/key too far$/)
  await ref.tell({ type: 'hang' })
  expect(await ref.ask({ type: 'outcome' })).toBe('hanging')
  await ref.stop()
  expect(aborted).toMatchObject({ code: 'Cancelled', details: { reason: 'actor-stopped' } })
})

test('an invoked infer reaches the kernels of the host', async () => {
  const host: Kernels = {
    infer: (task, model, input) => ({
      // oxlint-disable-next-line unicorn/no-thenable -- the port of the runtime is awaited or iterated
      then: (done, failed) => Promise.resolve(`${task} ${model} ${String(input)}`).then(done, failed),
      async *[Symbol.asyncIterator]() {},
    }),
  }
  const Tagger = protocol({ result: request(null, z.string()) })
  const machine = setup({ types: { context: {} as { result: string }, events: {} as EventsOf<typeof Tagger> }, actors: { tag: infer<string, string>('tag', 'small') } }).createMachine({
    context: { result: '' },
    initial: 'tagging',
    states: {
      tagging: { invoke: { src: 'tag', input: 'text', onDone: { target: 'done', actions: assign({ result: ({ event }) => event.output }) } } },
      done: { on: { result: { actions: reply(({ context }) => context.result) } } },
    },
  })
  await using troupe = await createTroupe({ host })
  expect(await troupe.spawn('tagger', actor(Tagger, machine)).ask({ type: 'result' })).toBe('tag small text')
})

// ── streams ─────────────────────────────────────────────────────────────────────────────────────

const Counter = protocol({ count: stream(z.object({ to: z.number() }), z.number()), state: request(null, z.string()), halt: event() })
let stoppedBy = ''
const counting = setup({
  types: { context: {} as { into: ReturnAddress; to: number; last: string }, events: {} as EventsOf<typeof Counter> },
  actors: {
    count: streamOnce('count', async function* (input: { into: ReturnAddress; to: number }, { signal }) {
      signal.addEventListener('abort', () => (stoppedBy = (signal.reason as TroupeError).details['reason'] as string))
      for (let i = 1; i <= input.to; i++) yield i
      if (input.to === 0) await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
      return 'counted'
    }),
  },
}).createMachine({
  context: { into: { address: '', ask: 0 }, to: 0, last: 'nothing' },
  initial: 'idle',
  states: {
    idle: {
      on: {
        count: { target: 'counting', actions: assign(({ event }) => ({ into: event.from, to: event.to })) },
        state: { actions: reply(({ context }) => context.last) },
      },
    },
    counting: {
      on: { halt: 'idle' },
      invoke: {
        src: 'count',
        input: ({ context }) => ({ into: context.into, to: context.to }),
        onDone: { target: 'idle', actions: assign({ last: ({ event }) => event.output }) },
        onError: { target: 'idle', actions: assign({ last: ({ event }) => (event.error instanceof TroupeError ? String(event.error.details['reason']) : 'failed') }) },
      },
    },
  },
})

test('streamOnce gives its chunks to the reader, ends the stream and hands its return value to onDone', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('counter', actor(Counter, counting))
  const chunks: number[] = []
  for await (const chunk of ref.stream({ type: 'count', to: 100 })) chunks.push(chunk)
  expect(chunks).toHaveLength(100)
  expect(await ref.ask({ type: 'state' })).toBe('counted')
})

test('a reader that leaves stops the producer, also one that waits, and the chart goes on', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('counter', actor(Counter, counting))
  for await (const chunk of ref.stream({ type: 'count', to: 1_000_000 })) if (chunk === 3) break
  expect(await ref.ask({ type: 'state' })).toBe('reader-left')
  stoppedBy = ''
  const reader = ref.stream({ type: 'count', to: 0 })
  void reader.next().catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  await reader.return?.()
  expect(await ref.ask({ type: 'state' })).toBe('reader-left')
  expect(stoppedBy).toBe('reader-left')
})

test('leaving the state that streams tells the reader that the stream was interrupted', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('counter', actor(Counter, counting))
  const reader = ref.stream({ type: 'count', to: 0 })
  const first = reader.next()
  await ref.tell({ type: 'halt' })
  await expect(first).rejects.toMatchObject({ code: 'Interrupted' })
})
