/** The life of `perception`: idle ⇄ working, a bounded number of messages at once. */
import type { EventsOf } from '../../runtime/index.js'
import { underWayChart } from '../under-way.js'
import type { Perception } from './protocol.js'
import type { PerceptionWork } from './work.js'

/** Messages under way at once; each waits for other actors alone. */
const UNDER_WAY_MAX = 8

export const perceptionChart = ({ perceive }: PerceptionWork) =>
  underWayChart('perception', { perceive: { kind: 'answer', effect: perceive, input: ({ parts, from }: EventsOf<typeof Perception>) => ({ parts, to: from }) } }, UNDER_WAY_MAX)
