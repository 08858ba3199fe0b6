/** A stream from one producer to one reader: chunks with credit, and an explicit end. */
import type { Clock, Timer } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { isolate } from './isolate.js'
import { STREAM_IDLE_MS, STREAM_WINDOW } from './limits.js'

type End = { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly error: TroupeError } | { readonly kind: 'left' }

/**
 * Invariant: at most STREAM_WINDOW chunks wait for the reader; a producer that is further ahead waits for it.
 * Chunks are packed and unpacked, so that producer and reader share no memory. A producer does not wait for ever for a
 * reader that takes nothing.
 */
export class Channel implements AsyncIterableIterator<unknown> {
  readonly #chunks: unknown[] = []
  #end: End | undefined
  /** Those who asked for a chunk that is not there yet: one, unless the iterator is read by hand. */
  readonly #readers: { readonly resolve: (result: IteratorResult<unknown>) => void; readonly reject: (error: unknown) => void }[] = []
  #producer: (() => void) | undefined
  /** Stands while a producer waits, and lazily a while longer: one for each wait would cost more than the chunk. */
  #watch: Timer | undefined
  #waitsSince = 0
  /** Whether anything was written to it. */
  begun = false
  /** The ask that opened it; 0 when it could not be opened. */
  id = 0
  readonly #onLeave: () => void
  readonly #onWait: (waiting: boolean) => void
  /** A promise when the event loop is to have its turn before the next chunk. */
  readonly breathe: () => Promise<void> | undefined

  readonly #clock: Clock
  readonly #idleMs: number

  /**
   * `onLeave` is called once when the reader leaves early, or takes nothing for `idleMs`; `onWait` when it starts and
   * stops waiting for a chunk.
   */
  constructor(onLeave: () => void, onWait: (waiting: boolean) => void, breathe: () => Promise<void> | undefined, clock: Clock, idleMs = STREAM_IDLE_MS) {
    this.#clock = clock
    this.#idleMs = idleMs
    this.#onLeave = onLeave
    this.#onWait = onWait
    this.breathe = breathe
  }

  /** Whether the producer may stop: the reader left, or the stream ended otherwise. */
  get closed(): boolean {
    return this.#end !== undefined
  }

  /** Hands over a chunk; a promise when the producer is to wait before the next. */
  write(chunk: unknown): Promise<void> | undefined {
    if (this.#end !== undefined) return undefined
    const own = isolate(chunk)
    this.begun = true
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      this.#onWait(this.#readers.length > 0)
      reader.resolve({ done: false, value: own })
      return undefined
    }
    this.#chunks.push(own)
    if (this.#chunks.length < STREAM_WINDOW) return undefined
    this.#waitsSince = this.#clock.now()
    if (this.#watch === undefined) this.#watchReader(this.#idleMs)
    return new Promise((resolve) => (this.#producer = resolve))
  }

  /** No more chunks; those that wait are still read. */
  end(): void {
    this.#close({ kind: 'ended' })
  }

  /** The reader gets this error after the chunks that wait. */
  fail(error: TroupeError): void {
    this.#close({ kind: 'failed', error })
  }

  next(): Promise<IteratorResult<unknown>> {
    if (this.#chunks.length > 0) {
      const value = this.#chunks.shift()
      this.#wakeProducer()
      return Promise.resolve({ done: false, value })
    }
    if (this.#end !== undefined) return this.#last(this.#end)
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject })
      this.#onWait(true)
    })
  }

  return(): Promise<IteratorResult<unknown>> {
    const open = this.#end === undefined
    this.#chunks.length = 0
    this.#close({ kind: 'left' })
    // Whatever end stood there: who has left is told no more of it.
    this.#end = { kind: 'left' }
    if (open) this.#onLeave()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #close(end: End): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#watch?.cancel()
    this.#wakeProducer()
    if (this.#readers.length > 0) this.#onWait(false)
    for (const reader of this.#readers.splice(0)) this.#last(this.#end).then(reader.resolve, reader.reject)
  }

  #last(end: End): Promise<IteratorResult<unknown>> {
    if (end.kind !== 'failed') return Promise.resolve({ done: true, value: undefined })
    // The error is told once; after it the stream has ended.
    this.#end = { kind: 'ended' }
    return Promise.reject(end.error)
  }

  #watchReader(ms: number): void {
    if (this.#idleMs === Infinity) return
    // In the background: what keeps the process alive for an open stream is the ask behind it.
    this.#watch = this.#clock.timer(ms, () => this.#lookAtReader(), true)
  }

  #lookAtReader(): void {
    this.#watch = undefined
    if (this.#producer === undefined) return
    const leftMs = this.#waitsSince + this.#idleMs - this.#clock.now()
    if (leftMs > 0) return this.#watchReader(leftMs)
    this.fail(new TroupeError('Gone', `nobody read the stream for ${this.#idleMs} ms, so its producer was called off`, 'read on within { idle }, or leave the loop when you do not want the rest', { id: this.id }))
    this.#onLeave()
  }

  #wakeProducer(): void {
    const wake = this.#producer
    this.#producer = undefined
    wake?.()
  }
}

/** Lets chunks flow from an iterable into a channel, no faster than they are read; gives what the iterable returned. */
export async function flow(source: AsyncIterable<unknown> | Iterable<unknown>, channel: Channel, check: (chunk: unknown) => void): Promise<unknown> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
  for (;;) {
    const result = await iterator.next()
    if (result.done === true) return result.value
    try {
      check(result.value)
      const wait = channel.write(result.value) ?? channel.breathe()
      if (wait !== undefined) await wait
    } catch (error) {
      // Its own `finally` may fail too; what counts is what was wrong first.
      await Promise.resolve(iterator.return?.()).catch(() => {})
      throw error
    }
    if (channel.closed) {
      await iterator.return?.()
      return undefined
    }
  }
}
