/** The life of `nlu`: cold, then ready, training now and then; what it is asked meanwhile the old head answers. */
import { assertEvent, assign, log, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { refuseTo, replyTo, settle, type Settled } from '../settled.js'
import type { Head } from './head.js'
import type { Nlu } from './protocol.js'
import type { Learnt, Lesson, NluWork } from './work.js'

/** Parses and evaluations under way at once; the next wait in the mailbox. */
const UNDER_WAY_MAX = 64

interface Context {
  readonly head: Head | undefined
  /** What is being learnt. */
  readonly lesson: Lesson | undefined
  /** Who asked for it; nobody, when the definition declared it. */
  readonly asker: ReturnAddress | undefined
  readonly begun: number
  readonly underWay: number
}
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<object>; actorId: string }

type Event = EventsOf<typeof Nlu> | Done

const nextId = ({ context }: { context: Context }): string => `work.${context.begun}`

function parseInput({ head }: Context, event: Event) {
  assertEvent(event, 'parse')
  return { text: event.text, vector: event.vector ?? false, head, to: event.from }
}

function evaluateInput({ head }: Context, event: Event) {
  assertEvent(event, 'evaluate')
  return { examples: event.examples, head, to: event.from }
}

const types = {} as { context: Context; events: Event; input: { lesson: Lesson | undefined } }

const words = (actors: NluWork) =>
  setup({
    types,
    actors: { parse: actors.parse, evaluate: actors.evaluate, learn: actors.learn },
    guards: {
      hasLesson: ({ context }) => context.lesson !== undefined,
      wasAsked: ({ context }) => context.asker !== undefined,
      hasHead: ({ context }) => context.head !== undefined,
      // Who asks before there is a first head waits for it, when one is being trained.
      canAnswer: ({ context }) => context.underWay < UNDER_WAY_MAX && (context.head !== undefined || context.lesson === undefined),
    },
    actions: {
      settle: ({ event }) => settle((event as Done).output),
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      openLesson: assign((_, { examples, from }: { examples: Lesson; from: ReturnAddress }) => ({ lesson: examples, asker: from })),
      takeUpHead: assign((_, { head }: Learnt) => ({ head })),
      closeLesson: assign({ lesson: undefined, asker: undefined }),
      report: ({ context }, { trained }: Learnt) => {
        if (context.asker !== undefined) replyTo(context.asker, trained)
      },
      reportFailure: ({ context }, { error }: { error: unknown }) => {
        if (context.asker !== undefined) refuseTo(context.asker, error)
      },
    },
  })

export const nluChart = (actors: NluWork) =>
  words(actors).createMachine({
    id: 'nlu',
    context: ({ input }) => ({ head: undefined, lesson: input.lesson, asker: undefined, begun: 0, underWay: 0 }),
    on: {
      parse: { guard: 'canAnswer', actions: [spawnChild('parse', { id: nextId, input: ({ context, event }) => parseInput(context, event) }), 'begin'] },
      evaluate: { guard: 'canAnswer', actions: [spawnChild('evaluate', { id: nextId, input: ({ context, event }) => evaluateInput(context, event) }), 'begin'] },
      'xstate.done.actor.work.*': { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
    },
    initial: 'cold',
    states: {
      cold: {
        always: { guard: 'hasLesson', target: 'training' },
        on: { train: { target: 'training', actions: { type: 'openLesson', params: ({ event }) => event } } },
      },
      ready: {
        on: { train: { target: 'training', actions: { type: 'openLesson', params: ({ event }) => event } } },
      },
      training: {
        invoke: {
          src: 'learn',
          input: ({ context }) => ({ examples: context.lesson ?? [] }),
          onDone: { target: 'ready', actions: [{ type: 'takeUpHead', params: ({ event }) => event.output }, { type: 'report', params: ({ event }) => event.output }, 'closeLesson'] },
          onError: [
            { guard: 'hasHead', target: 'ready', actions: [{ type: 'reportFailure', params: ({ event }) => event }, 'closeLesson'] },
            { guard: 'wasAsked', target: 'cold', actions: [{ type: 'reportFailure', params: ({ event }) => event }, 'closeLesson'] },
            { target: 'cold', actions: [log(({ event }) => event.error, 'cannot learn the declared examples:'), 'closeLesson'] },
          ],
        },
      },
    },
  })
