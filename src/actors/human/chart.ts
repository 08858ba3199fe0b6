/**
 * A person's life: one state, since people are asked many things at once. What is before them is data (`questions.ts`);
 * here an event becomes what is next, and that is carried out.
 */
import { enqueueActions, setup, stopChild } from 'xstate'
import { now, publish, tell, type EventsOf, type ReturnAddress } from '../../runtime/index.js'
import { describe } from '../../ground/errors.js'
import { refuseTo, replyTo } from '../settled.js'
import { Human } from './protocol.js'
import { ask, decide, delegate, due, left, nextMoment, NO_QUESTIONS, passed, view, withdraw, type Act, type Next, type Outcome, type Questions } from './questions.js'
import { passedOn, type HumanWork } from './work.js'

/** Who the person is, and what others are called. */
export interface Person {
  readonly name: string
  /** What comes before a key in the addresses of their kind; empty for an actor without a key. */
  readonly kind: string
}
interface Context {
  readonly person: Person
  readonly questions: Questions
}
type Event =
  | EventsOf<typeof Human>
  | { type: 'due' }
  | { type: 'xstate.asker.left'; from: ReturnAddress; reason: string }
  | { type: 'xstate.done.actor.forward.n'; output: Outcome; actorId: string }
  | { type: 'xstate.error.actor.forward.n'; error: unknown; actorId: string }
type Given = { readonly context: Context; readonly event: Event }

const types = {} as { context: Context; events: Event; input: Person }

const addressOf = ({ kind }: Person, to: string): string => (kind === '' || to.includes('/') ? to : `${kind}/${to}`)

function next({ context: { person, questions }, event }: Given): Next {
  if ('actorId' in event) return passed(questions, event.actorId, 'output' in event ? { outcome: event.output } : { reason: describe(event.error) }, now())
  switch (event.type) {
    case 'approve':
    case 'answer':
      return ask(questions, { ...event, delegate: (event.delegate ?? []).map(({ to, after }) => ({ to: addressOf(person, to), after })) }, now())
    case 'decide':
    case 'reply':
      return decide(questions, event, now())
    case 'delegate':
      return delegate(questions, { ...event, to: addressOf(person, event.to) }, now())
    case 'withdraw':
      return withdraw(questions, event.id, now())
    case 'list':
      return { questions, acts: [{ act: 'answer', to: event.from, value: questions.open.map(view) }] }
    case 'due':
      return due(questions, now())
    case 'xstate.asker.left':
      return left(questions, event.from, event.reason !== 'deadline' && event.reason !== 'actor-failed', now())
  }
}

const ALARM = 'alarm'

const words = (actors: HumanWork, topic: string) => {
  const carryOut = (act: Act, given: Given): void => {
    switch (act.act) {
      case 'answer':
        return replyTo(act.to, act.value)
      case 'refuse':
        return refuseTo(act.to, act.error)
      case 'recall':
        return tell({ protocol: Human, address: act.from }, { type: 'withdraw', id: passedOn(given.context.person, act.question) })(given, undefined)
      case 'news': {
        const { act: _, ...news } = act
        return publish(`${topic}.${given.context.person.name}`, { ...news, person: given.context.person.name })(given, undefined)
      }
      case 'forward':
        return undefined
    }
  }
  return setup({
    types,
    actors: { forward: actors.forward },
    actions: {
      goOn: enqueueActions(({ context, event, enqueue }) => {
        const { questions, acts } = next({ context, event })
        enqueue.assign({ questions })
        for (const act of acts) {
          if (act.act === 'recall') enqueue.stopChild(act.child)
          if (act.act === 'forward') enqueue.spawnChild('forward', { id: act.child, input: { person: context.person, question: act.question, to: act.to, now: act.now } })
          else enqueue((given) => carryOut(act, given))
        }
        const before = nextMoment(context.questions)
        const after = nextMoment(questions)
        if (after !== undefined && (after !== before || event.type === 'due')) enqueue.raise({ type: 'due' }, { id: ALARM, delay: Math.max(0, after - now()) })
        else if (after === undefined && before !== undefined) enqueue.cancel(ALARM)
      }),
    },
  })
}

export const humanChart = (actors: HumanWork, topic: string) =>
  words(actors, topic).createMachine({
    id: 'human',
    context: ({ input }) => ({ person: input, questions: NO_QUESTIONS }),
    on: {
      approve: { actions: 'goOn' },
      answer: { actions: 'goOn' },
      decide: { actions: 'goOn' },
      reply: { actions: 'goOn' },
      delegate: { actions: 'goOn' },
      withdraw: { actions: 'goOn' },
      list: { actions: 'goOn' },
      due: { actions: 'goOn' },
      'xstate.asker.left': { actions: 'goOn' },
      'xstate.done.actor.forward.*': { actions: ['goOn', stopChild(({ event }) => event.actorId)] },
      'xstate.error.actor.forward.*': { actions: ['goOn', stopChild(({ event }) => event.actorId)] },
    },
  })
