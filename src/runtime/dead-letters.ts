import type { Address } from './address.js'
import { compact, unpack } from './codec.js'
import type { DeadReason, Envelope } from './envelope.js'
import { DEAD_LETTERS_MAX, DEAD_LETTER_BYTES_MAX } from './limits.js'
import type { Message } from './protocol.js'

/** A message that nobody will process, and why. */
export interface DeadLetter {
  /** The envelope's id: for `troupe.why` and `replay`. */
  readonly id: number
  readonly reason: DeadReason
  readonly to: Address
  readonly from: Address
  readonly type: string
  readonly message: Message
  /** What was thrown, for reason `failed`. */
  readonly error?: unknown
}

interface Kept {
  readonly envelope: Envelope
  readonly body: Uint8Array
  readonly reason: DeadReason
  readonly error: unknown
}

export class DeadLetters {
  readonly #kept = new Map<number, Kept>()
  readonly #counts = new Map<DeadReason, number>()
  readonly #replaying = new Set<number>()
  readonly #resend: (to: Address, message: Message) => Promise<void>
  #bytes = 0

  constructor(resend: (to: Address, message: Message) => Promise<void>) {
    this.#resend = resend
  }

  /** @internal */
  add(envelope: Envelope, reason: DeadReason, error: unknown): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1)
    this.#drop(envelope.id)
    // What is kept long must not pin the slab that it was packed in.
    this.#kept.set(envelope.id, { envelope, body: compact(envelope.body), reason, error })
    this.#bytes += envelope.body.length
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= DEAD_LETTERS_MAX && this.#bytes <= DEAD_LETTER_BYTES_MAX) break
      this.#drop(id)
    }
  }

  /** The dead letters that are kept, oldest first: the last 1,000, or fewer when they are large. */
  list(): DeadLetter[] {
    return Array.from(this.#kept.values(), ({ envelope: { id, to, from, type }, body, reason, error }) => ({ id, reason, to, from, type, message: unpack(body) as Message, ...(error !== undefined && { error }) }))
  }

  /** How many there were, by reason, those no longer kept included. */
  counts(): Partial<Record<DeadReason, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** Sends a kept message again to where it was going, and forgets it once it was accepted. False when it is not kept, or under way. */
  async replay(id: number): Promise<boolean> {
    const kept = this.#kept.get(id)
    if (kept === undefined || this.#replaying.has(id)) return false
    this.#replaying.add(id)
    try {
      await this.#resend(kept.envelope.to, unpack(kept.body) as Message)
      this.#drop(id)
      return true
    } finally {
      this.#replaying.delete(id)
    }
  }

  #drop(id: number): void {
    const kept = this.#kept.get(id)
    if (kept === undefined) return
    this.#kept.delete(id)
    this.#bytes -= kept.body.length
  }
}
