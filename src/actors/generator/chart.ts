/** The life of `generator`: idle ⇄ generating, a bounded number of answers at once. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf } from '../../runtime/index.js'
import type { Generator } from './protocol.js'
import type { GeneratorWork } from './work.js'

/** The sequences of one decode step; more would only wait inside the model host. */
const UNDER_WAY_MAX = 8

interface Context {
  readonly begun: number
  readonly underWay: number
}
type Ended = { type: 'xstate.done.actor.answer.n'; actorId: string } | { type: 'xstate.error.actor.answer.n'; actorId: string }
type Event = EventsOf<typeof Generator> | Ended

function answerInput({ event }: { event: Event }) {
  assertEvent(event, 'answer')
  return { question: event.question, passages: event.passages, into: event.from }
}

const types = {} as { context: Context; events: Event }

const words = (actors: GeneratorWork) =>
  setup({
    types,
    actors: { answer: actors.answer },
    guards: {
      hasRoom: ({ context }) => context.underWay < UNDER_WAY_MAX,
      isLast: ({ context }) => context.underWay === 1,
    },
    actions: {
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
    },
  })

export const generatorChart = (actors: GeneratorWork) =>
  words(actors).createMachine({
    id: 'generator',
    context: { begun: 0, underWay: 0 },
    on: {
      answer: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('answer', { id: ({ context }) => `answer.${context.begun}`, input: answerInput }), 'begin'] },
    },
    initial: 'idle',
    states: {
      idle: {},
      generating: {
        on: {
          // One that failed, or whose reader left, has told its reader; here it only makes room.
          'xstate.done.actor.answer.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
          'xstate.error.actor.answer.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
        },
      },
    },
  })
