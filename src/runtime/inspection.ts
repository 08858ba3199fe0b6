/** What happened to envelopes, from a bounded record; and the inspectors who watch it happen. */
import type { Address } from './address.js'
import type { CancelReason, DeadReason, Ending, Envelope } from './envelope.js'
import { RECORD_COUNT } from './limits.js'

/** One thing that happened to an envelope. */
export interface Fact {
  readonly kind: 'sent' | 'retried' | Exclude<Ending, 'waiting'>
  readonly id: number
  readonly type: string
  readonly from: Address
  readonly to: Address
  readonly cause: number
  readonly reason?: DeadReason | CancelReason
}
export type Inspector = (fact: Fact) => void

/** What became of one envelope. */
export interface Story {
  readonly id: number
  readonly type: string
  readonly from: Address
  readonly to: Address
  readonly ending: Ending
  readonly reason?: DeadReason | CancelReason
}
/** An envelope, the chain that led to it (first cause first), and what it caused. */
export interface Why extends Story {
  readonly because: readonly Story[]
  readonly caused: readonly Story[]
}

const ENDINGS: readonly Ending[] = ['waiting', 'handled', 'refused', 'expired', 'cancelled', 'dead-lettered', 'deferred', 'forwarded']
const MASK = RECORD_COUNT - 1

export class Inspection {
  // Columns instead of objects: recording an envelope must cost nanoseconds and keep no body alive.
  readonly #ids = new Float64Array(RECORD_COUNT)
  readonly #causes = new Float64Array(RECORD_COUNT)
  readonly #endings = new Uint8Array(RECORD_COUNT)
  readonly #types: string[] = Array.from({ length: RECORD_COUNT }, () => '')
  readonly #froms: Address[] = Array.from({ length: RECORD_COUNT }, () => '')
  readonly #tos: Address[] = Array.from({ length: RECORD_COUNT }, () => '')
  readonly #reasons: (DeadReason | CancelReason | undefined)[] = Array.from({ length: RECORD_COUNT })
  readonly #inspectors = new Set<Inspector>()

  /** Adds a watcher; the returned function removes it. What it throws is its own affair. */
  inspect(inspector: Inspector): () => void {
    this.#inspectors.add(inspector)
    return () => void this.#inspectors.delete(inspector)
  }

  sent(envelope: Envelope): void {
    const at = envelope.id & MASK
    this.#ids[at] = envelope.id
    this.#causes[at] = envelope.cause
    this.#endings[at] = 0
    this.#types[at] = envelope.type
    this.#froms[at] = envelope.from
    this.#tos[at] = envelope.to
    if (this.#reasons[at] !== undefined) this.#reasons[at] = undefined
    if (this.#inspectors.size > 0) this.#tell('sent', envelope)
  }

  handled(envelope: Envelope): void {
    envelope.ending = 'handled'
    const at = envelope.id & MASK
    if (this.#ids[at] === envelope.id) this.#endings[at] = 1
    if (this.#inspectors.size > 0) this.#tell('handled', envelope)
  }

  ended(envelope: Envelope, ending: Exclude<Ending, 'waiting'>, reason?: DeadReason | CancelReason): void {
    envelope.ending = ending
    const at = envelope.id & MASK
    if (this.#ids[at] === envelope.id) {
      this.#endings[at] = ENDINGS.indexOf(ending)
      this.#reasons[at] = reason
    }
    this.#tell(ending, envelope, reason)
  }

  retried(envelope: Envelope): void {
    this.#tell('retried', envelope)
  }

  /** The chain of what happened to an envelope and what it caused; `undefined` when the record no longer has it. */
  why(id: number): Why | undefined {
    const story = this.#story(id)
    if (story === undefined) return undefined
    const because: Story[] = []
    for (let cause = this.#cause(id); cause !== 0; cause = this.#cause(cause)) {
      const earlier = this.#story(cause)
      if (earlier === undefined) break
      because.unshift(earlier)
    }
    const caused = Array.from(this.#causes.keys())
      .filter((at) => this.#causes[at] === id && this.#ids[at] !== 0)
      .map((at) => this.#ids[at] as number)
      .toSorted((a, b) => a - b)
      .map((effect) => this.#story(effect) as Story)
    return { ...story, because, caused }
  }

  #cause(id: number): number {
    return this.#ids[id & MASK] === id ? (this.#causes[id & MASK] as number) : 0
  }

  #story(id: number): Story | undefined {
    const at = id & MASK
    if (id === 0 || this.#ids[at] !== id) return undefined
    const reason = this.#reasons[at]
    return { id, type: this.#types[at] as string, from: this.#froms[at] as string, to: this.#tos[at] as string, ending: ENDINGS[this.#endings[at] as number] as Ending, ...(reason && { reason }) }
  }

  #tell(kind: Fact['kind'], { id, type, from, to, cause }: Envelope, reason?: DeadReason | CancelReason): void {
    for (const inspector of this.#inspectors) {
      try {
        inspector({ kind, id, type, from, to, cause, ...(reason && { reason }) })
      } catch {
        // A watcher must not change what it watches.
      }
    }
  }
}
