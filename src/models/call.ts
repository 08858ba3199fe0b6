/** A call that came in: one answer out of one or many pieces of work, with whatever may end it early. */
import type { Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { Answer, type Join, type Producer } from './inference.js'
import type { InferOptions } from './kernel.js'

export interface CallOptions {
  readonly clock: Clock
  readonly how: InferOptions
  /** How many pieces of work it waits for. */
  readonly count: number
  /** Characters of text it holds while it waits. */
  readonly chars: number
  readonly join?: Join<unknown>
  /** The one thing to do when it ended, whatever way. */
  readonly onEnd: (call: Call) => void
}

/**
 * C1. A call ends once: with its results, or with one error.
 * C2. When it ends, its timer and its listener go with it.
 */
export class Call {
  readonly answer: Answer<unknown, unknown>
  readonly chars: number
  /** Set while a thread works on it, so that credit and leaving reach that thread. */
  producer: Producer | undefined
  readonly #leavers = new Set<() => void>()
  readonly #results: unknown[]
  readonly #onEnd: (call: Call) => void
  #missing: number
  #told = 0
  #undo: (() => void)[] = []

  constructor({ clock, how, count, chars, join, onEnd }: CallOptions) {
    this.chars = chars
    this.#results = Array.from<unknown>({ length: count })
    this.#missing = count
    this.#onEnd = onEnd
    this.answer = new Answer<unknown, unknown>({ taken: (parts) => this.producer?.taken(parts), left: () => this.fail(cancelled('its reader left')) }, join)
    this.#watch(how, clock)
  }

  get ended(): boolean {
    return this.answer.ended
  }
  /** Pieces that have no result. */
  get missing(): number {
    return this.#missing
  }

  /** Calls `tell` when the call fails before its end: whoever works on it may leave off. */
  whenLeft(tell: () => void): void {
    this.#leavers.add(tell)
  }
  /** Takes that back. */
  noLonger(tell: () => void): void {
    this.#leavers.delete(tell)
  }

  /** The result of one piece; parts are told in the order of the inputs. */
  settle(index: number, result: unknown): void {
    if (this.ended) return
    this.#results[index] = { result }
    this.#missing--
    for (let next = this.#results[this.#told]; next !== undefined; next = this.#results[this.#told]) {
      this.answer.push((next as { result: unknown }).result)
      this.#told++
    }
    if (this.#missing === 0) this.end(this.#results.map((each) => (each as { result: unknown }).result))
  }

  end(result: unknown): void {
    if (this.ended) return
    this.#missing = 0
    this.answer.end(result)
    this.#close()
  }

  fail(error: TroupeError): void {
    if (this.ended) return
    this.answer.fail(error)
    this.producer?.left()
    for (const tell of this.#leavers) tell()
    this.#close()
  }

  #watch({ signal, deadline }: InferOptions, clock: Clock): void {
    if (signal !== undefined) {
      const abort = (): void => this.fail(signal.reason instanceof TroupeError ? signal.reason : cancelled('its signal was aborted', signal.reason))
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort, { once: true })
      this.#undo.push(() => signal.removeEventListener('abort', abort))
    }
    if (deadline === undefined || deadline === Infinity) return
    const late = (): void => this.fail(new TroupeError('DeadlineExceeded', 'the model call was not answered before its deadline', 'give it more time, or fewer or shorter inputs', { deadline }))
    const left = deadline - clock.now()
    if (left <= 0) return late()
    const timer = clock.timer(left, late)
    this.#undo.push(() => timer.cancel())
  }

  #close(): void {
    for (const undo of this.#undo) undo()
    this.#undo = []
    this.#onEnd(this)
  }
}

const cancelled = (why: string, cause?: unknown): TroupeError => new TroupeError('Cancelled', `the model call was cancelled: ${why}`, 'nothing to do: whoever asked for it called it off', {}, cause)
