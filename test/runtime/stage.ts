// What the runtime's tests share: a schema that takes anything, and something to wait for.
import type { Schema } from '../../src/runtime/protocol.js'

/** Takes everything, and says only to the compiler what it is. */
export const any = <T>(): Schema<T> => ({ '~standard': { version: 1, vendor: 'stage', validate: (value) => ({ value: value as T }) } })

export interface Gate<T = void> {
  readonly passed: Promise<T>
  open(value: T): void
}
/** A promise that the test settles. */
export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void
  const passed = new Promise<T>((resolve) => (open = resolve))
  return { passed, open: (value) => open(value) }
}

/** What a promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<{ readonly code?: string; readonly message?: string; readonly details?: Record<string, unknown>; readonly cause?: unknown }> {
  try {
    await promise
  } catch (error) {
    return error as object
  }
  throw new Error('it was not rejected')
}

/** The next turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
