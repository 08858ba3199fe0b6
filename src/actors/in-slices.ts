/** Long computations on the event loop, two milliseconds at a time. */
import { realClock, type Clock } from '../ground/clock.js'

/** How long a slice works before the event loop turns. */
const SLICE_MS = 2

/**
 * Runs a computation that yields often, and lets the event loop turn after each two milliseconds. The clock decides only
 * where it pauses, never what it computes, so a simulation gets the same result.
 */
export async function inSlices<T>(work: Generator<void, T>, signal?: AbortSignal, clock: Pick<Clock, 'elapsed' | 'nextTurn'> = realClock): Promise<T> {
  for (;;) {
    const end = clock.elapsed() + SLICE_MS
    do {
      const step = work.next()
      if (step.done === true) return step.value
    } while (clock.elapsed() < end)
    await new Promise<void>((resolve) => clock.nextTurn(resolve))
    signal?.throwIfAborted()
  }
}
