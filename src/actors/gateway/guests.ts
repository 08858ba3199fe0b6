/** Who is here: what is remembered of each caller, and how much of the gateway it has for itself. */
import { TroupeError } from '../../ground/errors.js'
import type { Caller } from './keys.js'
import { CALLERS_MAX } from './limits.js'
import { Bucket } from './rates.js'

export class Guest {
  readonly bucket: Bucket
  /** Requests, streams and messages of conversations under way. */
  underWay = 0

  constructor(bucket: Bucket) {
    this.bucket = bucket
  }
}

export class Guests {
  readonly #known = new Map<string, Guest>()
  readonly #max: number

  constructor(max = CALLERS_MAX) {
    this.#max = max
  }

  of({ name, rate }: Caller): Guest {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    if (this.#known.size >= this.#max) this.#forgetOne()
    const guest = new Guest(new Bucket(rate?.burst ?? 0))
    this.#known.set(name, guest)
    return guest
  }

  /** The one that came first, of those who have nothing here: what the others have is still to be given back. */
  #forgetOne(): void {
    for (const [name, guest] of this.#known) {
      this.#known.delete(name)
      if (guest.underWay === 0) return
      // To the end, so that the next search does not begin with it.
      this.#known.set(name, guest)
    }
  }
}

/**
 * Owns: what may be under way at once. A caller with a key may have as much of it as it leaves free: half when it is alone.
 */
export class Places {
  #taken = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get taken(): number {
    return this.#taken
  }

  /** Why this caller cannot begin something now. */
  refusal({ name, rate }: Caller, { underWay }: Guest): TroupeError | undefined {
    const free = this.#max - this.#taken
    if (free > 0 && (rate === undefined || underWay < free)) return undefined
    const message = free > 0 ? `${name} has ${underWay} requests under way, and must leave as much room for others` : `${this.#max} requests are under way`
    return new TroupeError('Overloaded', message, 'try again after details.retryAfterMs', { retryAfterMs: 1_000 })
  }

  take(guest: Guest): void {
    this.#taken++
    guest.underWay++
  }

  give(guest: Guest): void {
    this.#taken--
    guest.underWay--
  }
}
