import type { Clock } from '../ground/clock.js'
import { milliseconds } from '../ground/duration.js'
import type { Inference, InferOptions, Kernels } from './effects.js'

/** A model call that starts once its kernels are there: awaited for the result, or iterated for the parts. */
export function runInference(kernels: Promise<Kernels>, task: string, model: string, input: unknown, { clock, ...options }: InferOptions & { readonly clock: Clock }): Inference {
  // In an object, because a promise that resolves to a thenable would await it, and with it the whole result.
  const begun = kernels.then((host) => ({ inference: host.infer(task, model, input, byItsClock(host, clock, options)) }))
  begun.catch(() => {})
  return {
    // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
    then: (fulfilled, rejected) => begun.then(({ inference }) => inference).then(fulfilled, rejected),
    async *[Symbol.asyncIterator]() {
      const { inference } = await begun
      yield* inference
    },
  }
}

/** With one deadline, in the time of the kernels: a virtual clock of the caller's says nothing to a real host. */
function byItsClock(host: Kernels, clock: Clock, { timeout, deadline = Infinity, ...options }: InferOptions): InferOptions {
  const now = clock.now()
  const until = Math.min(deadline, timeout === undefined ? Infinity : now + milliseconds(timeout))
  return until === Infinity ? options : { ...options, deadline: until - now + (host.now?.() ?? now) }
}
