import { heed } from '../../runtime/heed.js'

/** Waits for work no longer than it is wanted; work that does not heed the signal is left to itself. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let release: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => (release = heed(signal, () => reject(signal.reason as Error))))
  try {
    return await Promise.race([work(), aborted])
  } finally {
    release()
  }
}
