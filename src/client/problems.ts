/** What a gateway says in place of an answer, as the error it was there. */
import { TroupeError, describe, type ErrorData } from '../ground/errors.js'

/** An error as it came over the wire. */
export function fromProblem(problem: unknown): TroupeError {
  const { code, message, hint, details } = (typeof problem === 'object' && problem !== null ? problem : {}) as Partial<ErrorData>
  if (typeof code === 'string' && typeof message === 'string' && typeof hint === 'string') return TroupeError.fromData({ code, message, hint, details: details ?? {} })
  return new TroupeError('Interrupted', 'what answers there is no gateway of Troupe', 'check the address', { answer: JSON.stringify(problem)?.slice(0, 200) })
}

/** The error that a response carries. */
export async function fromResponse(response: Response): Promise<TroupeError> {
  const text = await response.text()
  try {
    return fromProblem(JSON.parse(text))
  } catch {
    return new TroupeError('Interrupted', `${response.status} ${response.statusText}, from something before the gateway`, 'look at the proxy between', { answer: text.slice(0, 200) })
  }
}

/** Why there was no answer at all. */
export function unreachable(error: unknown, url: string, signal: AbortSignal | undefined): TroupeError {
  if (error instanceof TroupeError) return error
  if (signal?.aborted === true) return new TroupeError('Cancelled', `the call to ${url} was called off`, 'the signal given with it has fired', { reason: 'caller' }, error)
  return new TroupeError('Interrupted', `${url} cannot be reached: ${describe((error as { cause?: unknown }).cause ?? error)}`, 'see whether it is there, then try again', {}, error)
}
