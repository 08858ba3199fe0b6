/** The life of `audio`: idle ⇄ working, a bounded number of sounds at once. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf } from '../../runtime/index.js'
import { settle, type Settled } from '../settled.js'
import type { Audio } from './protocol.js'
import type { AudioWork } from './work.js'

/** Sounds under way at once; the next wait in the mailbox, packed. */
const UNDER_WAY_MAX = 8

interface Context {
  readonly begun: number
  readonly underWay: number
}
type Answered = { type: 'xstate.done.actor.answer.n'; output: Settled<object>; actorId: string }
type Streamed = { type: 'xstate.done.actor.stream.n' | 'xstate.error.actor.stream.n'; actorId: string }
type Event = EventsOf<typeof Audio> | Answered | Streamed

const answerId = ({ context }: { context: Context }): string => `answer.${context.begun}`
const streamId = ({ context }: { context: Context }): string => `stream.${context.begun}`

function hearInput({ event }: { event: Event }) {
  assertEvent(event, ['detect', 'transcribe', 'embed'])
  return { audio: event.audio, language: event.type === 'transcribe' ? event.language : undefined, to: event.from }
}

function streamInput({ event }: { event: Event }) {
  assertEvent(event, ['listen', 'dictate'])
  return { audio: event.audio, language: event.type === 'dictate' ? event.language : undefined, into: event.from }
}

function speakInput({ event }: { event: Event }) {
  assertEvent(event, 'speak')
  return { text: event.text, voice: event.voice, blob: event.blob ?? false, to: event.from }
}

function extractInput({ event }: { event: Event }) {
  assertEvent(event, 'extract')
  return { video: event.video, blob: event.blob ?? false, to: event.from }
}

const types = {} as { context: Context; events: Event }

const words = (actors: AudioWork) =>
  setup({
    types,
    actors: { detect: actors.detect, listen: actors.listen, transcribe: actors.transcribe, dictate: actors.dictate, speak: actors.speak, embed: actors.embed, extract: actors.extract },
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

export const audioChart = (actors: AudioWork) =>
  words(actors).createMachine({
    id: 'audio',
    context: { begun: 0, underWay: 0 },
    on: {
      detect: { guard: 'hasRoom', target: '.working', actions: [spawnChild('detect', { id: answerId, input: hearInput }), 'begin'] },
      listen: { guard: 'hasRoom', target: '.working', actions: [spawnChild('listen', { id: streamId, input: streamInput }), 'begin'] },
      transcribe: { guard: 'hasRoom', target: '.working', actions: [spawnChild('transcribe', { id: answerId, input: hearInput }), 'begin'] },
      dictate: { guard: 'hasRoom', target: '.working', actions: [spawnChild('dictate', { id: streamId, input: streamInput }), 'begin'] },
      speak: { guard: 'hasRoom', target: '.working', actions: [spawnChild('speak', { id: answerId, input: speakInput }), 'begin'] },
      embed: { guard: 'hasRoom', target: '.working', actions: [spawnChild('embed', { id: answerId, input: hearInput }), 'begin'] },
      extract: { guard: 'hasRoom', target: '.working', actions: [spawnChild('extract', { id: answerId, input: extractInput }), 'begin'] },
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
