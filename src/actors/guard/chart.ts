/** The life of `guard`: it learns what to look for, then watches; when it cannot learn it lets nothing through. */
import { assertEvent, assign, setup, spawnChild, stopChild } from 'xstate'
import { publish, TroupeError, type EventsOf, type ReturnAddress } from '../../runtime/index.js'
import { refuseTo, replyTo, type Settled } from '../settled.js'
import { judge, type Looked } from './judge.js'
import type { Guard, GuardVerdict } from './protocol.js'
import { unmasked, without, type Vault } from './vault.js'
import type { GuardWork, Learnt } from './work.js'

/** Texts that are looked at at once; the next wait in the mailbox. */
const UNDER_WAY_MAX = 64
/** How soon it tries to learn again. */
const AGAIN_MS = 10_000

/** Whether an address may have back what was taken out of a conversation. */
export type MayUnmask = (address: string, conversation: string) => boolean

interface Context {
  readonly learnt: Learnt
  readonly vault: Vault
  readonly begun: number
  readonly underWay: number
  /** Why it could not learn. */
  readonly error: unknown
  readonly outcome: Outcome | undefined
}
interface Outcome {
  readonly to: ReturnAddress
  readonly looked: Looked
  readonly verdict: GuardVerdict
}
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<Looked>; actorId: string }
type Event = EventsOf<typeof Guard> | Done

const NOTHING: Learnt = { known: { attacks: [], ordinary: [] }, topics: undefined }
const types = {} as { context: Context; events: Event }

function lookInput({ context, event }: { context: Context; event: Event }) {
  assertEvent(event, 'check')
  const { from, ...message } = event
  return { message, learnt: context.learnt, to: from }
}

const blind = ({ error }: Context): TroupeError => new TroupeError('ModelFailed', 'the guard could not learn what attacks are like, so it lets nothing through', 'see the cause; it tries again every 10 s', {}, error)

const words = (actors: GuardWork, mayUnmask: MayUnmask) =>
  setup({
    types,
    actors: { learn: actors.learn, look: actors.look },
    delays: { again: AGAIN_MS },
    guards: {
      hasRoom: ({ context }) => context.underWay < UNDER_WAY_MAX,
      mayUnmask: (_, { from, conversation }: { from: ReturnAddress; conversation: string }) => mayUnmask(from.address, conversation),
      hasLooked: (_, { ok }: Settled<Looked>) => ok,
    },
    actions: {
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      judge: assign(({ context }, settled: Settled<Looked>) => {
        if (!settled.ok) return {}
        const { vault, verdict } = judge(context.vault, settled.value)
        return { vault, outcome: { to: settled.to, looked: settled.value, verdict } }
      }),
      answer: ({ context }) => {
        if (context.outcome !== undefined) replyTo(context.outcome.to, context.outcome.verdict)
      },
      tellOf: ({ context: { outcome } }) => {
        if (outcome === undefined || outcome.verdict.verdict === 'allow') return
        const { verdict, reasons } = outcome.verdict
        publish('guard', { type: 'judged', verdict, direction: outcome.looked.direction, conversation: outcome.looked.conversation ?? '', reasons })({ context: undefined, event: { type: '' } }, undefined)
      },
      fail: (_, settled: Settled<Looked>) => {
        if (!settled.ok) refuseTo(settled.to, settled.error)
      },
      unmask: ({ context }, { text, conversation, origin, from }: EventsOf<typeof Guard> & { type: 'unmask' }) => replyTo(from, unmasked(context.vault, conversation, text, origin)),
      refuseUnmask: (_, { from }: { from: ReturnAddress }) => refuseTo(from, new TroupeError('Unauthorized', `${from.address === '' ? 'a caller outside the troupe' : from.address} may not have back what the guard took out`, 'name who may in guard({ mayUnmask })')),
      forget: assign({ vault: ({ context }, { conversation }: { conversation: string }) => without(context.vault, conversation) }),
      takeUp: assign((_, learnt: Learnt) => ({ learnt, error: undefined })),
      noteFailure: assign((_, { error }: { error: unknown }) => ({ error })),
      refuseBlind: ({ context }, { from }: { from: ReturnAddress }) => refuseTo(from, blind(context)),
    },
  })

export const guardChart = (actors: GuardWork, mayUnmask: MayUnmask) =>
  words(actors, mayUnmask).createMachine({
    id: 'guard',
    context: { learnt: NOTHING, vault: [], begun: 0, underWay: 0, error: undefined, outcome: undefined },
    on: {
      unmask: [
        { guard: { type: 'mayUnmask', params: ({ event }) => event }, actions: { type: 'unmask', params: ({ event }) => event } },
        { actions: { type: 'refuseUnmask', params: ({ event }) => event } },
      ],
      forget: { actions: { type: 'forget', params: ({ event }) => event } },
    },
    initial: 'learning',
    states: {
      learning: {
        invoke: {
          src: 'learn',
          onDone: { target: 'watching', actions: { type: 'takeUp', params: ({ event }) => event.output } },
          onError: { target: 'blind', actions: { type: 'noteFailure', params: ({ event }) => event } },
        },
      },
      watching: {
        on: {
          check: { guard: 'hasRoom', actions: [spawnChild('look', { id: ({ context }) => `work.${context.begun}`, input: lookInput }), 'begin'] },
          'xstate.done.actor.work.*': [
            { guard: { type: 'hasLooked', params: ({ event }) => event.output }, actions: [{ type: 'judge', params: ({ event }) => event.output }, 'answer', 'tellOf', stopChild(({ event }) => event.actorId), 'finish'] },
            { actions: [{ type: 'fail', params: ({ event }) => event.output }, stopChild(({ event }) => event.actorId), 'finish'] },
          ],
        },
      },
      blind: {
        on: { check: { actions: { type: 'refuseBlind', params: ({ event }) => event } } },
        after: { again: 'learning' },
      },
    },
  })
