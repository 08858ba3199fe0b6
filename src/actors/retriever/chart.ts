/** The life of `retriever`: empty, indexing, ready; while it indexes, it finds what it knew before. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { refuseTo, replyTo, settle, type Settled } from '../settled.js'
import type { Entry, PassageIndex } from './passage-index.js'
import type { Document, Retriever } from './protocol.js'
import type { RetrieverWork } from './work.js'

/** Searches under way at once; the next wait in the mailbox. */
const UNDER_WAY_MAX = 64
const LIMIT = 4

interface Context {
  readonly index: PassageIndex
  readonly intake: { readonly documents: readonly Document[]; readonly asker: ReturnAddress } | undefined
  readonly begun: number
  readonly underWay: number
}
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<object>; actorId: string }
type Event = EventsOf<typeof Retriever> | Done
type Given = { context: Context; event: Event }

function searchInput({ context, event }: Given) {
  assertEvent(event, 'search')
  return { index: context.index, query: event.query, limit: event.limit ?? LIMIT, to: event.from }
}

const types = {} as { context: Context; events: Event; input: { index: PassageIndex } }

const words = (actors: RetrieverWork) =>
  setup({
    types,
    actors: { digest: actors.digest, search: actors.search },
    guards: {
      // Who searches before anything is there waits for it, when it is on its way.
      canSearch: ({ context }) => context.underWay < UNDER_WAY_MAX && (context.index.size > 0 || context.intake === undefined),
      isEmpty: ({ context }) => context.index.size === 0,
    },
    actions: {
      settle: ({ event }) => settle((event as Done).output),
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      openIntake: assign((_, { documents, from }: { documents: readonly Document[]; from: ReturnAddress }) => ({ intake: { documents, asker: from } })),
      closeIntake: assign({ intake: undefined }),
      keep: ({ context: { index, intake } }, entries: readonly Entry[]) => {
        if (intake === undefined) return
        index.remove(intake.documents.map(({ id }) => id))
        index.put(entries)
        replyTo(intake.asker, { documents: intake.documents.length, passages: entries.length })
      },
      decline: ({ context }, { error }: { error: unknown }) => {
        if (context.intake !== undefined) refuseTo(context.intake.asker, error)
      },
      remove: ({ context }, { ids, from }: { ids: readonly string[]; from: ReturnAddress }) => replyTo(from, { removed: context.index.remove(ids) }),
    },
  })

export const retrieverChart = (actors: RetrieverWork) =>
  words(actors).createMachine({
    id: 'retriever',
    context: ({ input }) => ({ index: input.index, intake: undefined, begun: 0, underWay: 0 }),
    on: {
      search: { guard: 'canSearch', actions: [spawnChild('search', { id: ({ context }) => `work.${context.begun}`, input: searchInput }), 'begin'] },
      'xstate.done.actor.work.*': { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
    },
    initial: 'empty',
    states: {
      empty: {
        on: {
          add: { target: 'indexing', actions: { type: 'openIntake', params: ({ event }) => event } },
          remove: { actions: { type: 'remove', params: ({ event }) => event } },
        },
      },
      indexing: {
        invoke: {
          src: 'digest',
          input: ({ context }) => ({ documents: context.intake?.documents ?? [] }),
          onDone: { target: 'ready', actions: [{ type: 'keep', params: ({ event }) => event.output }, 'closeIntake'] },
          onError: { target: 'ready', actions: [{ type: 'decline', params: ({ event }) => event }, 'closeIntake'] },
        },
      },
      ready: {
        always: { guard: 'isEmpty', target: 'empty' },
        on: {
          add: { target: 'indexing', actions: { type: 'openIntake', params: ({ event }) => event } },
          remove: { actions: { type: 'remove', params: ({ event }) => event } },
        },
      },
    },
  })
