/** Errors as HTTP says them: a status for each code, and no more of the inside than a stranger may see. */
import { TroupeError, type ErrorCode } from '../../ground/errors.js'

/** What a caller gets in place of an answer. */
export interface Problem {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** What is not listed is a fault of the inside. */
const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  InvalidMessage: 400,
  Unauthorized: 403,
  NoSuchActor: 404,
  Gone: 410,
  Unhandled: 422,
  Refused: 422,
  Interrupted: 502,
  Overloaded: 503,
  Cancelled: 503,
  DeadlineExceeded: 504,
}

/** Details that tell a caller what to do, and nothing of the inside. */
const TOLD = ['issues', 'retryAfterMs', 'id', 'reason'] as const

/** What went wrong inside is for the log; a caller gets where to look it up. */
const OURS = 'the fault is not yours; the operator finds the cause under details.id'

/** Beside the errors, since their details may come from anywhere: a model's provider has statuses too. */
const own = new WeakMap<TroupeError, number>()

/** An error with a status of its own, where the code alone would say another. */
export function refusal(status: number, code: ErrorCode, message: string, hint: string, details: Readonly<Record<string, unknown>> = {}): TroupeError {
  const error = new TroupeError(code, message, hint, details)
  own.set(error, status)
  return error
}

export function statusOf(error: TroupeError): number {
  // It is the gateway's own key that a provider refused, not the caller's.
  if (error.code === 'Unauthorized' && 'provider' in error.details) return 500
  return own.get(error) ?? STATUS[error.code] ?? 500
}

/** Seconds after which a caller may try again, where the error says so. */
export function retryAfter({ details }: TroupeError): string | undefined {
  const ms = details['retryAfterMs']
  return typeof ms === 'number' ? String(Math.max(1, Math.ceil(ms / 1_000))) : undefined
}

export function problemOf(error: TroupeError): Problem {
  const { code, message, hint } = error
  const told = Object.fromEntries(TOLD.flatMap((name) => (name in error.details ? [[name, error.details[name]]] : [])))
  const details = Object.keys(told).length === 0 ? {} : { details: told }
  const known = statusOf(error) !== 500
  return known ? { code, message, hint, ...details } : { code, message: `${code}, with a cause that stays inside`, hint: OURS, ...details }
}
