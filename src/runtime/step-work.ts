/** What a step of a handler holds while it runs. */
import { milliseconds, type Duration } from '../ground/duration.js'
import { TroupeError } from '../ground/errors.js'
import type { Cell } from './cell.js'
import { within } from './within.js'

export interface StepWork {
  readonly signal: AbortSignal
  /** The same for each try of the same step. */
  readonly idempotencyKey: string
}

/** Its signal is its handler's, made on demand: most steps never look. */
export const stepWork = (me: Pick<StepWork, 'signal'>, idempotencyKey: string): StepWork => ({
  get signal() {
    return me.signal
  },
  idempotencyKey,
})

/** Runs a step that may take so long, and not longer. */
export function runWithin<T>(timeout: Duration, { address, parts: { clock } }: Cell, name: string, { signal: outer, idempotencyKey }: StepWork, run: (work: StepWork) => T | Promise<T>): Promise<T> {
  const late = (): TroupeError => new TroupeError('DeadlineExceeded', `step ${name} of ${address} took longer than ${timeout}`, 'give it a longer timeout, or less to do')
  return within(milliseconds(timeout), { clock, outer, late }, async (signal) => run({ signal, idempotencyKey }))
}
