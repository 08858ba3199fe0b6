/** The life of `retriever`: opening, empty, indexing, ready; while it indexes, it finds what it knew before. */
import { assertEvent, assign, fromCallback, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { refuseTo, replyTo, settle, type Settled } from '../settled.js'
import type { PassageIndex } from './passage-index.js'
import type { Document, IngestProgress, Retriever } from './protocol.js'
import type { RetrieverWork } from './work.js'

/** Searches under way at once; the next wait in the mailbox. */
const UNDER_WAY_MAX = 64
const LIMIT = 4
const FACTS = 100

interface Context {
  readonly index: PassageIndex
  /** What is being taken in or removed, and for whom. */
  readonly intake: { readonly documents: readonly Document[]; readonly ids: readonly string[]; readonly asker: ReturnAddress } | undefined
  readonly broken: unknown
  readonly begun: number
  readonly underWay: number
}
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<object>; actorId: string }
type Event = EventsOf<typeof Retriever> | Done
type Given = { context: Context; event: Event }

function searchInput({ context, event }: Given) {
  assertEvent(event, 'search')
  return { index: context.index, query: event.query, limit: event.limit ?? LIMIT, where: event.where, to: event.from }
}
function factsInput({ context, event }: Given) {
  assertEvent(event, 'facts')
  const { subject, relation, object, subjectType, objectType, limit = FACTS, from } = event
  const pattern = Object.fromEntries(Object.entries({ subject, relation, object, subjectType, objectType }).filter(([, value]) => value !== undefined))
  return { index: context.index, pattern, limit, to: from }
}
const intakeInput = ({ context }: { context: Context }) => ({ index: context.index, documents: context.intake?.documents ?? [] })
const workId = ({ context }: { context: Context }): string => `work.${context.begun}`

/** Ends with the actor, however that ends, and lets go of the folder. */
const holding = fromCallback<{ type: string }, { index: PassageIndex }>(({ input }) => () => input.index.close())

const types = {} as { context: Context; events: Event; input: { index: PassageIndex } }

const words = (actors: RetrieverWork) =>
  setup({
    types,
    actors: { open: actors.open, add: actors.add, ingest: actors.ingest, reindex: actors.reindex, remove: actors.remove, search: actors.search, facts: actors.facts, holding },
    guards: {
      // Who searches before anything is there waits for it, when it is on its way.
      canSearch: ({ context }) => context.underWay < UNDER_WAY_MAX && (context.index.size > 0 || context.intake === undefined),
      isEmpty: ({ context }) => context.index.size === 0,
    },
    actions: {
      settle: ({ event }) => settle((event as Done).output),
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      openIntake: assign((_, { documents = [], ids = [], from }: { documents?: readonly Document[]; ids?: readonly string[]; from: ReturnAddress }) => ({ intake: { documents, ids, asker: from } })),
      closeIntake: assign({ intake: undefined }),
      answer: ({ context }, value: IngestProgress | { removed: number }) => {
        if (context.intake !== undefined) replyTo(context.intake.asker, value)
      },
      decline: ({ context }, { error }: { error: unknown }) => {
        if (context.intake !== undefined) refuseTo(context.intake.asker, error)
      },
      noteBroken: assign((_, { error }: { error: unknown }) => ({ broken: error })),
      refuse: ({ context }, { from }: { from: ReturnAddress }) => refuseTo(from, context.broken),
    },
  })

const change = <T extends string>(target: T) => ({ target, actions: { type: 'openIntake', params: ({ event }: { event: { from: ReturnAddress } }) => event } }) as const
const changes = { add: change('indexing'), ingest: change('streaming'), reindex: change('reindexing'), remove: change('removing') } as const
const retry = { target: 'opening', actions: { type: 'refuse', params: ({ event }: { event: { from: ReturnAddress } }) => event } } as const

export const retrieverChart = (actors: RetrieverWork) =>
  words(actors).createMachine({
    id: 'retriever',
    context: ({ input }) => ({ index: input.index, intake: undefined, broken: undefined, begun: 0, underWay: 0 }),
    invoke: { src: 'holding', input: ({ context }) => ({ index: context.index }) },
    on: { 'xstate.done.actor.work.*': { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] } },
    initial: 'opening',
    states: {
      opening: {
        invoke: { src: 'open', input: ({ context }) => ({ index: context.index }), onDone: 'open', onError: { target: 'closed', actions: { type: 'noteBroken', params: ({ event }) => event } } },
      },
      /** Whoever comes is told why, and the next finds it opened anew, when that was mended. */
      closed: { on: { add: retry, ingest: retry, search: retry, facts: retry, reindex: retry, remove: retry } },
      open: {
        on: {
          search: { guard: 'canSearch', actions: [spawnChild('search', { id: workId, input: searchInput }), 'begin'] },
          facts: { guard: 'canSearch', actions: [spawnChild('facts', { id: workId, input: factsInput }), 'begin'] },
        },
        initial: 'ready',
        states: {
          empty: { on: changes },
          indexing: {
            invoke: {
              src: 'add',
              input: intakeInput,
              onDone: { target: 'ready', actions: [{ type: 'answer', params: ({ event }) => event.output }, 'closeIntake'] },
              onError: { target: 'ready', actions: [{ type: 'decline', params: ({ event }) => event }, 'closeIntake'] },
            },
          },
          reindexing: {
            invoke: { src: 'reindex', input: ({ context }) => ({ index: context.index }), onDone: { target: 'ready', actions: [{ type: 'answer', params: ({ event }) => event.output }, 'closeIntake'] }, onError: { target: 'ready', actions: [{ type: 'decline', params: ({ event }) => event }, 'closeIntake'] } },
          },
          // The stream has told its reader how it ended.
          streaming: {
            invoke: {
              src: 'ingest',
              input: ({ context }) => ({ ...intakeInput({ context }), into: context.intake?.asker as ReturnAddress }),
              onDone: { target: 'ready', actions: 'closeIntake' },
              onError: { target: 'ready', actions: 'closeIntake' },
            },
          },
          removing: {
            invoke: {
              src: 'remove',
              input: ({ context }) => ({ index: context.index, ids: context.intake?.ids ?? [] }),
              onDone: { target: 'ready', actions: [{ type: 'answer', params: ({ event }) => ({ removed: event.output }) }, 'closeIntake'] },
              onError: { target: 'ready', actions: [{ type: 'decline', params: ({ event }) => event }, 'closeIntake'] },
            },
          },
          ready: {
            always: { guard: 'isEmpty', target: 'empty' },
            on: changes,
          },
        },
      },
    },
  })
