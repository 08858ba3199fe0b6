/** What makes a score mean how often such an answer is right. */
import { softmax } from './head.js'

/** An answer on an example that training did not see. */
export interface Guess {
  /** What each intent scored. */
  readonly raw: Float32Array
  /** The right one, by its index. */
  readonly intent: number
}

/** The temperature under which examples that the head has not seen are least surprising; yields after each trial. */
export function* fitTemperature(trials: readonly Guess[]): Generator<void, number> {
  let found = 1
  let least = Infinity
  for (let temperature = 0.1; temperature < 8; temperature *= 1.15) {
    let surprise = 0
    for (const { raw, intent } of trials) {
      surprise -= Math.log(Math.max(1e-9, softmax(raw, temperature)[intent] as number))
      yield
    }
    if (surprise < least) [found, least] = [temperature, surprise]
  }
  return found
}
