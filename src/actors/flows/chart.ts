/** The life of a conversation: it waits in one of six ways; what the user says is understood, acted on and answered. */
import { assign, setup } from 'xstate'
import { publish, tell as tellTo, TroupeError, type EventsOf, type ReturnAddress } from '../../runtime/index.js'
import type { Part } from '../parts.js'
import type { Said } from '../perception/heard.js'
import type { Understood } from '../perception/understanding.js'
import { refuseTo, replyTo } from '../settled.js'
import { decide, type Manner } from './decide.js'
import type { Result } from './flow.js'
import type { Flows } from './protocol.js'
import { atHand, leave, NOTHING_SAID, proceed, tell, textsOf, type Declared, type Next, type Phase, type Talk } from './talk.js'
import { worded } from './texts.js'
import { lineOf, standingOf, type FlowsWork } from './work.js'

/** What a conversation is made with. */
export interface Settings {
  readonly declared: Declared
  readonly manner: Manner
  readonly topic: string
  /** Silence before each reminder, and after the last one before the conversation closes. */
  readonly remindAfterMs: number
  readonly reminders: number
}
interface Context {
  readonly conversation: string
  readonly talk: Talk
  readonly says: readonly string[]
  /** What the user said just now, and who waits for the answer. */
  readonly text: string
  /** Images and sounds beside it, until they are text too. */
  readonly parts: readonly Part[] | undefined
  readonly asker: ReturnAddress | undefined
  readonly passedTo: Next['passedTo']
  readonly left: Next['left']
  readonly reminded: number
}
type Event = EventsOf<typeof Flows>

const types = {} as { context: Context; events: Event; input: { conversation: string } }

const noted = ({ talk, says, passedTo, left }: Next) => ({ talk, says, passedTo, left })

/** What the action gave, as it can be said: its fields, or itself. */
const sayable = (result: Result): Readonly<Record<string, unknown>> => (typeof result === 'object' && result !== null ? result : { result: result ?? '' })

function finished(declared: Declared, talk: Talk, outcome: { readonly result: Result } | 'failed'): Next {
  const hand = atHand(declared, talk)
  if (hand === undefined) return proceed(declared, talk)
  const said = outcome === 'failed' ? (hand.flow.failed ?? declared.texts.failed) : hand.flow.done
  return leave(declared, talk, [worded(said, talk.language, { ...textsOf(hand.open), ...(outcome !== 'failed' && sayable(outcome.result)) })])
}

/** Says something that nobody asked for just now. */
const saying = (topic: string, by: 'troupe' | 'human', words: (context: Context, event: Event) => string) =>
  publish(({ context }: { context: Context }) => `${topic}.${context.conversation}`, ({ context, event }: { context: Context; event: Event }) => ({ type: 'said', conversation: context.conversation, by, text: words(context, event) }))

const isIn = (phase: Phase) => ({ context }: { context: Context }) => context.talk.phase === phase
const toPhase = (talk: Talk, phase: Phase): Talk => ({ ...talk, phase })

const words = (actors: FlowsWork, { declared, manner, topic, remindAfterMs, reminders }: Settings) =>
  setup({
    types,
    actors: { understand: actors.understand, act: actors.act, speak: actors.speak },
    delays: { silence: remindAfterMs },
    guards: {
      isActing: isIn('acting'),
      isCollecting: isIn('collecting'),
      isConfirming: isIn('confirming'),
      isChoosing: isIn('choosing'),
      isHandedOver: isIn('handed-over'),
      hasPatience: ({ context }) => context.reminded < reminders,
    },
    actions: {
      open: assign((_, { text, parts, from }: Said & { from: ReturnAddress }) => ({ text, parts, asker: from, reminded: 0 })),
      decide: assign(({ context }, { text, parsed }: Understood) => ({ ...noted(decide(declared, manner, context.talk, { ...parsed, text })), text, parts: undefined })),
      // A chart that led a flow which the user left need not wait for more.
      letGo({ context, event }) {
        const led = context.left === undefined ? undefined : declared.flows.get(context.left)?.chart?.(context.conversation)
        if (led !== undefined) tellTo(led, { type: 'reset' })({ context, event }, undefined)
      },
      finish: assign(({ context }, { output }: { output: Result }) => noted(finished(declared, context.talk, { result: output }))),
      finishFailed: assign(({ context }) => noted(finished(declared, context.talk, 'failed'))),
      // A stream that its reader left has no outcome.
      stand: assign(({ context }, talk: Talk | undefined) => ({ talk: talk ?? context.talk })),
      close: assign({ asker: undefined, says: [], passedTo: undefined }),
      fail: ({ context }, { error }: { error: unknown }) => context.asker !== undefined && refuseTo(context.asker, error),
      drop: ({ context }) => context.asker !== undefined && refuseTo(context.asker, new TroupeError('Cancelled', 'the conversation was reset', 'say it again', { reason: 'caller' })),
      forget: assign({ talk: NOTHING_SAID, says: [], asker: undefined, passedTo: undefined, left: undefined, reminded: 0 }),
      remind: saying(topic, 'troupe', ({ talk }) => lineOf([tell(declared, talk, 'reminder'), talk.said], talk)),
      countReminder: assign({ reminded: ({ context }) => context.reminded + 1 }),
      sayGoodbye: saying(topic, 'troupe', ({ talk }) => tell(declared, talk, 'closed')),
      end: assign({ talk: ({ context }) => ({ ...NOTHING_SAID, language: context.talk.language, phase: 'closed' as const }), reminded: 0 }),
      passOn: publish(({ context }: { context: Context }) => `${topic}.${context.conversation}`, ({ context }: { context: Context }) => ({ type: 'waiting', conversation: context.conversation, text: context.text })),
      hush: assign({ says: [], passedTo: undefined }),
      giveToHuman: assign({ talk: ({ context }) => toPhase(context.talk, 'handed-over') }),
      sayForHuman: saying(topic, 'human', (_, event) => (event.type === 'answer' ? event.text : '')),
      takeBack: assign(({ context }) => noted(proceed(declared, { ...context.talk, misses: 0 }))),
      sayBack: saying(topic, 'troupe', ({ says, talk }) => lineOf([tell(declared, talk, 'handedBack'), ...says], talk)),
      report: ({ context, event }) => replyTo(event.from, standingOf(declared, context.talk)),
    },
  })

const listening = { say: { target: 'understanding', actions: { type: 'open', params: ({ event }: { event: Said & { from: ReturnAddress } }) => event } }, takeOver: { target: 'handedOver', actions: 'giveToHuman' } } as const

/** Silence while the user is asked something: a reminder, then the end. */
const patient = <const Own extends string>(target: Own) =>
  ({
    on: listening,
    after: { silence: [{ guard: 'hasPatience', target, reenter: true, actions: ['remind', 'countReminder'] }, { target: 'closed', actions: ['sayGoodbye', 'end'] }] },
  }) as const

export const flowsChart = (actors: FlowsWork, settings: Settings) =>
  words(actors, settings).createMachine({
    id: 'flows',
    context: ({ input }) => ({ conversation: input.conversation, talk: NOTHING_SAID, says: [], text: '', parts: undefined, asker: undefined, passedTo: undefined, left: undefined, reminded: 0 }),
    on: { reset: { target: '.idle', actions: ['drop', 'forget'] }, status: { actions: 'report' }, answer: {}, handBack: {} },
    initial: 'idle',
    states: {
      idle: { on: listening },
      collecting: patient('collecting'),
      confirming: patient('confirming'),
      choosing: patient('choosing'),
      understanding: {
        invoke: {
          src: 'understand',
          input: ({ context }) => ({ text: context.text, parts: context.parts }),
          onDone: { target: 'deciding', actions: [{ type: 'decide', params: ({ event }) => event.output }, 'letGo'] },
          onError: { target: 'resting', actions: [{ type: 'fail', params: ({ event }) => event }, 'close'] },
        },
      },
      deciding: { always: [{ guard: 'isActing', target: 'acting' }, { guard: 'isHandedOver', target: 'answering', actions: 'passOn' }, { target: 'answering' }] },
      acting: {
        invoke: {
          src: 'act',
          input: ({ context }) => ({ talk: context.talk }),
          onDone: { target: 'deciding', actions: { type: 'finish', params: ({ event }) => event } },
          onError: { target: 'deciding', actions: 'finishFailed' },
        },
      },
      // The stream has told its reader how it failed; here the conversation only goes on.
      answering: {
        invoke: {
          src: 'speak',
          input: ({ context }) => ({ into: context.asker as ReturnAddress, talk: context.talk, says: context.says, text: context.text, passedTo: context.passedTo, conversation: context.conversation }),
          onDone: { target: 'resting', actions: [{ type: 'stand', params: ({ event }) => event.output }, 'close'] },
          onError: { target: 'resting', actions: 'close' },
        },
      },
      resting: {
        always: [
          { guard: 'isCollecting', target: 'collecting' },
          { guard: 'isConfirming', target: 'confirming' },
          { guard: 'isChoosing', target: 'choosing' },
          { guard: 'isHandedOver', target: 'handedOver' },
          { target: 'idle' },
        ],
      },
      handedOver: {
        on: {
          say: { target: 'answering', actions: [{ type: 'open', params: ({ event }) => event }, 'hush', 'passOn'] },
          answer: { actions: 'sayForHuman' },
          handBack: { target: 'resting', actions: ['takeBack', 'sayBack', 'hush'] },
        },
      },
      closed: { on: listening },
    },
  })
