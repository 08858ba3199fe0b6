/** What a thread threw, as an error of ours: too little memory is told apart from everything else. */
import { TroupeError, describe } from '../ground/errors.js'

/** How the native code, V8 and the system say that they got no memory. */
const NO_MEMORY = /bad_alloc|bad allocation|failed to allocate memory|allocation failed|out of memory|cannot allocate memory|reaching memory limit|ENOMEM/i

/** `otherwise` is the error for anything but a lack of memory. */
export function failureOf(thrown: unknown, model: string, otherwise?: () => TroupeError): TroupeError {
  if (thrown instanceof TroupeError) return thrown
  if (NO_MEMORY.test(describe(thrown))) return new TroupeError('OutOfMemory', `${model} found too little memory: ${describe(thrown)}`, 'free memory, give shorter inputs or fewer at once, place the model with fewer replicas or a smaller dtype, or choose a smaller one', { model, reason: 'allocation-failed' }, thrown)
  return otherwise?.() ?? new TroupeError('ModelFailed', `${model} failed: ${describe(thrown)}`, 'see the cause; other work on this model goes on', { model }, thrown)
}
