/** A caller's AbortSignal, heeded by many at once through one listener, which goes when nobody heeds it any more. */

interface Heeding {
  readonly callbacks: Set<() => void>
  readonly onAbort: () => void
}
const heedings = new WeakMap<AbortSignal, Heeding>()

/** Calls `callback` once when the signal fires, which it has not yet; the returned function takes that back. */
export function heed(signal: AbortSignal, callback: () => void): () => void {
  const heeding = heedings.get(signal) ?? listen(signal)
  // A wrapper, so that one callback given twice is called twice.
  const called = (): void => callback()
  heeding.callbacks.add(called)
  return () => {
    if (!heeding.callbacks.delete(called) || heeding.callbacks.size > 0) return
    if (heedings.get(signal) === heeding) heedings.delete(signal)
    signal.removeEventListener('abort', heeding.onAbort)
  }
}

function listen(signal: AbortSignal): Heeding {
  const callbacks = new Set<() => void>()
  const onAbort = (): void => {
    heedings.delete(signal)
    for (const callback of callbacks) callback()
  }
  const heeding = { callbacks, onAbort }
  heedings.set(signal, heeding)
  signal.addEventListener('abort', onAbort, { once: true })
  return heeding
}
