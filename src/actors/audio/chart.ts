/** The life of `audio`: idle ⇄ working, a bounded number of sounds at once. */
import type { EventsOf } from '../../runtime/index.js'
import { underWayChart } from '../under-way.js'
import type { Audio } from './protocol.js'
import type { AudioWork } from './work.js'

/** Sounds under way at once. */
const UNDER_WAY_MAX = 8

type Event = EventsOf<typeof Audio>
type Asked<T extends Event['type']> = Extract<Event, { type: T }>

const hearInput = (event: Asked<'detect' | 'transcribe' | 'embed'>) => ({ audio: event.audio, language: event.type === 'transcribe' ? event.language : undefined, to: event.from })
const streamInput = (event: Asked<'listen' | 'dictate'>) => ({ audio: event.audio, language: event.type === 'dictate' ? event.language : undefined, into: event.from })
const speakInput = ({ text, voice, blob = false, from }: Asked<'speak'>) => ({ text, voice, blob, to: from })
const extractInput = ({ video, blob = false, from }: Asked<'extract'>) => ({ video, blob, to: from })

export const audioChart = ({ detect, listen, transcribe, dictate, speak, embed, extract }: AudioWork) =>
  underWayChart(
    'audio',
    {
      detect: { kind: 'answer', effect: detect, input: hearInput },
      listen: { kind: 'stream', effect: listen, input: streamInput },
      transcribe: { kind: 'answer', effect: transcribe, input: hearInput },
      dictate: { kind: 'stream', effect: dictate, input: streamInput },
      speak: { kind: 'answer', effect: speak, input: speakInput },
      embed: { kind: 'answer', effect: embed, input: hearInput },
      extract: { kind: 'answer', effect: extract, input: extractInput },
    },
    UNDER_WAY_MAX,
  )
