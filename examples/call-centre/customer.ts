/**
 * A customer: has a mood, calls now and then, and waits as long as patience lasts. Whoever was kept waiting is less
 * patient the next time and calls again sooner; whoever has had enough leaves.
 */
import { actor, event, protocol, type Me, type Ref } from 'troupe'
import { chanceFrom, exponential, lognormal, type Chance } from './chance.js'
import { DAY, eagerness, HOUR, MINUTE } from './day.js'
import type { Desk } from './desk.js'
import type { Metrics } from './metrics.js'

export const Customer = protocol({
  /** Lives from now on. */
  live: event(),
  answered: event(),
})

/** Between two wishes to call; most come at hours in which nobody calls. */
const BETWEEN_WISHES = 1.25 * DAY
const PATIENCE = 5 * MINUTE
const CALL = 5 * MINUTE

interface State {
  /** From 0, who leaves, to 1. */
  mood: number
}

export const customer = (desk: Ref<(typeof Desk)['specs']>, seed: number, began: number, metrics: Metrics) =>
  actor(Customer, {
    state: ({ key }): State => ({ mood: 0.5 + 0.5 * chanceFrom(seed + Number(key))() }),
    on: {
      live: async (_, me) => {
        const chance = chanceFrom(Math.imul(seed + 1, 0x9e3779b1) + Number(me.id.split('/')[1]))
        let again = false
        while (me.state.mood > 0.05) {
          await me.sleep(again ? exponential(chance, HOUR) : untilNextCall(chance, me.clock.now() - began))
          again = !(await call(me, desk, chance, metrics))
          metrics.mood(me.clock.now(), me.id, me.state.mood)
        }
      },
      answered: () => {},
    },
  })

/** Wishes come at any hour, and become calls as the hour has it. */
function untilNextCall(chance: Chance, from: number): number {
  for (let at = from; ; ) {
    at += exponential(chance, BETWEEN_WISHES)
    if (chance() < eagerness(at)) return Math.round(at - from)
  }
}

/** Whether the desk answered. */
async function call(me: Me<(typeof Customer)['specs'], State>, desk: Ref<(typeof Desk)['specs']>, chance: Chance, metrics: Metrics): Promise<boolean> {
  const began = me.clock.now()
  const patience = Math.round(lognormal(chance, PATIENCE * (0.4 + 0.6 * me.state.mood), 0.5))
  me.tell(desk, { type: 'call' })
  const inTime = await me.waitFor('answered', { timeout: patience }).then(
    () => true,
    () => false,
  )
  if (!inTime) {
    me.signal.throwIfAborted()
    // The agent may take the call while the phone goes down.
    if (await me.ask(desk, { type: 'hangUp' })) {
      me.state.mood *= 0.7
      metrics.abandoned(me.clock.now())
      return false
    }
    await me.waitFor('answered')
  }
  const waited = me.clock.now() - began
  metrics.served(me.clock.now(), waited)
  me.state.mood = waited < MINUTE ? me.state.mood + 0.3 * (1 - me.state.mood) : me.state.mood * Math.max(0.7, 1 - waited / HOUR)
  await me.sleep(Math.round(lognormal(chance, CALL, 0.6)))
  me.tell(desk, { type: 'callEnded' })
  return true
}
