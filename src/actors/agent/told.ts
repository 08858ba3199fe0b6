/** What a tool gave, as the model and everybody else is told of it. */
import { describe, TroupeError } from '../../ground/errors.js'
import { pack } from '../../runtime/codec.js'
import { OUTPUT_CHARS_MAX } from './limits.js'

export interface Result {
  readonly ok: boolean
  readonly output: unknown
  /** The model's own fault, which nobody else can mend. */
  readonly mistake?: boolean
  /** For the model to read before the output. */
  readonly note?: string
}

/** As the model reads it. */
export function readable(output: unknown): string {
  const text = typeof output === 'string' ? output : (JSON.stringify(output) ?? '')
  return text.length <= OUTPUT_CHARS_MAX ? text : `${text.slice(0, OUTPUT_CHARS_MAX)}\n[cut: ${text.length - OUTPUT_CHARS_MAX} more characters]`
}

/** What came of it: cut where it is too long, and a failure where it is nothing that can be sent or kept. */
export function told(output: unknown): Result {
  try {
    const text = readable(output)
    if (text.length > OUTPUT_CHARS_MAX) return { ok: true, output: text }
    pack(output)
    return { ok: true, output: output ?? null }
  } catch (error) {
    return { ok: false, output: `its result cannot be told: ${describe(error)}` }
  }
}

export const failure = (error: unknown, siblings: AbortSignal): Result => ({ ok: false, output: siblings.aborted ? 'cancelled, since a call beside it failed' : readable(error instanceof TroupeError ? `${error.code}: ${error.message}` : describe(error)) })
