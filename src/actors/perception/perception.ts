import { actor, type Definition } from '../../runtime/index.js'
import { perceptionChart } from './chart.js'
import { Perception } from './protocol.js'
import { perceptionWork, type PerceptionOptions } from './work.js'

/** Turns a message of several parts into text: what is said, what stands in images, what is heard. */
export function perception(senses: PerceptionOptions = {}): Definition<(typeof Perception)['specs']> {
  return actor(Perception, perceptionChart(perceptionWork(senses)))
}
