/** Failures that pass: whoever waits and does the same again may well succeed. */
import { TroupeError } from '../../ground/errors.js'
import { MODEL_RETRIES, MODEL_WAIT_MAX_MS, MODEL_WAIT_MS } from './limits.js'

/** Whether it says itself when to come again, or is what a busy actor at its root said. */
export const passes = (error: unknown): boolean => error instanceof TroupeError && typeof error.details['retryAfterMs'] === 'number'

/** How long to wait before the same is tried again, having been tried so often; nothing when that will not help. */
export function waitBefore(error: unknown, tried: number): number | undefined {
  if (!(error instanceof TroupeError) || tried >= MODEL_RETRIES) return undefined
  const { reason, retryAfterMs, status } = error.details as { readonly reason?: string; readonly retryAfterMs?: number; readonly status?: number }
  const passing = error.code === 'Overloaded' || (error.code === 'ModelFailed' && (reason === 'connection' || (status ?? 0) >= 500))
  const waitMs = retryAfterMs ?? MODEL_WAIT_MS * 2 ** tried
  return passing && waitMs <= MODEL_WAIT_MAX_MS ? waitMs : undefined
}
