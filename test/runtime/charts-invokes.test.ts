// Effects have no actors of XState's behind them, and a machine does not see the difference.
import { assign, sendTo, setup, type ActorLogic, type AnyActorRef, type EventObject, type Snapshot } from 'xstate'
import { expect, test } from 'vitest'
import { actor, createTroupe, event, protocol, reply, request, stepOnce, type EventsOf } from 'troupe'
import { any, turn } from './stage.js'

const Tour = protocol({ go: event(), again: event(), end: event(), seen: request(null, any<string>()) })
type Work = ActorLogic<Snapshot<string>, EventObject, string>

/** Runs a machine that notes in which order it enters, invokes, leaves, hears and has children; gives the notes. */
async function tour(work: Work, beside: Work): Promise<string> {
  const notes: string[] = []
  const told = (note: string) => () => void notes.push(note)
  const childrenOf = (self: { getSnapshot(): unknown }): string => Object.keys((self.getSnapshot() as { children: Record<string, AnyActorRef> }).children).toSorted().join(' ')
  const given = (what: string) => ({ context }: { context: { n: number } }) => {
    notes.push(`${what} begins with ${context.n}`)
    return what
  }
  const plan = setup({ types: { context: {} as { n: number }, events: {} as EventsOf<typeof Tour> }, actors: { work, beside } })
  const heard = ({ event }: { event: { readonly type: string } }): void => void notes.push(`hears ${event.type}`)
  const looks = ({ self }: { self: { getSnapshot(): unknown } }): void => void notes.push(`has ${childrenOf(self)}`)
  const counts = plan.assign({ n: ({ context }) => context.n + 1 })
  const machine = plan.createMachine({
    context: { n: 0 },
    invoke: { id: 'whole', src: 'work', input: given('whole'), onDone: { actions: heard } },
    initial: 'first',
    on: { seen: { actions: [looks, reply('')] } },
    states: {
      first: {
        entry: [counts, sendTo('b', { type: 'hello' }), told('enters first')],
        exit: [counts, told('leaves first')],
        invoke: [
          { id: 'a', src: 'work', input: given('a'), onDone: { actions: heard } },
          { id: 'b', src: 'beside', input: given('b'), onDone: { actions: heard } },
          { src: 'work', input: given('unnamed'), onDone: { actions: heard } },
        ],
        on: { go: 'second', again: { target: 'first', reenter: true } },
      },
      second: {
        initial: 'inner',
        invoke: { id: 'a', src: 'work', input: given('a again'), onDone: { actions: heard } },
        onDone: { actions: told('inner is done') },
        states: { inner: { entry: [counts, told('enters inner')], invoke: { id: 'in', src: 'beside', input: given('in'), onDone: { actions: [heard, assign({ n: 100 })], target: 'over' } } }, over: { type: 'final', entry: looks } },
        on: { end: { target: 'end' } },
      },
      end: { type: 'final', entry: [looks, told('ends')], exit: told('leaves the end') },
    },
    exit: told('leaves all'),
  })
  await using troupe = await createTroupe()
  const ref = troupe.spawn('tour', actor(Tour, machine))
  const settled = async (): Promise<void> => {
    for (let before = -1; before !== notes.length; ) {
      before = notes.length
      await turn()
    }
    await ref.ask({ type: 'seen' })
  }
  for (const type of ['again', 'go'] as const) {
    await settled()
    await ref.tell({ type })
  }
  await settled()
  await ref.tell({ type: 'end' })
  await expect.poll(() => notes.at(-1)).toBe('leaves all')
  return notes.join('\n')
}

const effect = stepOnce('work', async (input: string) => input) as unknown as Work
/** The same effect, in a form that is not known to be one when the machine is made ready: XState builds its actor. */
const built: Work = { ...effect, transition: (snapshot) => snapshot }

test.each([
  ['nothing but effects', effect, effect],
  ['effects beside others', effect, built],
])('a machine that invokes %s enters, begins, hears, has children and leaves as with actors of XState', async (_, work, beside) => {
  const notes = await tour(work, beside)
  expect(notes).toBe(await tour(built, built))
  // Not two silent runs.
  expect(notes).toContain('enters first\na begins with 1\nb begins with 1')
  expect(notes).toContain('hears xstate.done.actor.in\nhas a in whole\n')
})
