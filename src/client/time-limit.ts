/** How long a call may take: a signal that fires when its time is over, or when its caller calls it off. */
import type { Clock } from '../ground/clock.js'

export interface TimeLimit {
  readonly signal: AbortSignal
  readonly isOver: () => boolean
  readonly lift: () => void
}

export function timeLimit(clock: Clock, ms: number, caller: AbortSignal | undefined): TimeLimit {
  const abort = new AbortController()
  let over = false
  const leave = (): void => abort.abort()
  const timer = clock.timer(ms, () => {
    over = true
    leave()
  })
  if (caller?.aborted === true) leave()
  caller?.addEventListener('abort', leave)
  return {
    signal: abort.signal,
    isOver: () => over,
    lift: () => {
      timer.cancel()
      caller?.removeEventListener('abort', leave)
    },
  }
}
