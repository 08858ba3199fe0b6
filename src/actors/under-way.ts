/** A chart for actors that only answer: idle ⇄ working, a bounded number of requests under way, each an effect of its own. */
import { assign, setup, spawnChild, stopChild, type AnyActorLogic, type AnyEventObject, type AnyStateMachine } from 'xstate'
import { settle, type Settled } from './settled.js'

/** How one message of a protocol is answered. */
export interface Way {
  /** The outcome of an `answer` is handed to its asker; a `stream` tells its reader itself. */
  readonly kind: 'answer' | 'stream'
  readonly effect: AnyActorLogic
  /** From the message to what the effect takes. */
  readonly input: (event: never) => unknown
}

interface Context {
  readonly begun: number
  readonly underWay: number
}
type Given = { readonly event: AnyEventObject }
type Ended = AnyEventObject & { readonly actorId: string; readonly output: Settled<object> }

const types = {} as { context: Context; events: AnyEventObject }
const idOf = ({ event }: Given): string => (event as Ended).actorId

/** `ways` by the type of the message; while `max` are under way the next wait in the mailbox, packed. */
export function underWayChart(id: string, ways: Readonly<Record<string, Way>>, max: number): AnyStateMachine {
  const each = <T>(of: (type: string, way: Way) => T): Record<string, T> => Object.fromEntries(Object.entries(ways).map(([type, way]) => [type, of(type, way)]))
  return setup({
    types,
    actors: each((_, { effect }) => effect),
    guards: {
      hasRoom: ({ context }) => context.underWay < max,
      isLast: ({ context }) => context.underWay === 1,
    },
    actions: {
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      settle: ({ event }) => settle((event as Ended).output),
    },
  }).createMachine({
    id,
    context: { begun: 0, underWay: 0 },
    on: each((type, { kind, input }) => ({
      guard: 'hasRoom' as const,
      target: '.working',
      actions: [spawnChild(type, { id: ({ context }: { context: Context }) => `${kind}.${context.begun}`, input: ({ event }: Given) => input(event as never) }), 'begin' as const],
    })),
    initial: 'idle',
    states: {
      idle: {},
      working: {
        on: {
          'xstate.done.actor.answer.*': [
            { guard: 'isLast', target: 'idle', actions: ['settle', stopChild(idOf), 'finish'] },
            { actions: ['settle', stopChild(idOf), 'finish'] },
          ],
          // A stream that failed, or whose reader left, has told its reader; here it only makes room.
          'xstate.done.actor.stream.*': [{ guard: 'isLast', target: 'idle', actions: [stopChild(idOf), 'finish'] }, { actions: [stopChild(idOf), 'finish'] }],
          'xstate.error.actor.stream.*': [{ guard: 'isLast', target: 'idle', actions: [stopChild(idOf), 'finish'] }, { actions: [stopChild(idOf), 'finish'] }],
        },
      },
    },
  })
}
