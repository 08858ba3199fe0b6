/** The life of `image`: idle ⇄ working, a bounded number of images at once. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf } from '../../runtime/index.js'
import { settle, type Settled } from '../settled.js'
import type { Image } from './protocol.js'
import type { ImageWork } from './work.js'

/** Images under way at once; the next wait in the mailbox, packed. */
const UNDER_WAY_MAX = 8

interface Context {
  readonly begun: number
  readonly underWay: number
}
type Answered = { type: 'xstate.done.actor.answer.n'; output: Settled<object>; actorId: string }
type Streamed = { type: 'xstate.done.actor.stream.n' | 'xstate.error.actor.stream.n'; actorId: string }
type Event = EventsOf<typeof Image> | Answered | Streamed

const answerId = ({ context }: { context: Context }): string => `answer.${context.begun}`

function imageInput({ event }: { event: Event }) {
  assertEvent(event, ['read', 'classify', 'caption', 'embed'])
  return { image: event.image, top: event.type === 'classify' ? event.top : undefined, maxTokens: event.type === 'caption' ? event.maxTokens : undefined, to: event.from }
}

function framesInput({ event }: { event: Event }) {
  assertEvent(event, 'frames')
  return { video: event.video, everyMs: event.everyMs, framesMax: event.framesMax, into: event.from }
}

const types = {} as { context: Context; events: Event }

const words = (actors: ImageWork) =>
  setup({
    types,
    actors: { read: actors.read, classify: actors.classify, caption: actors.caption, embed: actors.embed, frames: actors.frames },
    guards: {
      hasRoom: ({ context }) => context.underWay < UNDER_WAY_MAX,
      isLast: ({ context }) => context.underWay === 1,
    },
    actions: {
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      settle: ({ event }) => settle((event as Answered).output),
    },
  })

export const imageChart = (actors: ImageWork) =>
  words(actors).createMachine({
    id: 'image',
    context: { begun: 0, underWay: 0 },
    on: {
      read: { guard: 'hasRoom', target: '.working', actions: [spawnChild('read', { id: answerId, input: imageInput }), 'begin'] },
      classify: { guard: 'hasRoom', target: '.working', actions: [spawnChild('classify', { id: answerId, input: imageInput }), 'begin'] },
      caption: { guard: 'hasRoom', target: '.working', actions: [spawnChild('caption', { id: answerId, input: imageInput }), 'begin'] },
      embed: { guard: 'hasRoom', target: '.working', actions: [spawnChild('embed', { id: answerId, input: imageInput }), 'begin'] },
      frames: { guard: 'hasRoom', target: '.working', actions: [spawnChild('frames', { id: ({ context }) => `stream.${context.begun}`, input: framesInput }), 'begin'] },
    },
    initial: 'idle',
    states: {
      idle: {},
      working: {
        on: {
          'xstate.done.actor.answer.*': [
            { guard: 'isLast', target: 'idle', actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
          ],
          // A stream that failed, or whose reader left, has told its reader; here it only makes room.
          'xstate.done.actor.stream.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
          'xstate.error.actor.stream.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
        },
      },
    },
  })
