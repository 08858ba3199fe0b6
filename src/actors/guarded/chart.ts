/** The life of `guarded`: it hands on one message after another, or several at once, and refuses what the guard refuses. */
import { assign, log, setup, spawnChild, stopChild } from 'xstate'
import { tell, type Protocol, type ReturnAddress, type Whom } from '../../runtime/index.js'
import { settle, type Settled } from '../settled.js'
import { kindsOf, type Admitted, type Given, type GuardedWork } from './passing.js'

/** Whose messages they are. */
export interface Place {
  /** The key of this actor, or `''`. */
  readonly key: string
  readonly conversation: string
}
interface Context extends Place {
  readonly begun: number
  readonly underWay: number
}
type Asked = Given & { readonly from: ReturnAddress }
type Done = { type: 'xstate.done.actor.work.n'; output: Settled<{}>; actorId: string }
type Passed = { type: 'xstate.done.actor.event.n'; output: Admitted; actorId: string }
type Event = Asked | Done | Passed

const types = {} as { context: Context; events: Event; input: Place }

function inputOf({ context: { key, conversation }, event }: { context: Context; event: Event }) {
  const { from, ...message } = event as Asked
  return { message: message as Given, key, conversation, to: from, into: from }
}
const admittedIn = (event: Event): Admitted => (event as Passed).output
const actorOf = ({ event }: { event: Event }): string => (event as Done).actorId

const words = (actors: GuardedWork, target: (key: string) => Whom, atOnce: number) =>
  setup({
    types,
    actors: { admit: actors.admit, ask: actors.ask, stream: actors.stream },
    guards: {
      hasRoom: ({ context }) => context.underWay < atOnce,
      isAdmitted: ({ event }) => admittedIn(event).ok,
    },
    actions: {
      begin: assign({ begun: ({ context }) => context.begun + 1, underWay: ({ context }) => context.underWay + 1 }),
      finish: assign({ underWay: ({ context }) => context.underWay - 1 }),
      settle: ({ event }) => settle((event as Done).output),
      handOn: ({ context, event }) => {
        const admitted = admittedIn(event)
        if (admitted.ok) tell(target(context.key), admitted.message as never)({ context: undefined, event: { type: '' } }, undefined)
      },
    },
  })

const idFor = (name: string) => ({ context }: { context: Context }): string => `${name}.${context.begun}`

export function guardedChart(actors: GuardedWork, protocol: Protocol, target: (key: string) => Whom, atOnce: number) {
  const machine = words(actors, target, atOnce)
  const handing = {
    event: { guard: 'hasRoom', actions: [spawnChild('admit', { id: idFor('event'), input: inputOf }), 'begin'] },
    request: { guard: 'hasRoom', actions: [spawnChild('ask', { id: idFor('work'), input: inputOf }), 'begin'] },
    stream: { guard: 'hasRoom', actions: [spawnChild('stream', { id: idFor('stream'), input: inputOf }), 'begin'] },
  } as const
  return machine.createMachine({
    id: 'guarded',
    context: ({ input }) => ({ ...input, begun: 0, underWay: 0 }),
    on: {
      ...Object.fromEntries(kindsOf(protocol).map(([type, kind]) => [type, handing[kind]])),
      'xstate.done.actor.work.*': { actions: ['settle', stopChild(actorOf), 'finish'] },
      'xstate.done.actor.event.*': [
        { guard: 'isAdmitted', actions: ['handOn', stopChild(actorOf), 'finish'] },
        { actions: [log(({ event }) => admittedIn(event), 'an event was refused:'), stopChild(actorOf), 'finish'] },
      ],
      'xstate.error.actor.event.*': { actions: [log(({ event }) => event, 'an event could not be checked:'), stopChild(actorOf), 'finish'] },
      // One that failed, or whose reader left, has told its reader; here it only makes room.
      'xstate.done.actor.stream.*': { actions: [stopChild(actorOf), 'finish'] },
      'xstate.error.actor.stream.*': { actions: [stopChild(actorOf), 'finish'] },
    },
  })
}
