/** What a gateway says in place of an answer, as the error it was there. */
import { TroupeError, describe, type ErrorData } from '../ground/errors.js'
import { beginningOf } from './body.js'
import { PROBLEM_CHARS_MAX } from './limits.js'

/** An error as it came over the wire. */
export function fromProblem(problem: unknown): TroupeError {
  const { code, message, hint, details } = (typeof problem === 'object' && problem !== null ? problem : {}) as Partial<ErrorData>
  if (typeof code === 'string' && typeof message === 'string' && typeof hint === 'string') return TroupeError.fromData({ code, message, hint, details: details ?? {} })
  return noGateway(JSON.stringify(problem) ?? '')
}

/** Something answers, but not in our words. */
export const noGateway = (answer: string): TroupeError => new TroupeError('Interrupted', 'what answers there is no gateway of Troupe', 'check the address, and what stands before the gateway', { answer: answer.slice(0, 200) })

/** JSON from the other side. Throws what `noGateway` says where it is none. */
export function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw noGateway(text)
  }
}

/** The error that a response carries. */
export async function fromResponse(response: Response): Promise<TroupeError> {
  const text = await beginningOf(response, PROBLEM_CHARS_MAX)
  try {
    return fromProblem(JSON.parse(text))
  } catch {
    return new TroupeError('Interrupted', `${response.status} ${response.statusText}, from something before the gateway`, 'look at the proxy between', { answer: text.slice(0, 200) })
  }
}

/** Why there was no answer at all. */
export function unreachable(error: unknown, url: string, signal: AbortSignal | undefined): TroupeError {
  if (error instanceof TroupeError) return error
  if (signal?.aborted === true) return calledOff(error)
  return new TroupeError('Interrupted', `${url} cannot be reached: ${describe((error as { cause?: unknown }).cause ?? error)}`, 'see whether it is there, then try again', {}, error)
}

/** What a caller is told who called its message off. */
export const calledOff = (cause?: unknown): TroupeError => new TroupeError('Cancelled', 'the message was called off', 'the signal given with it has fired', { reason: 'caller' }, cause)

/** What a caller is told when nobody answers, not even that the time is over. */
export const unanswered = (url: string, cause?: unknown): TroupeError => new TroupeError('DeadlineExceeded', `${url} did not answer in time`, 'give it more time with { timeout }, or see whether it is there', {}, cause)

/** What a caller is told of a connection on which nothing comes any more, although the other side would show that it lives. */
export const silent = (url: string, ms: number): TroupeError => new TroupeError('Interrupted', `nothing came from ${url} for ${ms} ms`, 'see whether it is there, then try again')
