/** Every way Troupe can fail, by its stable name. `docs/errors.md` says what each means and what to do. */
export type ErrorCode =
  | 'Overloaded'
  | 'DeadlineExceeded'
  | 'Cancelled'
  | 'Unhandled'
  | 'NoSuchActor'
  | 'ActorFailed'
  | 'AskCycle'
  | 'InvalidMessage'
  | 'InvalidDefinition'
  | 'Interrupted'
  | 'Gone'
  | 'ModelNotFound'
  | 'ModelFailed'
  | 'OutOfMemory'
  | 'MissingDependency'
  | 'StoreCorrupt'
  | 'Incompatible'
  | 'Unauthorized'
  | 'Refused'
  | 'SimulationFailed'

/** Facts about a failure that a program can act on, as plain data. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** A `TroupeError` as it crosses envelopes and threads. */
export interface ErrorData {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly details?: ErrorDetails
  readonly cause?: string
}

/**
 * The one error class of Troupe: a stable `code`, a message that says what was wrong with which value,
 * and a `hint` that says what to do.
 */
export class TroupeError extends Error {
  override readonly name = 'TroupeError'
  readonly code: ErrorCode
  readonly hint: string
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, hint: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.hint = hint
    this.details = details
  }

  toData(): ErrorData {
    const cause = this.cause === undefined ? {} : { cause: describe(this.cause) }
    return { code: this.code, message: this.message, hint: this.hint, details: this.details, ...cause }
  }

  static fromData(data: ErrorData): TroupeError {
    return new TroupeError(data.code, data.message, data.hint, data.details, data.cause)
  }
}

/** One line about anything that was thrown. */
export function describe(thrown: unknown): string {
  try {
    if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`
    return typeof thrown === 'object' && thrown !== null ? JSON.stringify([thrown]).slice(1, -1) : String(thrown)
  } catch {
    return 'something that cannot be told was thrown'
  }
}

/** Whatever was thrown, as the one class that crosses envelopes. */
export const asTroupeError = (thrown: unknown): TroupeError => (thrown instanceof TroupeError ? thrown : new TroupeError('ActorFailed', describe(thrown), 'see the cause', {}, thrown))
