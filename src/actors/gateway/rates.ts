/** How often each caller may come: a token bucket for each, on the injected clock. */
import type { Clock } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import { CALLERS_MAX } from './limits.js'
import { refusal } from './statuses.js'

export interface Rate {
  /** Requests a second in the long run. */
  readonly perSecond: number
  /** Requests at once after a rest. */
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/** Throws `InvalidDefinition` for a rate at which nobody could ever come. */
export function checkRate({ perSecond, burst }: Rate): void {
  if (perSecond > 0 && burst >= 1) return
  throw new TroupeError('InvalidDefinition', `a rate of ${perSecond} a second, ${burst} at once`, 'give perSecond above 0 and burst from 1')
}

export class Rates {
  readonly #buckets = new Map<string, Bucket>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one request; a refusal with the status 429 when there were too many. */
  take(caller: string, { perSecond, burst }: Rate): TroupeError | undefined {
    const now = this.#clock.now()
    const bucket = this.#bucket(caller, burst, now)
    // A clock that was set back gives nothing and takes nothing.
    bucket.tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1_000) * perSecond)
    bucket.at = now
    if (bucket.tokens < 1) {
      const retryAfterMs = Math.ceil(((1 - bucket.tokens) / perSecond) * 1_000)
      return refusal(429, 'Overloaded', `${caller} may come ${perSecond} times a second, ${burst} at once`, 'try again after details.retryAfterMs', { retryAfterMs })
    }
    bucket.tokens--
    return undefined
  }

  #bucket(caller: string, burst: number, now: number): Bucket {
    const known = this.#buckets.get(caller)
    if (known !== undefined) return known
    const bucket = { tokens: burst, at: now }
    if (this.#buckets.size >= CALLERS_MAX) this.#buckets.delete(this.#buckets.keys().next().value as string)
    this.#buckets.set(caller, bucket)
    return bucket
  }
}
