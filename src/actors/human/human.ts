import { actor, type Definition } from '../../runtime/index.js'
import { humanChart } from './chart.js'
import { Human } from './protocol.js'
import { humanWork } from './work.js'

export interface HumanOptions {
  /** Keeps questions in the troupe's store, so that they wait for days and over restarts. Default true. */
  readonly durable?: boolean
  /** What happens to a question is published to `<topic>.<person>`. Default `human`. */
  readonly topic?: string
}

/** A person, or a desk of several, as an actor: holds the questions of others until somebody decides. For `troupe.keyed`. */
export function human({ durable = true, topic = 'human' }: HumanOptions = {}): Definition<(typeof Human)['specs']> {
  return actor(Human, humanChart(humanWork, topic), {
    durable,
    input: ({ address, key }) => ({ name: key === '' ? address : key, kind: key === '' ? '' : address.slice(0, -key.length - 1) }),
  })
}
