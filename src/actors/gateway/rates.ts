/** How often each caller may come: a token bucket for each. */
import { TroupeError } from '../../ground/errors.js'
import { refusal } from './statuses.js'

export interface Rate {
  /** Requests a second in the long run. */
  readonly perSecond: number
  /** Requests at once after a rest. */
  readonly burst: number
}

/** Throws `InvalidDefinition` for a rate at which nobody could ever come. */
export function checkRate({ perSecond, burst }: Rate): void {
  if (perSecond > 0 && burst >= 1) return
  throw new TroupeError('InvalidDefinition', `a rate of ${perSecond} a second, ${burst} at once`, 'give perSecond above 0 and burst from 1')
}

export class Bucket {
  #tokens: number
  #at = Infinity

  constructor(tokens: number) {
    this.#tokens = tokens
  }

  /** Counts one request; a refusal with the status 429 when there were too many. */
  take(caller: string, { perSecond, burst }: Rate, now: number): TroupeError | undefined {
    // A clock that was set back gives nothing and takes nothing.
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, now - this.#at) / 1_000) * perSecond)
    this.#at = now
    if (this.#tokens < 1) {
      const retryAfterMs = Math.ceil(((1 - this.#tokens) / perSecond) * 1_000)
      return refusal(429, 'Overloaded', `${caller} may come ${perSecond} times a second, ${burst} at once`, 'try again after details.retryAfterMs', { retryAfterMs })
    }
    this.#tokens--
    return undefined
  }
}
