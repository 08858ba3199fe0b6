/** The support desk: takes calls in order, as many at once as agents are on duty. The roster tells it when that changes. */
import { z } from 'zod'
import { actor, event, protocol, request, type Address, type Me, type Ref } from 'troupe'
import { Customer } from './customer.js'
import { HOUR, onDuty } from './day.js'
import type { Metrics } from './metrics.js'

export const Desk = protocol({
  call: event(),
  /** The customer gives up; true when nobody had taken the call yet. */
  hangUp: request(null, z.boolean()),
  callEnded: event(),
  shift: event(z.object({ agents: z.number() })),
})

interface State {
  agents: number
  busy: number
  /** Who waits, in the order of calling. */
  readonly queue: Set<Address>
}

export const desk = (metrics: Metrics) =>
  actor(Desk, {
    mailbox: { capacity: 100_000 },
    state: (): State => ({ agents: 0, busy: 0, queue: new Set() }),
    on: {
      call: (_, me) => {
        me.state.queue.add(me.from)
        takeCalls(me, metrics)
      },
      hangUp: (_, me) => {
        const waited = me.state.queue.delete(me.from)
        metrics.atDesk(me.clock.now(), me.state)
        return waited
      },
      callEnded: (_, me) => {
        me.state.busy--
        takeCalls(me, metrics)
      },
      shift: ({ agents }, me) => {
        me.state.agents = agents
        takeCalls(me, metrics)
      },
    },
  })

/** Who is free takes the next call; who ends a shift ends the call at hand first. */
function takeCalls(me: Me<(typeof Desk)['specs'], State>, metrics: Metrics): void {
  const { state } = me
  for (const customer of state.queue) {
    if (state.busy >= state.agents) break
    state.queue.delete(customer)
    state.busy++
    me.tell(me.ref(Customer, customer), { type: 'answered' })
  }
  metrics.atDesk(me.clock.now(), state)
}

export const Roster = protocol({ begin: event() })

/** Tells the desk each hour how many agents are on duty. */
export const roster = (desk: Ref<(typeof Desk)['specs']>, staff: number, began: number) =>
  actor(Roster, {
    on: {
      begin: async (_, me) => {
        for (;;) {
          me.tell(desk, { type: 'shift', agents: onDuty(me.clock.now() - began, staff) })
          await me.sleep(HOUR)
        }
      },
    },
  })
