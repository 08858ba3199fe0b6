/**
 * Owns: which streams a caller may come back to, and whose they are.
 * Does not own: their chunks; the troupe keeps those, for a minute after their reader left.
 */
import { createHmac, generateKeySync, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { Clock, Timer } from '../../ground/clock.js'
import { TroupeError } from '../../ground/errors.js'
import type { Message, Ref, ResumableStream, Troupe } from '../../runtime/index.js'
import { RESUME_MS } from '../../runtime/limits.js'
import type { Caller } from './keys.js'
import { KEPT_STREAMS_MAX } from './limits.js'

interface Kept {
  readonly owner: Owner
  readonly abort: AbortController
  /** Forgets it, once its reader has left. */
  timer: Timer | undefined
  /** The last one; who read before has nothing to say any more. */
  reading: Reading | undefined
}
/** Whose stream it is, and of which actor. */
export interface Owner {
  readonly caller: Caller
  readonly address: string
}

/** A stream with a reader, and a name for each of its chunks that only its owner can use. */
export interface Reading {
  readonly chunks: ResumableStream<unknown>
  /** The id of the event that carries the chunk read last. */
  readonly eventId: () => string
  /** The reader has gone, or has been sent the end: whether that reached it nobody knows. */
  readonly left: () => void
}

const gone = (): TroupeError => new TroupeError('Gone', 'no such stream is kept for you', 'a stream is kept for a minute after its reader left, with its last 1,000 chunks: open it anew')

export class KeptStreams {
  readonly #troupe: Troupe
  readonly #clock: Clock
  readonly #kept = new Map<number, Kept>()
  readonly #secret: KeyObject = generateKeySync('hmac', { length: 256 })

  readonly #max: number

  constructor(troupe: Troupe, clock: Clock, max = KEPT_STREAMS_MAX) {
    this.#troupe = troupe
    this.#clock = clock
    this.#max = max
  }

  /** Opens a stream that is kept; `undefined` when too many are, of all or of this owner. */
  open(ref: Ref, message: Message, owner: Owner, timeout: number | undefined): Reading | undefined {
    if (!this.#hasRoom(owner.caller)) return undefined
    const abort = new AbortController()
    const chunks = ref.stream(message as never, { resumable: true, signal: abort.signal, ...(timeout !== undefined && { timeout }) }) as ResumableStream<unknown>
    const kept: Kept = { owner, abort, timer: undefined, reading: undefined }
    if (chunks.id !== 0) this.#kept.set(chunks.id, kept)
    return this.#reading(chunks, kept)
  }

  /** Goes on after the event of this id. Throws `Gone` when it is not kept, or not this owner's. */
  resume(eventId: string, owner: Owner): Reading {
    const { id, after, kept } = this.#find(eventId, owner)
    const chunks = this.#troupe.resume(id, { after })
    kept.timer?.cancel()
    kept.timer = undefined
    return this.#reading(chunks, kept)
  }

  /** Its owner does not come back: the work behind it is called off. */
  cancel(eventId: string, owner: Owner): void {
    const { id, kept } = this.#find(eventId, owner)
    this.#forget(id, kept)
    kept.abort.abort()
  }

  stop(): void {
    for (const [id, kept] of this.#kept) {
      this.#forget(id, kept)
      kept.abort.abort()
    }
  }

  /** A caller with a key may have as many as it leaves free, as with requests under way. */
  #hasRoom({ name, rate }: Caller): boolean {
    const free = this.#max - this.#kept.size
    if (free <= 0 || rate === undefined) return free > 0
    let own = 0
    for (const { owner } of this.#kept.values()) if (owner.caller.name === name) own++
    return own < free
  }

  #reading(chunks: ResumableStream<unknown>, kept: Kept): Reading {
    const { id } = chunks
    const proof = this.#proof(id, kept.owner)
    const reading: Reading = {
      chunks,
      eventId: () => `${id}.${chunks.sequence}.${proof}`,
      left: () => {
        if (kept.reading === reading && this.#kept.get(id) === kept) kept.timer = this.#clock.timer(RESUME_MS, () => this.#forget(id, kept), true)
      },
    }
    kept.reading = reading
    return reading
  }

  #find(eventId: string, owner: Owner): { readonly id: number; readonly after: number; readonly kept: Kept } {
    const [, id, after, proof] = /^(\d{1,16})\.(\d{1,15})\.([\w-]{22})$/.exec(eventId) ?? []
    const kept = this.#kept.get(Number(id))
    if (kept === undefined || proof === undefined || !timingSafeEqual(Buffer.from(proof), Buffer.from(this.#proof(Number(id), owner)))) throw gone()
    return { id: Number(id), after: Number(after), kept }
  }

  #forget(id: number, kept: Kept): void {
    kept.timer?.cancel()
    if (this.#kept.get(id) === kept) this.#kept.delete(id)
  }

  /** Ids count up, so they alone would let anybody guess another's stream. */
  #proof(id: number, { caller, address }: Owner): string {
    return createHmac('sha256', this.#secret).update(JSON.stringify([id, caller.name, address])).digest('base64url').slice(0, 22)
  }
}
