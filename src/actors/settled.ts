/** Requests that a chart hands to effects of their own, many at once: the outcome, and whom it is for. */
import { refuse, reply, stepOnce, type ReturnAddress, type TroupeError, type Work } from '../runtime/index.js'
import type { ActorLogic, EventObject, Snapshot } from '../runtime/xstate.js'
import { asTroupeError } from '../ground/errors.js'

/** An effect that a chart may invoke or spawn. */
export type Effect<Output, Input> = ActorLogic<Snapshot<Output>, EventObject, Input>

/** An outcome with its address, so that the chart need not remember who asked. */
export type Settled<T> = { readonly to: ReturnAddress } & ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: TroupeError })

/** An effect that answers whoever is at `input.to`, and may stop when that one waits no more; it never fails, its outcome says so instead. */
export const answering = <Input extends { readonly to: ReturnAddress }, T>(name: string, run: (input: Input, work: Work) => Promise<T>): Effect<Settled<T>, Input> =>
  stepOnce<Settled<T>, Input>(
    name,
    async (input, work) => {
      try {
        return { to: input.to, ok: true, value: await run(input, work) }
      } catch (error) {
        return { to: input.to, ok: false, error: asTroupeError(error) }
      }
    },
    { for: ({ to }) => to },
  )

/** Answers within an action whoever was kept in the context. */
export const replyTo = (to: ReturnAddress, value: {} | null): void => reply(value, { to })(NOW, undefined)
export const refuseTo = (to: ReturnAddress, error: unknown): void => refuse(asTroupeError(error), { to })(NOW, undefined)

/** `reply` is an action for a chart's list; called from within another, it needs no event. */
const NOW = { context: undefined, event: { type: '' } }

/** Hands a settled outcome to its asker, within an action. */
export function settle(outcome: Settled<{} | null>): void {
  if (outcome.ok) replyTo(outcome.to, outcome.value)
  else refuseTo(outcome.to, outcome.error)
}
