// A chart that starts task after task does not carry all that ever ended.
import { assign, createMachine, fromPromise, setup, type AnyActorRef } from 'xstate'
import { expect, test } from 'vitest'
import { actor, createTroupe, event, protocol, reply, request, type EventsOf } from 'troupe'
import { any } from './stage.js'

const Tasks = protocol({ start: event(any<{ n: number }>()), seen: request(null, any<{ ended: number; inSnapshot: number; last: boolean }>()) })
const kinds = { promise: fromPromise(async () => 1), machine: createMachine({ initial: 'over', states: { over: { type: 'final' } } }) }

test.each(['promise', 'machine'] as const)('of 1,000 spawned children that ended (%s) the last 100 stay in the snapshot', async (kind) => {
  const machine = setup({
    types: { context: {} as { ended: number; inSnapshot: number; last: boolean; tasks: AnyActorRef[] }, events: {} as EventsOf<typeof Tasks> },
    actors: kinds,
  }).createMachine({
    context: { ended: 0, inSnapshot: 0, last: false, tasks: [] },
    on: {
      start: { actions: assign({ tasks: ({ spawn, event }) => [spawn(kind, { id: `task-${event.n}` })] }) },
      '*': { actions: assign({ ended: ({ context }) => context.ended + 1 }) },
      seen: {
        actions: [
          assign(({ self }) => {
            const { children } = self.getSnapshot()
            return { inSnapshot: Object.keys(children).length, last: 'task-999' in children && !('task-899' in children) }
          }),
          reply(({ context: { ended, inSnapshot, last } }) => ({ ended, inSnapshot, last })),
        ],
      },
    },
  })
  const troupe = await createTroupe()
  const ref = troupe.spawn('tasks', actor(Tasks, machine))
  for (let n = 0; n < 1_000; n++) await ref.tell({ type: 'start', n })
  let seen = await ref.ask({ type: 'seen' })
  while (seen.ended < 1_000) seen = await ref.ask({ type: 'seen' })
  expect(seen).toEqual({ ended: 1_000, inSnapshot: 100, last: true })
  await troupe.stop()
})
