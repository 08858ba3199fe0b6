/** The life of `image`: idle ⇄ working, a bounded number of images at once. */
import type { EventsOf } from '../../runtime/index.js'
import { underWayChart } from '../under-way.js'
import type { Image } from './protocol.js'
import type { ImageWork } from './work.js'

/** Images under way at once. */
const UNDER_WAY_MAX = 8

type Event = EventsOf<typeof Image>
type Asked<T extends Event['type']> = Extract<Event, { type: T }>

const imageInput = (event: Asked<'read' | 'classify' | 'caption' | 'embed'>) => ({
  image: event.image,
  top: event.type === 'classify' ? event.top : undefined,
  maxTokens: event.type === 'caption' ? event.maxTokens : undefined,
  to: event.from,
})
const framesInput = ({ video, everyMs, framesMax, from }: Asked<'frames'>) => ({ video, everyMs, framesMax, into: from })

export const imageChart = ({ read, classify, caption, embed, frames }: ImageWork) =>
  underWayChart(
    'image',
    {
      read: { kind: 'answer', effect: read, input: imageInput },
      classify: { kind: 'answer', effect: classify, input: imageInput },
      caption: { kind: 'answer', effect: caption, input: imageInput },
      embed: { kind: 'answer', effect: embed, input: imageInput },
      frames: { kind: 'stream', effect: frames, input: framesInput },
    },
    UNDER_WAY_MAX,
  )
