/** What an actor may ask of the world outside the runtime: a model call, and nothing more. */

import type { Duration } from '../ground/duration.js'

/** How urgent a piece of work is: `interactive` overtakes `normal`, which overtakes `bulk`. */
export type Urgency = 'interactive' | 'normal' | 'bulk'

export interface InferOptions {
  /** Aborts queued work at no cost, and running work at its next step. */
  readonly signal?: AbortSignal
  readonly urgency?: Urgency
  /** Clock time, in milliseconds, after which nobody wants the answer. */
  readonly deadline?: number
  /** How long it may take from when it begins. Default: as long as the deadline lets it. */
  readonly timeout?: Duration
}

/** A model call under way: await it for the whole result, or iterate it for the parts as they come. */
export interface Inference<Part = unknown, Result = unknown> extends PromiseLike<Result>, AsyncIterable<Part> {}

/** The port through which actors reach models. `troupe/models` provides it; the runtime knows no more. */
export interface Kernels {
  /** The time by the clock that counts their deadlines, where that need not be the callers' own. */
  readonly now?: (() => number) | undefined
  infer(task: string, model: string, input: unknown, options?: InferOptions): Inference
}
