// Durable askers of durable charts elsewhere, which answer much later, to be broken: each question gets one answer, its own, and no
// question is taken for left while its asker still waits.
import { assign, setup } from 'xstate'
import { z } from 'zod'
import { actor, event, protocol, reply, request, TroupeError, type EventsOf, type ReturnAddress, type Troupe } from 'troupe'
import type { Simulation, SimulationOptions } from 'troupe/testing'

export interface Decisions {
  readonly accepted: string[]
  /** Questions whose boards heard that nobody waits any more. */
  readonly left: string[]
}

const Board = protocol({
  decide: request(z.object({ id: z.string() }), z.string()),
  vote: event(z.object({ id: z.string() })),
  open: request(null, z.array(z.string())),
  left: request(null, z.array(z.string())),
})
interface Question {
  readonly id: string
  readonly from: ReturnAddress
}
interface Context {
  readonly open: readonly Question[]
  readonly left: readonly string[]
}
const board = setup({
  types: { events: {} as EventsOf<typeof Board> | { type: 'xstate.asker.left'; from: ReturnAddress; reason: string }, context: {} as Context },
}).createMachine({
  context: { open: [], left: [] },
  on: {
    decide: { actions: assign({ open: ({ context, event }) => [...context.open, { id: event.id, from: event.from }] }) },
    vote: {
      actions: [
        reply(({ event }) => `yes to ${event.id}`, { to: ({ context, event }) => context.open.find(({ id }) => id === event.id)?.from as ReturnAddress<string> }),
        assign({ open: ({ context, event }) => context.open.filter(({ id }) => id !== event.id) }),
      ],
      guard: ({ context, event }) => context.open.some(({ id }) => id === event.id),
    },
    open: { actions: reply(({ context }) => context.open.map(({ id }) => id)) },
    left: { actions: reply(({ context }) => [...context.left]) },
    'xstate.asker.left': {
      actions: assign({
        open: ({ context, event }) => context.open.filter(({ from }) => from.ask !== event.from.ask),
        left: ({ context, event }) => [...context.left, ...context.open.flatMap(({ id, from }) => (from.ask === event.from.ask ? [id] : []))],
      }),
    },
  },
})

const Asker = protocol({ wonder: event(z.object({ id: z.string(), board: z.string(), patience: z.number() })), told: request(null, z.array(z.string())) })
interface AskerState {
  readonly told: string[]
}
const asker = actor(Asker, {
  durable: true,
  state: (): AskerState => ({ told: [] }),
  on: {
    wonder: async ({ id, board: at, patience }, me) => {
      const answer = await me.ask(me.ref(Board, at), { type: 'decide', id }, { timeout: patience === 0 ? 'none' : patience }).catch((error: unknown) => (error instanceof TroupeError ? error.code : 'unknown'))
      me.state.told.push(`${id}: ${answer}`)
    },
    told: (_, me) => me.state.told,
  },
})

const ASKERS = 4
const BOARDS = ['board/0', 'board/1', 'board/2']

function answeredOnce(sim: Simulation<Decisions>): void {
  for (let a = 0; a < ASKERS; a++) {
    const { told } = (sim.committed(`asker/${a}`) as AskerState | undefined) ?? { told: [] }
    const ids = told.map((line) => line.split(':')[0])
    if (new Set(ids).size < ids.length) throw new Error(`asker/${a} was told twice: ${told.join(', ')}`)
    const wrong = told.filter((line) => !/^(\S+): (yes to \1|DeadlineExceeded)$/.test(line))
    if (wrong.length > 0) throw new Error(`asker/${a} was told ${wrong.join(', ')}`)
  }
}

/** Votes on what is open, until all that was accepted has been told. */
async function voteOnAll(sim: Simulation<Decisions>): Promise<void> {
  for (let round = 0; ; round++) {
    const told = (await Promise.all(Array.from({ length: ASKERS }, (_, a) => sim.insist(() => sim.ref(Asker, `asker/${a}`).ask({ type: 'told' }, { timeout: 'none' }))))).flat()
    const waiting = sim.world.accepted.filter((id) => !told.some((line) => line.startsWith(`${id}:`)))
    if (waiting.length === 0) return
    if (round > 100) throw new Error(`never told: ${waiting.join(', ')}`)
    await sim.sleep('10m')
  }
}

async function votes(sim: Simulation<Decisions>, at: string, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await sim.sleep(Math.floor(sim.random() * 60_000))
    const open = await sim.insist(() => sim.ref(Board, at).ask({ type: 'open' }, { timeout: 'none' }))
    for (const id of open) if (sim.random() < 0.7) await sim.insist(() => sim.ref(Board, at).tell({ type: 'vote', id }))
  }
}

export const decisions = (each: number): Omit<SimulationOptions<Decisions>, 'seed' | 'faults'> => ({
  world: () => ({ accepted: [], left: [] }),
  cast: (troupe: Troupe) => {
    troupe.keyed('board', actor(Board, board, { durable: true }), { passivateAfter: '30s' })
    troupe.keyed('asker', asker)
  },
  invariants: { 'answered once, with its own answer': answeredOnce },
  run: async (sim) => {
    let over = false
    const voters = BOARDS.map((at) => votes(sim, at, () => over))
    const wonder = async (a: number): Promise<void> => {
      for (let n = 0; n < each; n++) {
        const id = `${a}/${n}`
        // An id that ends in 0 to 3 has an asker who waits as long as it takes.
        const patience = n % 5 < 4 ? 0 : Math.floor(sim.random() * 60_000)
        await sim.ref(Asker, `asker/${a}`).tell({ type: 'wonder', id, board: BOARDS[Math.floor(sim.random() * 3)] as string, patience }).then(
          () => void sim.world.accepted.push(id),
          (error: unknown) => {
            if (!(error instanceof TroupeError && ['Interrupted', 'Overloaded', 'Cancelled'].includes(error.code))) throw error
          },
        )
        await sim.sleep(Math.floor(sim.random() * 20_000))
      }
    }
    await Promise.all(Array.from({ length: ASKERS }, (_, a) => wonder(a)))
    await voteOnAll(sim)
    over = true
    await Promise.all(voters)
    sim.world.left.push(...(await Promise.all(BOARDS.map((at) => sim.insist(() => sim.ref(Board, at).ask({ type: 'left' }, { timeout: 'none' }))))).flat())
    const wrong = sim.world.left.filter((id) => Number(id.split('/')[1]) % 5 < 4)
    if (wrong.length > 0) throw new Error(`taken for left: ${wrong.join(', ')}`)
  },
})
