/** The life of a conversation: idle, then each turn through understanding and retrieving to an answer, a reply or a no. */
import { assign, setup } from 'xstate'
import { TroupeError, type EventsOf, type ReturnAddress } from '../../runtime/index.js'
import type { Said } from '../perception/heard.js'
import type { Understood } from '../perception/understanding.js'
import type { Passage } from '../retriever/protocol.js'
import { refuseTo } from '../settled.js'
import type { Dialogue } from './protocol.js'
import { queryOf, type Exchange, type Turn } from './turn.js'
import type { DialogueWork } from './work.js'

/** Exchanges that a conversation remembers; older ones are forgotten. */
const HISTORY_MAX = 10
/** What the generator reads at once. */
const PASSAGES = 4

/** When a turn goes which way. */
export interface Thresholds {
  /** Intents that have a declared reply. */
  readonly replies: ReadonlySet<string>
  /** From this score, such an intent is replied to without a search. */
  readonly replyMin: number
  /** Below this score of the best passage, the sources do not answer. */
  readonly answerMin: number
}

interface Context {
  readonly turn: Turn
  readonly history: readonly Exchange[]
}
type Event = EventsOf<typeof Dialogue>

const NOBODY: Turn = { text: '', asker: { address: '', ask: 0 } }
const speech = ({ context }: { context: Context }) => ({ turn: context.turn, into: context.turn.asker })
const refuseTurn = ({ turn }: Context, error: unknown): void => {
  if (turn !== NOBODY) refuseTo(turn.asker, error)
}

const types = {} as { context: Context; events: Event }

const words = (actors: DialogueWork, { replies, replyMin, answerMin }: Thresholds) =>
  setup({
    types,
    actors: { understand: actors.understand, search: actors.search, answer: actors.answer, reply: actors.reply, decline: actors.decline },
    guards: {
      isSmallTalk: (_, { parsed: { intents, outOfScope } }: Understood) => !outOfScope && intents[0] !== undefined && intents[0].score >= replyMin && replies.has(intents[0].name),
      isAnswerable: (_, { passages }: { readonly passages: readonly Passage[] }) => passages[0] !== undefined && passages[0].score >= answerMin,
    },
    actions: {
      open: assign((_, { text, parts, from }: Said & { from: ReturnAddress }) => ({ turn: { text, parts, asker: from } })),
      // The parts are text from here on, and need not be kept.
      noteMeaning: assign(({ context }, { text, parsed }: Understood) => ({ turn: { ...context.turn, text, parts: undefined, parsed } })),
      notePassages: assign(({ context }, { passages }: { readonly passages: readonly Passage[] }) => ({ turn: { ...context.turn, passages } })),
      // A stream that its reader left has no outcome.
      remember: assign(({ context }, said: string) => ({ turn: NOBODY, history: [...context.history, { user: context.turn.text, actor: (said as string | undefined) ?? '' }].slice(-HISTORY_MAX) })),
      close: assign({ turn: NOBODY }),
      fail: ({ context }, { error }: { error: unknown }) => refuseTurn(context, error),
      drop: ({ context }) => refuseTurn(context, new TroupeError('Cancelled', 'the conversation was reset', 'say it again', { reason: 'caller' })),
      forget: assign({ turn: NOBODY, history: [] }),
    },
  })

export const dialogueChart = (actors: DialogueWork, thresholds: Thresholds) =>
  words(actors, thresholds).createMachine({
    id: 'dialogue',
    context: { turn: NOBODY, history: [] },
    on: { reset: { target: '.idle', actions: ['drop', 'forget'] } },
    initial: 'idle',
    states: {
      idle: {
        on: { say: { target: 'understanding', actions: { type: 'open', params: ({ event }) => event } } },
      },
      understanding: {
        invoke: {
          src: 'understand',
          input: ({ context }) => ({ text: context.turn.text, parts: context.turn.parts }),
          onDone: [
            { guard: { type: 'isSmallTalk', params: ({ event }) => event.output }, target: 'replying', actions: { type: 'noteMeaning', params: ({ event }) => event.output } },
            { target: 'retrieving', actions: { type: 'noteMeaning', params: ({ event }) => event.output } },
          ],
          onError: { target: 'idle', actions: [{ type: 'fail', params: ({ event }) => event }, 'close'] },
        },
      },
      retrieving: {
        invoke: {
          src: 'search',
          input: ({ context }) => ({ query: queryOf(context.turn.text, context.history), limit: PASSAGES }),
          onDone: [
            { guard: { type: 'isAnswerable', params: ({ event }) => event.output }, target: 'answering', actions: { type: 'notePassages', params: ({ event }) => event.output } },
            { target: 'declining', actions: { type: 'notePassages', params: ({ event }) => event.output } },
          ],
          onError: { target: 'idle', actions: [{ type: 'fail', params: ({ event }) => event }, 'close'] },
        },
      },
      // The streams below have told their reader how they failed; here the conversation only goes on.
      answering: {
        invoke: { src: 'answer', input: speech, onDone: { target: 'idle', actions: { type: 'remember', params: ({ event }) => event.output } }, onError: { target: 'idle', actions: 'close' } },
      },
      replying: {
        invoke: { src: 'reply', input: speech, onDone: { target: 'idle', actions: { type: 'remember', params: ({ event }) => event.output } }, onError: { target: 'idle', actions: 'close' } },
      },
      declining: {
        invoke: { src: 'decline', input: speech, onDone: { target: 'idle', actions: { type: 'remember', params: ({ event }) => event.output } }, onError: { target: 'idle', actions: 'close' } },
      },
    },
  })
