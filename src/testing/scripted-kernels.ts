import { TroupeError } from '../ground/errors.js'
import type { Inference, InferOptions, Kernels } from '../runtime/effects.js'

/** What stands in for a model: gives the result, or its parts in an array when the call is read part by part. */
export type Script = (input: never, call: { readonly model: string; readonly options: InferOptions }) => unknown

/** Kernels whose answers are functions, by task. */
export function scriptedKernels(scripts: Readonly<Record<string, Script>>): Kernels {
  return {
    infer(task, model, input, options = {}): Inference {
      const script = scripts[task]
      if (script === undefined) throw new TroupeError('ModelNotFound', `no script for ${task}`, `give one: scriptedKernels({ ${task}: (input) => … })`)
      const run = async (): Promise<unknown> => script(input as never, { model, options })
      return {
        // oxlint-disable-next-line unicorn/no-thenable -- a call is awaited or iterated, as its caller likes
        then: (fulfilled, rejected) => run().then(fulfilled, rejected),
        async *[Symbol.asyncIterator]() {
          yield* (await run()) as Iterable<unknown>
        },
      }
    },
  }
}
