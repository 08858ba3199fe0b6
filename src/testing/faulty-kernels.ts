import { TroupeError } from '../ground/errors.js'
import type { Inference, InferOptions, Kernels } from '../runtime/effects.js'

/** Kernels that fail when they are told to, and that know how many calls are under way: time waits for them. */
export class FaultyKernels implements Kernels {
  pending = 0
  readonly #inner: Kernels
  #failing = 0
  #onSettled: (() => void) | undefined

  readonly now: (() => number) | undefined

  constructor(inner: Kernels) {
    this.#inner = inner
    this.now = inner.now?.bind(inner)
  }

  /** The next calls fail. */
  fail(calls: number): void {
    this.#failing += calls
  }

  /** Resolves once one of the calls under way has come to an end, or further. */
  settled(): Promise<void> {
    return new Promise((resolve) => (this.#onSettled = resolve))
  }

  infer(task: string, model: string, input: unknown, options?: InferOptions): Inference {
    if (this.#failing > 0) {
      this.#failing--
      throw new TroupeError('ModelFailed', `${task} of ${model} fails in this simulation`, 'see the faults of the run')
    }
    const inference = this.#inner.infer(task, model, input, options)
    return {
      // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
      then: (fulfilled, rejected) => this.#while(Promise.resolve(inference)).then(fulfilled, rejected),
      [Symbol.asyncIterator]: () => this.#iterate(inference[Symbol.asyncIterator]()),
    }
  }

  async *#iterate(parts: AsyncIterator<unknown>): AsyncGenerator {
    try {
      for (;;) {
        const next = await this.#while(parts.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      await parts.return?.()
    }
  }

  async #while<T>(work: Promise<T>): Promise<T> {
    this.pending++
    try {
      return await work
    } finally {
      this.pending--
      this.#onSettled?.()
      this.#onSettled = undefined
    }
  }
}
