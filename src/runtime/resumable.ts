/**
 * Owns: streams that outlive their reader for a while, and the last chunks of each, numbered from 1.
 * Does not own: the flow of chunks; that is the channel's, from which one reader at a time draws.
 *
 * Invariants:
 * U1. The chunks kept are the last ones drawn, without a gap, within RESUME_CHUNKS and RESUME_BYTES; the last one always is.
 * U2. A stream that is nobody's (its reader left, it has ended, or its channel gave up on the reader) is let go after
 *     RESUME_MS; then its producer is told.
 */
import type { Clock, Timer } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { compact, pack, unpack } from './codec.js'
import { overloaded } from './endings.js'
import { RESUMABLE_MAX, RESUME_BYTES, RESUME_CHUNKS, RESUME_MS } from './limits.js'
import type { ResumableStream } from './ref.js'
import { Channel } from './streams.js'

type Result = IteratorResult<unknown>
const DONE: Result = { done: true, value: undefined }

export class Resumables {
  readonly #kept = new Map<number, Kept>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Keeps a stream that `open` opens, and gives its first reader, who is told `Overloaded` when too many are kept. */
  keep(open: () => Channel): ResumableStream<unknown> {
    const channel = this.#kept.size < RESUMABLE_MAX ? open() : refused(this.#clock)
    const kept = new Kept(channel, this.#clock, () => this.#kept.delete(channel.id))
    // What could not be opened has nothing to come back to.
    if (channel.id !== 0) {
      this.#kept.set(channel.id, kept)
      kept.watch(RESUME_MS)
    }
    return kept.reader(0)
  }

  /** A reader that goes on after the chunk of this number; whoever reads the stream now is told `Gone`. Throws `Gone` when that is no longer kept. */
  resume(id: number, after: number): ResumableStream<unknown> {
    const kept = this.#kept.get(id)
    if (kept === undefined) throw gone(`no stream ${id} is kept`)
    return kept.reader(after)
  }

  /** The troupe begins to stop: work that nobody waits for need not be finished. */
  letGoUnread(): void {
    for (const kept of this.#kept.values()) if (!kept.isRead) kept.letGo()
  }

  /** The troupe has stopped, and every stream with it. */
  close(): void {
    for (const kept of this.#kept.values()) kept.unwatch()
    this.#kept.clear()
  }
}

const gone = (what: string): TroupeError => new TroupeError('Gone', what, `a stream keeps its last ${RESUME_CHUNKS} chunks, for ${RESUME_MS / 1_000} s after its reader left: open it anew`)

function refused(clock: Clock): Channel {
  const nothing = (): undefined => undefined
  const channel = new Channel(nothing, nothing, nothing, clock)
  channel.fail(overloaded(`${RESUMABLE_MAX} resumable streams are kept`, 1_000))
  return channel
}

class Kept {
  readonly #channel: Channel
  readonly #clock: Clock
  readonly #onLetGo: () => void
  readonly #chunks: Uint8Array[] = []
  /** The number of the first chunk kept. */
  #first = 1
  #bytes = 0
  #last: (() => Promise<Result>) | undefined
  /** The chunk that is being drawn: a reader that takes over must not draw past it. */
  #drawing: Promise<void> | undefined
  #reader: Reader | undefined
  /** When it became nobody's. */
  #since: number | undefined
  #timer: Timer | undefined

  constructor(channel: Channel, clock: Clock, onLetGo: () => void) {
    this.#channel = channel
    this.#clock = clock
    this.#onLetGo = onLetGo
  }

  get id(): number {
    return this.#channel.id
  }

  reader(after: number): Reader {
    const next = this.#first + this.#chunks.length
    if (!(after >= this.#first - 1 && after < next)) throw gone(`of stream ${this.id} the chunks ${this.#first} to ${next - 1} are kept, and none is wanted after ${after}`)
    this.#since = undefined
    this.#reader = new Reader(this, after)
    if (this.#last !== undefined) this.#nobodys()
    return this.#reader
  }

  /** The chunk of this number, or how the stream ended before it. */
  async at(sequence: number, reader: Reader): Promise<Result> {
    if (this.#last === undefined && reader === this.#reader) this.#since = undefined
    while (sequence >= this.#first + this.#chunks.length && this.#last === undefined) await (this.#drawing ??= this.#draw())
    if (reader !== this.#reader) throw gone(`stream ${this.id} has another reader now`)
    const chunk = this.#chunks[sequence - this.#first]
    if (chunk !== undefined) return { done: false, value: unpack(chunk) }
    return (this.#last as () => Promise<Result>)()
  }

  async #draw(): Promise<void> {
    try {
      const result = await this.#channel.next()
      if (result.done === true) this.#last = () => Promise.resolve(DONE)
      else this.#keep(compact(pack(result.value)))
    } catch (error) {
      const told = error as TroupeError
      this.#last = () => Promise.reject(told)
    }
    this.#drawing = undefined
    if (this.#last !== undefined) this.#nobodys()
  }

  #keep(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    while (this.#chunks.length > RESUME_CHUNKS || (this.#bytes > RESUME_BYTES && this.#chunks.length > 1)) {
      this.#bytes -= (this.#chunks.shift() as Uint8Array).length
      this.#first++
    }
  }

  left(reader: Reader): void {
    if (reader !== this.#reader) return
    this.#reader = undefined
    this.#nobodys()
  }

  get isRead(): boolean {
    return this.#reader !== undefined && this.#last === undefined
  }

  watch(ms: number): void {
    this.#timer = this.#clock.timer(ms, () => this.#look(), true)
  }

  unwatch(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #nobodys(): void {
    this.#since = this.#clock.now()
    if (this.#timer === undefined) return
    this.#timer.cancel()
    this.watch(RESUME_MS)
  }

  #look(): void {
    const now = this.#clock.now()
    if (!this.isRead || this.#channel.closed) this.#since ??= now
    const leftMs = this.#since === undefined ? RESUME_MS : this.#since + RESUME_MS - now
    if (leftMs > 0) this.watch(leftMs)
    else this.letGo()
  }

  letGo(): void {
    this.unwatch()
    this.#onLetGo()
    // One that is closed has its end, and its reader is still to hear it.
    if (!this.#channel.closed) void this.#channel.return()
  }
}

class Reader implements ResumableStream<unknown> {
  readonly #kept: Kept
  #left = false
  /** Chunks asked for before others have come are drawn in their order. */
  #before: Promise<unknown> = Promise.resolve()
  sequence: number

  constructor(kept: Kept, sequence: number) {
    this.#kept = kept
    this.sequence = sequence
  }

  get id(): number {
    return this.#kept.id
  }

  next(): Promise<Result> {
    const result = this.#before.then(() => this.#next())
    this.#before = result.catch(() => {})
    return result
  }

  async #next(): Promise<Result> {
    if (this.#left) return DONE
    try {
      const result = await this.#kept.at(this.sequence + 1, this)
      if (this.#left) return DONE
      if (result.done === true) this.#left = true
      else this.sequence++
      return result
    } catch (error) {
      this.#left = true
      throw error
    }
  }

  return(): Promise<Result> {
    this.#left = true
    this.#kept.left(this)
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
