// Children of a chart: charts and definitions run as cells of their own; XState's other logic runs as XState runs it.
import { assign, createMachine, forwardTo, fromCallback, fromObservable, fromPromise, fromTransition, sendParent, sendTo, setup, spawnChild, stopChild, type AnyActorRef } from 'xstate'
import { of } from 'rxjs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { actor, createTroupe, event, protocol, reply, request, tell, TroupeError, type EventsOf, type Fact } from 'troupe'

const Parent = protocol({
  ping: event(z.object({ n: z.number() })),
  pong: event(z.object({ n: z.number() })),
  next: event(),
  seen: request(null, z.array(z.string())),
})
type ParentEvents = EventsOf<typeof Parent>
const types = {} as { context: { seen: string[] }; events: ParentEvents }
const seen = { seen: { actions: reply(({ context }: { context: { seen: string[] } }) => context.seen) } } as const

const child = setup({ types: { context: {} as { base: number }, events: {} as { type: 'ping'; n: number } | { type: 'finish' } | { type: 'crash' }, input: {} as { base: number }, output: {} as string } }).createMachine({
  context: ({ input }) => ({ base: input.base }),
  initial: 'on',
  states: {
    on: {
      on: {
        ping: { actions: sendParent(({ context, event }) => ({ type: 'pong', n: context.base + event.n })) },
        finish: 'over',
        crash: {
          actions: () => {
            throw new RangeError('crashed')
          },
        },
      },
    },
    over: { type: 'final' },
  },
  output: ({ context }) => `over at ${context.base}`,
})

const input = { base: 10 }
const family = setup({
  types: { context: {} as { seen: string[] }, events: {} as ParentEvents | { type: 'xstate.done.actor.kid'; output: string } },
  actors: { child },
  actions: { hear: assign({ seen: ({ context }, heard: string) => [...context.seen, heard] }) },
})
const talk = family.createStateConfig({
  on: {
    seen: { actions: reply(({ context }) => context.seen) },
    ping: { actions: sendTo('kid', ({ event }) => ({ type: 'ping', n: event.n })) },
    pong: { actions: { type: 'hear', params: ({ event }) => `pong ${event.n}` } },
    next: { actions: sendTo('kid', { type: 'finish' }) },
    'xstate.done.actor.kid': { actions: { type: 'hear', params: ({ event }) => event.output } },
  },
})
const parents = {
  named: family.createMachine({ context: { seen: [] }, ...talk, invoke: { id: 'kid', src: 'child', input } }),
  spawnChild: family.createMachine({ context: { seen: [] }, ...talk, entry: spawnChild('child', { id: 'kid', input }) }),
  assign: family.createMachine({ context: ({ spawn }) => ({ seen: [spawn('child', { id: 'kid', input }).id] }), ...talk }),
}

test.each(['named', 'spawnChild', 'assign'] as const)('a machine child (%s) is a cell: sendTo, sendParent and its output all arrive', async (how) => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, parents[how]))
  await ref.tell({ type: 'ping', n: 1 })
  await ref.tell({ type: 'next' })
  await expect.poll(() => ref.ask({ type: 'seen' })).toEqual([...(how === 'assign' ? ['kid'] : []), 'pong 11', 'over at 10'])
})

test('an inline machine child runs as a cell too, and XState runs nothing of it', async () => {
  let contexts = 0
  const inline = createMachine({
    context: () => ({ made: ++contexts }),
    on: { ping: { actions: sendParent({ type: 'pong', n: 1 }) } },
  })
  const machine = createMachine({
    types,
    context: { seen: [] },
    invoke: { id: 'kid', src: inline },
    on: { ...seen, ping: { actions: sendTo('kid', { type: 'ping' }) }, pong: { actions: assign({ seen: ['pong'] }) }, next: {} },
  })
  await using troupe = await createTroupe()
  const facts: Fact[] = []
  troupe.inspect((fact) => facts.push(fact))
  const ref = troupe.spawn('parent', actor(Parent, machine))
  await ref.tell({ type: 'ping', n: 1 })
  await expect.poll(() => ref.ask({ type: 'seen' })).toEqual(['pong'])
  expect(contexts).toBe(1)
  expect(facts.filter(({ type, kind }) => type !== 'seen' && kind === 'sent').map(({ from, to, type }) => `${from} -> ${to} ${type}`)).toEqual([' -> parent ping', 'parent -> parent>kid ping', 'parent>kid -> parent pong'])
})

const crashing = (withError: boolean) =>
  setup({ types, actors: { child } }).createMachine({
    context: { seen: [] },
    initial: 'on',
    on: { ...seen, pong: {}, ping: {} },
    states: {
      on: {
        invoke: { id: 'kid', src: 'child', input: { base: 1 }, ...(withError && { onError: { target: 'caught', actions: assign({ seen: ({ event }) => [String(event.error)] }) } }) },
        on: { next: { actions: sendTo('kid', { type: 'crash' }) } },
      },
      caught: { on: { next: {} } },
    },
  })

test('what a child told its parent before its end is heard before its end', async () => {
  const teller = createMachine({ initial: 'a', states: { a: { type: 'final', entry: [sendParent({ type: 'say', word: 'one' }), sendParent({ type: 'say', word: 'two' })] } } })
  const P = protocol({ go: request(null, z.array(z.string())) })
  const listener = setup({ types: { context: {} as { heard: string[]; from: unknown }, events: {} as EventsOf<typeof P> | { type: 'say'; word: string } }, actors: { teller } }).createMachine({
    context: { heard: [], from: undefined },
    initial: 'idle',
    states: {
      idle: { on: { go: { target: 'listening', actions: assign({ from: ({ event }) => event.from }) } } },
      listening: { invoke: { src: 'teller', onDone: { target: 'idle', actions: reply(({ context }) => context.heard, { to: ({ context }) => context.from as never }) } }, on: { say: { actions: assign({ heard: ({ context, event }) => [...context.heard, event.word] }) } } },
    },
  })
  const troupe = await createTroupe()
  expect(await troupe.spawn('listener', actor(P, listener)).ask({ type: 'go' })).toEqual(['one', 'two'])
  await troupe.stop()
})

test('a child that crashes goes to onError', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, crashing(true)))
  await ref.tell({ type: 'next' })
  await expect.poll(() => ref.ask({ type: 'seen' })).toEqual(['RangeError: crashed'])
})

test('a child’s crash that nobody handles fails its parent', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, crashing(false), { supervise: { onFailure: 'stop' } }))
  const ended = ref.watch()
  await ref.tell({ type: 'next' })
  expect(await ended).toMatchObject({ kind: 'failed', error: { message: 'crashed' } })
})

test('the children of an actor stop with it, and their mail becomes dead letters', async () => {
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, parents.named))
  await ref.ask({ type: 'seen' })
  const kid = troupe.ref(Parent, 'parent>kid')
  const ended = kid.watch()
  await ref.stop()
  expect(await ended).toEqual({ kind: 'stopped' })
  await expect(kid.tell({ type: 'next' })).rejects.toMatchObject({ code: 'NoSuchActor' })
})

test('what exit actions send to a child it handles before it stops, and re-entering the state starts a new one', async () => {
  const log: string[] = []
  const worker = createMachine({
    entry: () => void log.push('start'),
    on: { bye: { actions: () => void log.push('bye') } },
    invoke: { src: createMachine({}) },
  })
  const machine = setup({ types, actors: { worker } }).createMachine({
    context: { seen: [] },
    initial: 'on',
    on: { ...seen, next: { target: '.on', reenter: true }, ping: {}, pong: {} },
    states: { on: { invoke: { id: 'kid', src: 'worker' }, exit: sendTo('kid', { type: 'bye' }) } },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, machine))
  for (let i = 0; i < 3; i++) await ref.tell({ type: 'next' })
  await ref.ask({ type: 'seen' })
  await expect.poll(() => log).toEqual(['start', 'start', 'bye', 'start', 'bye', 'start', 'bye'])
  expect(troupe.deadLetters.list()).toEqual([])
})

test('children without a name are many, and each is stopped by its ref', async () => {
  const log: string[] = []
  const worker = setup({ types: { input: {} as { n: number } } }).createMachine({
    context: ({ input }) => {
      log.push(`start ${input.n}`)
      return {}
    },
    on: { ping: { actions: ({ self }) => void log.push(`ping ${self.id}`) } },
  })
  const machine = setup({ types: { context: {} as { kids: AnyActorRef[]; seen: string[] }, events: {} as ParentEvents }, actors: { worker } }).createMachine({
    context: { kids: [], seen: [] },
    on: {
      ...seen,
      ping: { actions: assign({ kids: ({ context, event, spawn }) => [...context.kids, spawn('worker', { input: { n: event.n } })] }) },
      next: { actions: stopChild(({ context }) => context.kids[0] as AnyActorRef) },
      pong: { actions: [spawnChild('worker', { input: { n: 8 } }), spawnChild('worker', { input: { n: 9 } }), sendTo(({ context }) => context.kids[1] as AnyActorRef, { type: 'ping' }), sendTo(({ context }) => context.kids[0] as AnyActorRef, { type: 'ping' })] },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, machine))
  for (const n of [1, 2]) await ref.tell({ type: 'ping', n })
  await ref.tell({ type: 'next' })
  await ref.tell({ type: 'pong', n: 0 })
  await ref.ask({ type: 'seen' })
  await expect.poll(() => log).toEqual(['start 1', 'start 2', 'start 8', 'start 9', 'ping child-2'])
  expect(troupe.deadLetters.list()).toMatchObject([{ to: 'parent>child-1', type: 'ping', reason: 'no-such-actor' }])
})

test('a definition of handlers is child logic, and its end is done', async () => {
  const Worker = protocol({ work: event(z.object({ n: z.number() })), end: event() })
  const worker = actor(Worker, {
    on: {
      work: ({ n }, me) => me.tell(me.ref(Parent, me.from), { type: 'pong', n: n * 2 }),
      end: (_, me) => me.stop(),
    },
  })
  const machine = setup({ types, actors: { worker } }).createMachine({
    context: { seen: [] },
    initial: 'on',
    on: { ...seen, pong: { actions: assign({ seen: ({ context, event }) => [...context.seen, `pong ${event.n}`] }) } },
    states: {
      on: {
        invoke: { id: 'kid', src: 'worker', onDone: { target: 'off', actions: assign({ seen: ({ context }) => [...context.seen, 'done'] }) } },
        on: { ping: { actions: sendTo('kid', ({ event }) => ({ type: 'work', n: event.n })) }, next: { actions: sendTo('kid', { type: 'end' }) } },
      },
      off: { on: { ping: {}, next: {} } },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, machine))
  await ref.tell({ type: 'ping', n: 21 })
  await expect.poll(() => ref.ask({ type: 'seen' })).toEqual(['pong 42'])
  await ref.tell({ type: 'next' })
  await expect.poll(() => ref.ask({ type: 'seen' })).toEqual(['pong 42', 'done'])
})

test('a child that was asked by way of forwardTo answers the one who asked its parent', async () => {
  const Front = protocol({ question: request(z.object({ n: z.number() }), z.string()) })
  const expert = setup({ types: { events: {} as EventsOf<typeof Front> } }).createMachine({ on: { question: { actions: reply(({ event }) => `answer ${event.n}`) } } })
  const front = setup({ types: { events: {} as EventsOf<typeof Front> }, actors: { expert } }).createMachine({
    invoke: { id: 'expert', src: 'expert' },
    on: { question: { actions: forwardTo('expert') } },
  })
  await using troupe = await createTroupe()
  expect(await troupe.spawn('front', actor(Front, front)).ask({ type: 'question', n: 7 })).toBe('answer 7')
})

test('a machine that handlers spawn reaches them by sendParent', async () => {
  const Boss = protocol({ pong: event(z.object({ n: z.number() })), seen: request(null, z.number()), next: event() })
  const boss = actor(Boss, {
    state: () => ({ n: 0 }),
    started: (me) => void me.spawn('kid', actor(protocol({}), createMachine({ entry: sendParent({ type: 'pong', n: 5 }) }))),
    on: { pong: ({ n }, me) => void (me.state.n = n), seen: (_, me) => me.state.n, next: () => {} },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('boss', boss)
  await expect.poll(() => ref.ask({ type: 'seen' })).toBe(5)
})

// ── logic that is left to XState ────────────────────────────────────────────────────────────────

test('fromPromise, fromCallback, fromObservable and fromTransition run as children', async () => {
  const machine = setup({
    types,
    actors: {
      promise: fromPromise(async ({ input }: { input: { n: number } }) => input.n + 1),
      callback: fromCallback<{ type: 'ping'; n: number }>(({ sendBack, receive }) => {
        receive(({ n }) => sendBack({ type: 'pong', n: n * 10 }))
      }),
      observable: fromObservable(() => of(1, 2, 3)),
      sum: fromTransition((sum: number, { n }: { type: 'ping'; n: number }) => sum + n, 0),
    },
  }).createMachine({
    context: { seen: [] },
    initial: 'on',
    on: {
      ...seen,
      ping: { actions: [sendTo('callback', ({ event }) => event), sendTo('sum', ({ event }) => event)] },
      pong: { actions: assign({ seen: ({ context, event }) => [...context.seen, `pong ${event.n}`] }) },
    },
    states: {
      on: {
        invoke: [
          { src: 'promise', input: { n: 41 }, onDone: { actions: assign({ seen: ({ context, event }) => [...context.seen, `promise ${event.output}`] }) } },
          { id: 'callback', src: 'callback' },
          { src: 'observable', onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, `observable ${String(event.snapshot.context)}`] }) } },
          { id: 'sum', src: 'sum', onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, `sum ${event.snapshot.context}`] }) } },
        ],
        on: { next: 'off' },
      },
      off: { on: { next: {} } },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, machine))
  await ref.tell({ type: 'ping', n: 2 })
  await expect.poll(async () => (await ref.ask({ type: 'seen' })).toSorted()).toEqual(['observable 1', 'observable 2', 'observable 3', 'pong 20', 'promise 42', 'sum 0', 'sum 2', 'observable undefined'].toSorted())
})

test('leaving the state aborts a promise and disposes of a callback; what they tell later is not heard', async () => {
  const log: string[] = []
  let settle: (text: string) => void = () => {}
  const machine = setup({
    types,
    actors: {
      promise: fromPromise(
        ({ signal }) =>
          new Promise<string>((resolve) => {
            settle = resolve
            signal.addEventListener('abort', () => log.push('aborted'))
          }),
      ),
      callback: fromCallback(() => () => log.push('disposed')),
    },
  }).createMachine({
    context: { seen: [] },
    initial: 'on',
    on: { ...seen, ping: {}, pong: {} },
    states: {
      on: { invoke: [{ src: 'promise', onDone: { actions: () => void log.push('done') } }, { src: 'callback' }], on: { next: 'off' } },
      off: { on: { next: {} } },
    },
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('parent', actor(Parent, machine))
  await ref.tell({ type: 'next' })
  await ref.ask({ type: 'seen' })
  settle('late')
  await ref.ask({ type: 'seen' })
  expect(log.toSorted()).toEqual(['aborted', 'disposed'])
})

test('a promise that fails goes to onError, and one that nobody handles fails the actor', async () => {
  const broken = fromPromise(() => Promise.reject(new RangeError('broken')))
  await using troupe = await createTroupe()
  const machine = createMachine({ types, context: { seen: [] }, initial: 'on', states: { on: { invoke: { src: broken, onError: 'caught' } }, caught: { type: 'final' } } })
  const caught = troupe.spawn('caught', actor(protocol({}), machine)).watch()
  const failed = troupe.spawn('failed', actor(protocol({}), createMachine({ invoke: { src: broken } }), { supervise: { onFailure: 'stop' } })).watch()
  expect(await caught).toMatchObject({ kind: 'finished' })
  expect(await failed).toMatchObject({ kind: 'failed', error: { message: 'broken' } })
})

test('a callback that floods its chart is stopped, and its chart is told Overloaded', async () => {
  const flood = fromCallback(({ sendBack }) => {
    for (let n = 0; n < 20_000; n++) sendBack({ type: 'pong', n })
  })
  const machine = setup({ types: { ...types, context: {} as { count: number; code: string } }, actors: { flood } }).createMachine({
    context: { count: 0, code: '' },
    invoke: { src: 'flood', onError: { actions: assign({ code: ({ event }) => (event.error as TroupeError).code }) } },
    on: { pong: { actions: assign({ count: ({ context }) => context.count + 1 }) }, seen: { actions: reply(({ context }) => [String(context.count), context.code]) }, ping: {}, next: {} },
  })
  await using troupe = await createTroupe()
  expect(await troupe.spawn('parent', actor(Parent, machine)).ask({ type: 'seen' })).toEqual(['10000', 'Overloaded'])
})

test('onSnapshot shows a machine child’s snapshots to its parent', async () => {
  const machine = setup({ types, actors: { child } }).createMachine({
    context: { seen: [] },
    invoke: { id: 'kid', src: 'child', input: { base: 3 }, onSnapshot: { actions: assign({ seen: ({ context, event }) => [...context.seen, String(event.snapshot.context.base)] }) } },
    on: { ...seen, ping: {}, pong: {}, next: {} },
  })
  await using troupe = await createTroupe()
  expect(await troupe.spawn('parent', actor(Parent, machine)).ask({ type: 'seen' })).toEqual(['3'])
})

test('an action may send to a child or to self by its ref, and wake a keyed actor, inside the step', async () => {
  const log: string[] = []
  const Note = protocol({ note: event(z.object({ text: z.string() })) })
  const kid = createMachine({ on: { ping: { actions: () => void log.push('kid pinged') } } })
  await using troupe = await createTroupe()
  const noted = createMachine({ types: {} as { events: EventsOf<typeof Note> }, entry: () => void log.push('woken'), on: { note: { actions: ({ event }) => void log.push(event.text) } } })
  const key = troupe.keyed('note', actor(Note, noted))
  const machine = createMachine({
    types: {} as { context: { kid: AnyActorRef }; events: ParentEvents },
    context: ({ spawn }) => ({ kid: spawn(kid, { id: 'kid' }) }),
    on: {
      next: {
        actions: ({ context, self }) => {
          context.kid.send({ type: 'ping' })
          void key('a').tell({ type: 'note', text: 'noted' })
          self.send({ type: 'pong', n: 1, from: { address: '', ask: 0 } })
        },
      },
      pong: { actions: () => void log.push('self ponged') },
      ping: {},
      seen: { actions: reply(() => log) },
    },
  })
  const ref = troupe.spawn('parent', actor(Parent, machine))
  await ref.tell({ type: 'next' })
  await expect.poll(() => log.toSorted()).toEqual(['kid pinged', 'noted', 'self ponged', 'woken'].toSorted())
})

test('a logic that nobody provided is an error that says so', async () => {
  await using troupe = await createTroupe()
  const machine = createMachine({ initial: 'calm', states: { calm: { after: { 1: 'invoking' } }, invoking: { invoke: { src: 'missing' } } } })
  const ended = troupe.spawn('parent', actor(protocol({}), machine, { supervise: { onFailure: 'stop' } })).watch()
  expect(await ended).toMatchObject({ kind: 'failed', error: { code: 'InvalidDefinition', message: 'the chart starts missing, which nobody provided' } })
})

test('a tell to another actor by a ref from the input', async () => {
  const Sink = protocol({ line: event(z.object({ text: z.string() })), lines: request(null, z.array(z.string())) })
  await using troupe = await createTroupe()
  const sink = troupe.spawn('sink', actor(Sink, { state: () => [] as string[], on: { line: ({ text }, me) => void me.state.push(text), lines: (_, me) => me.state } }))
  const machine = setup({ types: { context: {} as { sink: typeof sink }, events: {} as ParentEvents, input: {} as { sink: typeof sink } } }).createMachine({
    context: ({ input }) => input,
    entry: tell(({ context }) => context.sink, { type: 'line', text: 'entered' }),
    on: { next: {}, ping: {}, pong: {}, seen: { actions: reply([]) } },
  })
  troupe.spawn('parent', actor(Parent, machine), { input: { sink } })
  await expect.poll(() => sink.ask({ type: 'lines' })).toEqual(['entered'])
})
