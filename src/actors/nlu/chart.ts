/** The life of `nlu`: cold, then ready, training now and then; what it is asked meanwhile the old head answers. */
import { assertEvent, assign, log, setup, spawnChild, stopChild } from 'xstate'
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { refuseTo, replyTo, settle, type Settled } from '../settled.js'
import type { Learnt, Lesson } from './learnt.js'
import type { Example, Nlu } from './protocol.js'
import type { NluWork, Source } from './work.js'

/** Parses and evaluations under way at once; the next wait in the mailbox. */
const UNDER_WAY_MAX = 64
/** Corrections that wait for the training under way to end; more wait in the mailbox. */
const CORRECTIONS_MAX = 1_000

interface Correction {
  readonly example: Example
  /** Who wants to know when it is learnt. */
  readonly asker: ReturnAddress | undefined
}
interface Context {
  readonly learnt: Learnt | undefined
  /** What is being learnt. */
  readonly source: Source | undefined
  /** Who asked for it; nobody, when the definition declared it or feedback led to it. */
  readonly asker: ReturnAddress | undefined
  /** Who gave the corrections that are being learnt. */
  readonly waiting: readonly ReturnAddress[]
  /** What the next training takes up. */
  readonly corrections: readonly Correction[]
  readonly begun: number
  readonly underWay: number
}
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<object>; actorId: string }
type Event = EventsOf<typeof Nlu> | Done

const nextId = ({ context }: { context: Context }): string => `work.${context.begun}`

function parseInput({ learnt }: Context, event: Event) {
  assertEvent(event, 'parse')
  return { message: event, learnt, to: event.from }
}

function evaluateInput({ learnt }: Context, event: Event) {
  assertEvent(event, 'evaluate')
  return { examples: event.examples, learnt, to: event.from }
}

function saveInput({ learnt }: Context, event: Event) {
  assertEvent(event, 'save')
  return { learnt, to: event.from }
}

/** The examples with the corrections in place of what they correct. */
function corrected(examples: Lesson, corrections: readonly Correction[]): Lesson {
  const texts = new Map(corrections.map(({ example }) => [example.text, example]))
  return [...examples.filter(({ text }) => !texts.has(text)), ...texts.values()]
}

/** The lesson, once those before it are learnt. */
const examplesOf = ({ learnt, source }: Context): Lesson => (source?.kind === 'examples' ? source.examples : (learnt?.memory.examples ?? []))

const types = {} as { context: Context; events: Event; input: { source: Source | undefined } }

const words = (actors: NluWork) =>
  setup({
    types,
    actors: { parse: actors.parse, evaluate: actors.evaluate, save: actors.save, learn: actors.learn },
    guards: {
      hasSource: ({ context }) => context.source !== undefined,
      wasAsked: ({ context }) => context.asker !== undefined,
      hasHead: ({ context }) => context.learnt !== undefined,
      hasCorrections: ({ context }) => context.corrections.length > 0,
      // A first head needs two intents; corrections gather until then.
      canLearn: ({ context }) => context.corrections.length > 0 && new Set(corrected(examplesOf(context), context.corrections).map(({ intent }) => intent)).size > 1,
      takesCorrections: ({ context }) => context.corrections.length < CORRECTIONS_MAX,
      // Who asks before there is a first head waits for it, when one is being trained.
      canAnswer: ({ context }) => context.underWay < UNDER_WAY_MAX && (context.learnt !== undefined || context.source === undefined),
    },
    actions: {
      settle: ({ event }) => settle((event as Done).output),
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      openLesson: assign((_, { examples, from }: { examples: Lesson; from: ReturnAddress }) => ({ source: { kind: 'examples' as const, examples, known: undefined }, asker: from })),
      openSaved: assign((_, { bytes, from }: { bytes: Uint8Array; from: ReturnAddress }) => ({ source: { kind: 'bytes' as const, bytes }, asker: from })),
      openCorrections: assign(({ context }) => ({
        source: { kind: 'examples' as const, examples: corrected(examplesOf(context), context.corrections), known: context.learnt },
        waiting: context.corrections.flatMap(({ asker }) => asker ?? []),
        corrections: [],
      })),
      noteCorrection: assign(({ context }, { text, intent, wait, from }: { text: string; intent: string; wait?: boolean; from: ReturnAddress }) => ({
        corrections: [...context.corrections, { example: { text, intent }, asker: wait === true ? from : undefined }],
      })),
      acknowledge: ({ context }, { wait, from }: { wait?: boolean; from: ReturnAddress }) => {
        if (wait !== true) replyTo(from, { examples: corrected(examplesOf(context), context.corrections).length, learnt: false })
      },
      takeUpHead: assign((_, learnt: Learnt) => ({ learnt })),
      closeLesson: assign({ source: undefined, asker: undefined, waiting: [] }),
      report: ({ context }, { trained }: Learnt) => {
        if (context.asker !== undefined) replyTo(context.asker, trained)
        for (const asker of context.waiting) replyTo(asker, { examples: trained.examples, learnt: true })
      },
      reportFailure: ({ context }, { error }: { error: unknown }) => {
        for (const asker of context.asker === undefined ? context.waiting : [context.asker, ...context.waiting]) refuseTo(asker, error)
      },
    },
  })

export const nluChart = (actors: NluWork) =>
  words(actors).createMachine({
    id: 'nlu',
    context: ({ input }) => ({ learnt: undefined, source: input.source, asker: undefined, waiting: [], corrections: [], begun: 0, underWay: 0 }),
    on: {
      parse: { guard: 'canAnswer', actions: [spawnChild('parse', { id: nextId, input: ({ context, event }) => parseInput(context, event) }), 'begin'] },
      evaluate: { guard: 'canAnswer', actions: [spawnChild('evaluate', { id: nextId, input: ({ context, event }) => evaluateInput(context, event) }), 'begin'] },
      save: { guard: 'canAnswer', actions: [spawnChild('save', { id: nextId, input: ({ context, event }) => saveInput(context, event) }), 'begin'] },
      feedback: { guard: 'takesCorrections', actions: [{ type: 'noteCorrection', params: ({ event }) => event }, { type: 'acknowledge', params: ({ event }) => event }] },
      'xstate.done.actor.work.*': { actions: ['settle', stopChild(({ event }) => event.actorId), 'finish'] },
    },
    initial: 'cold',
    states: {
      cold: {
        always: [
          { guard: 'hasSource', target: 'training' },
          { guard: 'canLearn', target: 'training', actions: 'openCorrections' },
        ],
        on: {
          train: { target: 'training', actions: { type: 'openLesson', params: ({ event }) => event } },
          load: { target: 'training', actions: { type: 'openSaved', params: ({ event }) => event } },
        },
      },
      ready: {
        always: { guard: 'hasCorrections', target: 'training', actions: 'openCorrections' },
        on: {
          train: { target: 'training', actions: { type: 'openLesson', params: ({ event }) => event } },
          load: { target: 'training', actions: { type: 'openSaved', params: ({ event }) => event } },
        },
      },
      training: {
        invoke: {
          src: 'learn',
          input: ({ context }) => context.source ?? { kind: 'examples', examples: [], known: undefined },
          onDone: { target: 'ready', actions: [{ type: 'takeUpHead', params: ({ event }) => event.output }, { type: 'report', params: ({ event }) => event.output }, 'closeLesson'] },
          onError: [
            { guard: 'hasHead', target: 'ready', actions: [{ type: 'reportFailure', params: ({ event }) => event }, 'closeLesson'] },
            { guard: 'wasAsked', target: 'cold', actions: [{ type: 'reportFailure', params: ({ event }) => event }, 'closeLesson'] },
            { target: 'cold', actions: [log(({ event }) => event.error, 'cannot learn:'), { type: 'reportFailure', params: ({ event }) => event }, 'closeLesson'] },
          ],
        },
      },
    },
  })
