/** Requests that a chart hands to effects of their own, many at once: the outcome, and whom it is for. */
import { refuse, reply, stepOnce, TroupeError, type ReturnAddress, type Work } from '../runtime/index.js'
import type { ActorLogic, EventObject, Snapshot } from '../runtime/xstate.js'
import { describe } from '../ground/errors.js'

/** An effect that a chart may invoke or spawn. */
export type Effect<Output, Input> = ActorLogic<Snapshot<Output>, EventObject, Input>

/** An outcome with its address, so that the chart need not remember who asked. */
export type Settled<T> = { readonly to: ReturnAddress } & ({ readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: TroupeError })

/** An effect that answers whoever is at `input.to`; it never fails, its outcome says so instead. */
export const answering = <Input extends { readonly to: ReturnAddress }, T>(name: string, run: (input: Input, work: Work) => Promise<T>): Effect<Settled<T>, Input> =>
  stepOnce<Settled<T>, Input>(name, async (input, work) => {
    try {
      return { to: input.to, ok: true, value: await run(input, work) }
    } catch (error) {
      return { to: input.to, ok: false, error: asTroupeError(error) }
    }
  })

interface SettledEvent {
  readonly type: string
  readonly output: Settled<unknown>
}
const giveValue = reply(({ event }: { event: SettledEvent }) => (event.output as { value: unknown }).value, { to: ({ event }: { event: SettledEvent }) => event.output.to })
const giveError = refuse(({ event }: { event: SettledEvent }) => (event.output as { error: TroupeError }).error, { to: ({ event }: { event: SettledEvent }) => event.output.to })

/** The action that hands a settled outcome to its asker. */
export function settle({ event }: { readonly event: SettledEvent }): void {
  // Inside an action XState's `self` and `system` mean nothing to a reply; there is no other way to choose between two.
  const args = { context: undefined, event } as never
  const params = undefined as never
  if (event.output.ok) giveValue(args, params)
  else giveError(args, params)
}

export const asTroupeError = (error: unknown): TroupeError =>
  error instanceof TroupeError ? error : new TroupeError('ActorFailed', describe(error), 'see the cause', {}, error)
