// Durable charts that spawn child charts, feed them, and let them come to their ends, to be broken.
import { assign, enqueueActions, sendParent, sendTo, setup } from 'xstate'
import { z } from 'zod'
import { actor, event, protocol, reply, request, TroupeError, type EventsOf, type Troupe } from 'troupe'
import type { SimulationOptions } from 'troupe/testing'

const Ward = protocol({
  admit: event(z.object({ name: z.string() })),
  dose: event(z.object({ name: z.string(), id: z.string() })),
  discharge: event(z.object({ name: z.string() })),
  look: request(null, z.object({ given: z.array(z.string()), taken: z.array(z.string()), stays: z.array(z.string()), here: z.array(z.string()) })),
})
interface State {
  /** What was passed on to each who is here, and to all. */
  readonly here: Readonly<Record<string, readonly string[]>>
  readonly given: readonly string[]
  /** What they told that they took. */
  readonly taken: readonly string[]
  /** Of each who left: what it was given, and what it had when it left. */
  readonly stays: readonly string[]
  /** Who is on the way out: nobody of that name comes in before that. */
  readonly leaving: readonly string[]
  readonly checks: number
}
type Inside = { readonly type: 'taken'; readonly id: string } | { readonly type: 'checked' }

/** The grandchild counts, so that families have three generations. */
const chart = setup({ types: { events: {} as { type: 'note' }, context: {} as { notes: number } } }).createMachine({ context: { notes: 0 }, on: { note: { actions: assign({ notes: ({ context }) => context.notes + 1 }) } } })
const patient = setup({ types: { events: {} as { type: 'dose'; id: string } | { type: 'finish' }, context: {} as { had: string[] }, output: {} as string }, actors: { chart } }).createMachine({
  context: { had: [] },
  initial: 'here',
  invoke: { src: 'chart', id: 'chart' },
  states: {
    here: {
      after: { 1_800_000: { actions: sendParent({ type: 'checked' }) } },
      on: { dose: { actions: [assign({ had: ({ context, event: { id } }) => [...context.had, id] }), sendParent(({ event: { id } }) => ({ type: 'taken', id })), sendTo('chart', { type: 'note' })] }, finish: 'gone' },
    },
    gone: { type: 'final' },
  },
  output: ({ context: { had } }) => had.join(' '),
})
const isHere = ({ context, event }: { readonly context: State; readonly event: object }): boolean => context.here[(event as { name: string }).name] !== undefined
const isKnown = ({ context, event }: { readonly context: State; readonly event: object }): boolean => isHere({ context, event }) || context.leaving.includes((event as { name: string }).name)
const ward = actor(
  Ward,
  setup({ types: { events: {} as EventsOf<typeof Ward> | Inside | { type: 'xstate.done.actor.*'; actorId: string; output: string }, context: {} as State }, actors: { patient }, guards: { isHere, isKnown } }).createMachine({
    context: { here: {}, given: [], taken: [], stays: [], leaving: [], checks: 0 },
    on: {
      admit: [{ guard: 'isKnown' }, { actions: [assign({ here: ({ context, event: { name } }) => ({ ...context.here, [name]: [] }) }), enqueueActions(({ event: { name }, enqueue }) => enqueue.spawnChild('patient', { id: name }))] }],
      dose: [{ guard: 'isHere', actions: [assign({ given: ({ context, event: { id } }) => [...context.given, id], here: ({ context, event: { name, id } }) => ({ ...context.here, [name]: [...(context.here[name] ?? []), id] }) }), sendTo(({ event: { name } }) => name, ({ event: { id } }) => ({ type: 'dose', id }))] }, {}],
      discharge: [{ guard: 'isHere', actions: [assign({ leaving: ({ context, event: { name } }) => [...context.leaving, name], stays: ({ context, event: { name } }) => [...context.stays, `${name} was given ${context.here[name]?.join(' ') ?? ''}`], here: ({ context, event: { name } }) => Object.fromEntries(Object.entries(context.here).filter(([other]) => other !== name)) }), sendTo(({ event: { name } }) => name, { type: 'finish' })] }, {}],
      taken: { actions: assign({ taken: ({ context, event: { id } }) => [...context.taken, id] }) },
      checked: { actions: assign({ checks: ({ context }) => context.checks + 1 }) },
      'xstate.done.actor.*': { actions: assign({ leaving: ({ context, event: { actorId } }) => context.leaving.filter((name) => name !== actorId), stays: ({ context, event: { actorId, output } }) => [...context.stays, `${actorId} had ${output}`] }) },
      look: { actions: reply(({ context: { given, taken, stays, here } }) => ({ given: [...given], taken: [...taken], stays: [...stays], here: Object.keys(here) })) },
    },
  }),
  { durable: true },
)

const WARDS = 2
const isPassing = (error: unknown): boolean => error instanceof TroupeError && ['Interrupted', 'Overloaded', 'DeadlineExceeded', 'NoSuchActor', 'Cancelled'].includes(error.code)
const sorted = (lines: readonly string[], word: string): string[] => lines.filter((line) => line.includes(word)).map((line) => line.replace(word, '')).toSorted()

export const families = (each: number): Omit<SimulationOptions<{ readonly accepted: string[] }>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [] }),
  cast: (troupe: Troupe) => void troupe.keyed('ward', ward, { passivateAfter: '10m' }),
  invariants: {
    'nothing is taken twice': (sim) => {
      for (let w = 0; w < WARDS; w++) {
        const taken = (sim.committed(`ward/${w}`) as { readonly snapshot: { readonly context: State } } | undefined)?.snapshot.context.taken ?? []
        if (new Set(taken).size < taken.length) throw new Error(`taken ${taken.join(', ')}`)
      }
    },
  },
  run: async (sim) => {
    const { accepted } = sim.world
    for (let n = 0; n < each * WARDS; n++) {
      const ref = sim.ref(Ward, `ward/${n % WARDS}`)
      const name = `p${Math.floor(sim.random() * 2)}`
      const id = `${n % WARDS}/${n}`
      const what = sim.random()
      try {
        if (what < 0.25) await ref.tell({ type: 'admit', name })
        else if (what < 0.85) await ref.tell({ type: 'dose', name, id }).then(() => accepted.push(id))
        else await ref.tell({ type: 'discharge', name })
      } catch (error) {
        if (!isPassing(error)) throw error
      }
      await sim.sleep(Math.floor(sim.random() ** 4 * 3_600_000))
    }
    await sim.sleep('1d')
    for (let w = 0; w < WARDS; w++) {
      for (const name of ['p0', 'p1']) await sim.insist(() => sim.ref(Ward, `ward/${w}`).tell({ type: 'discharge', name }))
      await sim.sleep('1h')
      const { given, taken, stays, here } = await sim.insist(() => sim.ref(Ward, `ward/${w}`).ask({ type: 'look' }, { timeout: 'none' }))
      if (here.length > 0) throw new Error(`still here: ${here.join(', ')}`)
      if (given.toSorted().join(' ') !== taken.toSorted().join(' ')) throw new Error(`given ${given.join(', ')}, taken ${taken.join(', ')}`)
      if (sorted(stays, ' was given').join('; ') !== sorted(stays, ' had').join('; ')) throw new Error(`stays: ${stays.join('; ')}`)
    }
  },
})
