import type { Inference, InferOptions, Kernels } from './effects.js'

/** A model call that starts once its kernels are there: awaited for the result, or iterated for the parts. */
export function runInference(kernels: Promise<Kernels>, task: string, model: string, input: unknown, options: InferOptions): Inference {
  // In an object, because a promise that resolves to a thenable would await it, and with it the whole result.
  const begun = kernels.then((host) => ({ inference: host.infer(task, model, input, options) }))
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
