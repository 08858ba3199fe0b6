import { actor, type Definition, type Duration, type Protocol, type Specs, type Whom } from '../../runtime/index.js'
import { milliseconds } from '../../ground/duration.js'
import type { Direction } from '../guard/finding.js'
import type { Guard } from '../guard/protocol.js'
import { guardedChart } from './chart.js'
import { guardedWork } from './passing.js'
import { PLAIN_FIELDS } from './texts.js'

export interface GuardedOptions<S extends Specs> {
  readonly guard: Whom<(typeof Guard)['specs']>
  /** Whom the messages are for; for keyed actors by this one's key. */
  readonly to: Whom<S> | ((key: string) => Whom<S>)
  /** What messages and answers are taken for. Defaults `input` and `output`. */
  readonly asks?: Direction | 'unchecked'
  readonly answers?: Direction | 'unchecked'
  /** Puts back into answers what was taken out of this conversation's messages. The guard must let this actor. Default false. */
  readonly restore?: boolean
  /** How much of a streamed text is held back, so that nothing goes out in two halves. Default `sentence`. */
  readonly hold?: 'sentence' | 'whole'
  /** Fields whose text is not looked at, wherever they stand. Default: type, kind, id, role, language, how, source, blob. */
  readonly except?: readonly string[]
  /** Messages under way at once; with more than one, a later message may overtake an earlier. Default 1. */
  readonly atOnce?: number
  /** How long the actor behind may take for an answer. Default 30 s. */
  readonly timeout?: Duration | 'none'
}

/**
 * An actor in front of another, with the same protocol: what goes in and comes out is checked by a guard first.
 * A refused request or stream ends with `Refused`; a refused event goes no further, and the guard publishes why.
 */
export function guarded<S extends Specs>(protocol: Protocol<S>, options: GuardedOptions<S>): Definition<S> {
  const { guard, to, asks = 'input', answers = 'output', restore = false, hold = 'sentence', except = PLAIN_FIELDS, atOnce = 1, timeout = '30s' } = options
  const target = (key: string): Whom => (typeof to === 'function' ? to(key) : to)
  const work = guardedWork({ guard, target, asks, answers, restore, hold, except: new Set(except), timeout: timeout === 'none' ? timeout : milliseconds(timeout) })
  const untyped = protocol as unknown as Protocol
  // Which messages there are is known only here; that the chart takes them all, the compiler cannot see.
  const chart = guardedChart(work, untyped, target, atOnce) as unknown as Parameters<typeof actor>[1]
  return actor(untyped, chart as never, { input: ({ key, address }) => ({ key, conversation: key === '' ? address : key }) }) as unknown as Definition<S>
}
