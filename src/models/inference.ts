/** A model call as its caller sees it: a promise of the whole, and the parts as they come. */
import { TroupeError } from '../ground/errors.js'
import type { Inference } from './kernel.js'
import { PARTS_KEPT_MAX } from './limits.js'

/** What a call tells the one who computes it. */
export interface Producer {
  /** The reader has taken so many parts in all. */
  taken(parts: number): void
  /** Nobody reads any more, and nobody waits for the whole. */
  left(): void
}


/** Two parts into one, for readers who come late. */
export type Join<Part> = (earlier: Part, later: Part) => Part

type Ending<Result> = { readonly kind: 'open' } | { readonly kind: 'done'; readonly result: Result } | { readonly kind: 'failed'; readonly error: unknown }

/**
 * I1. Each part is given to at most one reader, in order; parts given plus parts kept are all parts that came.
 * I2. Credit follows the reader. While nobody has come, the producer runs only as far ahead as it may;
 *     once somebody waits for the whole and nobody reads, parts are joined as they come and credit is free.
 */
export class Answer<Part, Result> implements Inference<Part, Result> {
  readonly #promise: Promise<Result>
  readonly #producer: Producer
  readonly #join: Join<Part> | undefined
  #resolve!: (result: Result) => void
  #reject!: (error: unknown) => void
  #ending: Ending<Result> = { kind: 'open' }
  #kept: Part[] = []
  #came = 0
  #taken = 0
  #awaited = false
  #reading = false
  #waiting: (() => void) | undefined
  #blocked: (() => void) | undefined

  constructor(producer: Producer, join?: Join<Part>) {
    this.#producer = producer
    this.#join = join
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // A caller who only reads learns of a failure from the iterator.
    this.#promise.catch(() => undefined)
  }

  get ended(): boolean {
    return this.#ending.kind !== 'open'
  }

  /** How many parts came. */
  get came(): number {
    return this.#came
  }

  /** Resolves once the reader is no more than a few parts behind, for producers without credit of their own. */
  async room(): Promise<void> {
    while (!this.ended && this.#kept.length >= PARTS_KEPT_MAX && !(this.#awaited && !this.#reading)) await new Promise<void>((resolve) => (this.#blocked = resolve))
  }

  push(part: Part): void {
    if (this.ended) return
    this.#came++
    const last = this.#kept.at(-1)
    if (this.#awaited && !this.#reading && this.#join !== undefined && last !== undefined) this.#kept[this.#kept.length - 1] = this.#join(last, part)
    else this.#kept.push(part)
    if (this.#awaited && !this.#reading) this.#producer.taken(this.#came)
    this.#wake()
  }

  end(result: Result): void {
    if (this.ended) return
    this.#ending = { kind: 'done', result }
    this.#resolve(result)
    this.#wake()
  }

  fail(error: unknown): void {
    if (this.ended) return
    this.#ending = { kind: 'failed', error }
    this.#reject(error)
    this.#wake()
  }

  // oxlint-disable-next-line unicorn/no-thenable -- an Inference is awaited for its whole result
  then<A = Result, B = never>(onResult?: ((result: Result) => A | PromiseLike<A>) | null, onError?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<A | B> {
    this.#awaited = true
    if (!this.#reading) {
      this.#producer.taken(this.#came)
      this.#unblock()
    }
    return this.#promise.then(onResult, onError)
  }

  [Symbol.asyncIterator](): AsyncIterator<Part> {
    if (this.#reading) throw new TroupeError('InvalidMessage', 'this inference is already being read', 'read it once, or await its whole result')
    this.#reading = true
    return { next: () => this.#next(), return: () => this.#leave() }
  }

  async #next(): Promise<IteratorResult<Part>> {
    while (this.#kept.length === 0 && !this.ended) await new Promise<void>((resolve) => (this.#waiting = resolve))
    if (this.#kept.length > 0) {
      const value = this.#kept.shift() as Part
      this.#taken = this.#kept.length === 0 ? this.#came : this.#taken + 1
      this.#producer.taken(this.#taken)
      this.#unblock()
      return { done: false, value }
    }
    if (this.#ending.kind === 'failed') throw this.#ending.error
    return { done: true, value: undefined }
  }

  #leave(): Promise<IteratorResult<Part>> {
    this.#kept = []
    this.#reading = false
    this.#unblock()
    if (this.#awaited) this.#producer.taken(this.#came)
    else if (!this.ended) this.#producer.left()
    return Promise.resolve({ done: true, value: undefined })
  }

  #wake(): void {
    this.#waiting?.()
    this.#waiting = undefined
    if (this.ended) this.#unblock()
  }

  #unblock(): void {
    this.#blocked?.()
    this.#blocked = undefined
  }
}
