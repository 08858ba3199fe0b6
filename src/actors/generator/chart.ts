/** The life of `generator`: idle ⇄ generating, a bounded number of texts at once. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { settle, type Settled } from '../settled.js'
import type { Generator } from './protocol.js'
import type { GeneratorWork, Wish } from './work.js'

/** The sequences of one decode step; more would only wait inside the model host. */
const UNDER_WAY_MAX = 8

interface Context {
  readonly begun: number
  readonly underWay: number
}
type Written = { type: 'xstate.done.actor.write.n'; actorId: string } | { type: 'xstate.error.actor.write.n'; actorId: string }
type Settling = { type: 'xstate.done.actor.work.n'; output: Settled<object>; actorId: string }
type Event = EventsOf<typeof Generator> | Written | Settling
type Given = { event: Event }

function writeInput({ event }: Given): { wish: Wish; into: ReturnAddress } {
  assertEvent(event, ['answer', 'chat', 'complete'])
  switch (event.type) {
    case 'answer':
      return { wish: { kind: 'chat', chat: { messages: [{ role: 'user', content: event.question }], passages: event.passages } }, into: event.from }
    case 'chat':
      return { wish: { kind: 'chat', chat: event }, into: event.from }
    case 'complete':
      return { wish: { kind: 'complete', complete: event }, into: event.from }
  }
}
function summariseInput({ event }: Given) {
  assertEvent(event, 'summarise')
  return { text: event.text, maxTokens: event.maxTokens, to: event.from }
}
function translateInput({ event }: Given) {
  assertEvent(event, 'translate')
  return { text: event.text, targetLanguage: event.targetLanguage, sourceLanguage: event.sourceLanguage, maxTokens: event.maxTokens, to: event.from }
}

const types = {} as { context: Context; events: Event }

const words = (actors: GeneratorWork) =>
  setup({
    types,
    actors: { write: actors.write, summarise: actors.summarise, translate: actors.translate },
    guards: {
      hasRoom: ({ context }) => context.underWay < UNDER_WAY_MAX,
      isLast: ({ context }) => context.underWay === 1,
    },
    actions: {
      settle: ({ event }) => settle((event as Settling).output),
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
    },
  })

const writeId = ({ context }: { context: Context }): string => `write.${context.begun}`
const workId = ({ context }: { context: Context }): string => `work.${context.begun}`

export const generatorChart = (actors: GeneratorWork) =>
  words(actors).createMachine({
    id: 'generator',
    context: { begun: 0, underWay: 0 },
    on: {
      answer: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('write', { id: writeId, input: writeInput }), 'begin'] },
      chat: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('write', { id: writeId, input: writeInput }), 'begin'] },
      complete: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('write', { id: writeId, input: writeInput }), 'begin'] },
      summarise: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('summarise', { id: workId, input: summariseInput }), 'begin'] },
      translate: { guard: 'hasRoom', target: '.generating', actions: [spawnChild('translate', { id: workId, input: translateInput }), 'begin'] },
    },
    initial: 'idle',
    states: {
      idle: {},
      generating: {
        on: {
          // One that failed, or whose reader left, has told its reader; here it only makes room.
          'xstate.done.actor.write.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
          'xstate.error.actor.write.*': [
            { guard: 'isLast', target: 'idle', actions: [stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [stopChild(({ event }) => event.actorId), 'finish'] },
          ],
          'xstate.done.actor.work.*': [
            { guard: 'isLast', target: 'idle', actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
          ],
        },
      },
    },
  })
