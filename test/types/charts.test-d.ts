// What a statechart sees of its protocol, without a cast anywhere.
import { assertEvent, assign, enqueueActions, sendTo, setup } from 'xstate'
import { z } from 'zod'
import { actor, ask, event, infer, protocol, publish, refuse, reply, request, stepOnce, stream, streamOnce, tell, TroupeError, type EventsOf, type Ref, type ReturnAddress } from 'troupe'

const Clerk = protocol({ find: request(z.object({ id: z.number() }), z.object({ title: z.string() })), all: request(null, z.array(z.string())), note: event(z.object({ text: z.string() })) })
const Desk = protocol({
  lookup: request(z.object({ id: z.number() }), z.string()),
  list: stream(z.object({ to: z.number() }), z.number()),
  touch: event(z.object({ at: z.number() })),
})
type Events = EventsOf<typeof Desk>
interface Context {
  readonly asker: ReturnAddress<string> | undefined
  readonly clerk: Ref<(typeof Clerk)['specs']>
  readonly title: string
}

// The union of events: each message with where it came from.
export const touched: Events = { type: 'touch', at: 1, from: { address: '', ask: 0 } }
// @ts-expect-error no such event
export const strange: Events = { type: 'strange', from: { address: '', ask: 0 } }

const clerk = { protocol: Clerk, address: 'clerk' }
const parts = setup({
  types: { context: {} as Context, events: {} as Events, input: {} as { clerk: Context['clerk'] } },
  actors: {
    find: ask(clerk, 'find', { timeout: '5s' }),
    all: ask(clerk, 'all'),
    tag: infer<{ tags: string[] }, { text: string }>('tag', 'small'),
    file: stepOnce('file', async (input: { path: string }, { signal, idempotencyKey }) => ({ path: `${input.path}${String(signal.aborted)}${idempotencyKey}`, size: 1 })),
    list: streamOnce('list', async function* (input: { into: ReturnAddress; to: number }) {
      for (let i = 1; i <= input.to; i++) yield i
      return 'listed'
    }),
  },
  actions: {
    // In setup an action sees all events; a reply must suit one of them.
    answer: reply(({ context }) => context.title),
    answerWith: reply((_, params: { title: string }) => params.title, { to: ({ context }) => context.asker }),
    giveUp: refuse((_, { error }: { error: unknown }) => new TroupeError('ActorFailed', String(error), 'ask again'), { to: ({ context }) => context.asker }),
    remember: tell(clerk, { type: 'note', text: 'remembered' }),
    rememberThis: tell(({ context }) => context.clerk, (_, params: { text: string }) => ({ type: 'note', text: params.text })),
    announce: publish('desk.answers', ({ context }) => ({ type: 'line', text: context.title })),
  },
})

export const desk = parts.createMachine({
  context: ({ input }) => ({ asker: undefined, clerk: input.clerk, title: '' }),
  initial: 'idle',
  states: {
    idle: {
      entry: tell(({ context }) => context.clerk, { type: 'note', text: 'idle' }),
      on: {
        lookup: { target: 'finding', actions: [assign({ asker: ({ event }) => event.from }), { type: 'rememberThis', params: ({ event }) => ({ text: event.id.toFixed() }) }] },
        list: 'listing',
        touch: {
          actions: enqueueActions(({ enqueue, event }) => {
            if (event.at > 1) enqueue('remember')
            enqueue(publish('touched', { type: 'touched', at: event.at }))
          }),
        },
      },
    },
    finding: {
      invoke: {
        src: 'find',
        input: ({ event }) => {
          assertEvent(event, 'lookup')
          return { id: event.id }
        },
        onDone: { target: 'idle', actions: [assign({ title: ({ event }) => event.output.title.toUpperCase() }), { type: 'answerWith', params: ({ event }) => event.output }, 'announce'] },
        onError: { target: 'filing', actions: { type: 'giveUp', params: ({ event }) => event } },
      },
    },
    filing: { invoke: { src: 'file', input: { path: 'x' }, onDone: { target: 'tagging', actions: assign({ title: ({ event }) => event.output.path }) } } },
    tagging: { invoke: { src: 'tag', input: ({ context }) => ({ text: context.title }), onDone: { target: 'naming', actions: assign({ title: ({ event }) => event.output.tags.join() }) } } },
    naming: { invoke: { src: 'all', onDone: { target: 'idle', actions: assign({ title: ({ event }) => event.output.join() }) } } },
    listing: {
      invoke: {
        src: 'list',
        input: ({ event }) => {
          assertEvent(event, 'list')
          return { into: event.from, to: event.to }
        },
        onDone: { target: 'idle', actions: assign({ title: ({ event }) => event.output.toUpperCase() }) },
        onError: 'idle',
      },
    },
  },
})
export const definition = actor(Desk, desk, { input: ({ key }) => ({ key }) })

const one = setup({ types: { context: {} as Context, events: {} as Events }, actors: { find: ask(clerk, 'find'), desk: definition } })
export const inline = one.createStateConfig({
  on: {
    lookup: { actions: reply(({ event }) => `found ${event.id}`) },
    touch: { actions: reply('late', { to: ({ context }) => context.asker }) },
  },
})
export const wrongReply = one.createStateConfig({
  // @ts-expect-error a lookup is answered with a string
  on: { lookup: { actions: reply(({ event }) => event.id) } },
})
export const wrongLaterReply = one.createStateConfig({
  // @ts-expect-error who asked takes a string
  on: { touch: { actions: reply(42, { to: ({ context }) => context.asker }) } },
})
export const replyToEvent = one.createStateConfig({
  // @ts-expect-error an event wants no answer
  on: { touch: { actions: reply('why') } },
})
export const wrongTell = one.createStateConfig({
  // @ts-expect-error a note has a text
  on: { touch: { actions: tell(clerk, { type: 'note', words: 'x' }) } },
})
export const tellRequest = one.createStateConfig({
  // @ts-expect-error requests are asked
  on: { touch: { actions: tell(clerk, { type: 'find', id: 1 }) } },
})
export const wrongInput = one.createStateConfig({
  // @ts-expect-error its input is the request's body
  invoke: { src: 'find', input: { name: 'x' } },
})
export const wrongOutput = one.createStateConfig({
  // @ts-expect-error the reply has a title, and no name
  invoke: { src: 'find', input: { id: 1 }, onDone: { actions: ({ event }) => void event.output.name } },
})
// @ts-expect-error clerks take no such request
export const wrongAsk = ask(clerk, 'search')
// @ts-expect-error events are not asked
export const askEvent = ask(clerk, 'note')

// A definition is child logic, and its machine's input and output keep their types.
const Job = protocol({ add: event(z.object({ n: z.number() })) })
const job = actor(
  Job,
  setup({ types: { context: {} as { n: number }, events: {} as EventsOf<typeof Job>, input: {} as { from: number }, output: {} as { total: number } } }).createMachine({ context: ({ input }) => ({ n: input.from }), output: ({ context }) => ({ total: context.n }), on: { add: {} } }),
)
const boss = setup({ types: { context: {} as { total: number } }, actors: { job } })
export const runs = boss.createStateConfig({ invoke: { id: 'job', src: 'job', input: { from: 1 }, onDone: { actions: assign({ total: ({ event }) => event.output.total }) } }, entry: sendTo('job', { type: 'add', n: 1 }) })
export const wrongJob = boss.createStateConfig({
  // @ts-expect-error its machine wants another input
  invoke: { src: 'job', input: { to: 1 } },
})

// A machine must take its protocol.
const half = setup({ types: { events: {} as { type: 'touch'; at: number } } }).createMachine({ on: { touch: {} } })
// @ts-expect-error it takes no lookup and no list
export const lacking = actor(Desk, half)
