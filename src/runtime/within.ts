import type { Clock, Timer } from '../ground/clock.js'
import type { TroupeError } from '../ground/errors.js'
import { heed } from './heed.js'

/** Work that nobody waits for beyond `ms`, whether it heeds its signal or not; the signal fires with `outer` too. */
export async function within<T>(ms: number, { clock, outer, late }: { readonly clock: Clock; readonly outer: AbortSignal; readonly late: () => TroupeError }, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController()
  const release = heed(outer, () => own.abort(outer.reason))
  let timer: Timer | undefined
  const over = new Promise<never>((_, reject) => {
    timer = clock.timer(ms, () => {
      const error = late()
      own.abort(error)
      reject(error)
    })
  })
  try {
    return await Promise.race([work(own.signal), over])
  } finally {
    timer?.cancel()
    release()
  }
}
