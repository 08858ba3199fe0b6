// A model host of the test's own, for what is passed on to a model: it answers as told and remembers what it was asked.
import type { Kernels, InferOptions } from 'troupe'

export interface Asked {
  readonly task: string
  readonly model: string
  readonly input: { readonly inputs: readonly unknown[] } & Readonly<Record<string, unknown>>
}

export class FakeHost implements Kernels {
  readonly asked: Asked[] = []
  readonly #answers: Readonly<Record<string, (input: Asked['input'], signal: AbortSignal | undefined) => unknown>>

  constructor(answers: Readonly<Record<string, (input: Asked['input'], signal: AbortSignal | undefined) => unknown>>) {
    this.#answers = answers
  }

  infer(task: string, model: string, input: unknown, options: InferOptions = {}): ReturnType<Kernels['infer']> {
    this.asked.push({ task, model, input: input as Asked['input'] })
    const answer = Promise.resolve(this.#answers[task]?.(input as Asked['input'], options.signal))
    return Object.assign(answer, { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true as const, value: undefined }) }) })
  }
}
