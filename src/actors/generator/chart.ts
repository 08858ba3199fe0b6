/** The life of `generator`: idle ⇄ working, a bounded number of texts at once. */
import type { EventsOf, ReturnAddress } from '../../runtime/index.js'
import { underWayChart } from '../under-way.js'
import type { Generator } from './protocol.js'
import type { GeneratorWork, Wish } from './work.js'

/** The sequences of one decode step; more would only wait inside the model host. */
const UNDER_WAY_MAX = 8

type Event = EventsOf<typeof Generator>
type Asked<T extends Event['type']> = Extract<Event, { type: T }>

function writeInput(event: Asked<'answer' | 'chat' | 'complete'>): { wish: Wish; into: ReturnAddress } {
  switch (event.type) {
    case 'answer':
      return { wish: { kind: 'chat', chat: { messages: [{ role: 'user', content: event.question }], passages: event.passages } }, into: event.from }
    case 'chat':
      return { wish: { kind: 'chat', chat: event }, into: event.from }
    case 'complete':
      return { wish: { kind: 'complete', complete: event }, into: event.from }
  }
}
const summariseInput = ({ text, maxTokens, from }: Asked<'summarise'>) => ({ text, maxTokens, to: from })
const translateInput = ({ text, targetLanguage, sourceLanguage, maxTokens, from }: Asked<'translate'>) => ({ text, targetLanguage, sourceLanguage, maxTokens, to: from })

export const generatorChart = ({ write, summarise, translate }: GeneratorWork) =>
  underWayChart(
    'generator',
    {
      answer: { kind: 'stream', effect: write, input: writeInput },
      chat: { kind: 'stream', effect: write, input: writeInput },
      complete: { kind: 'stream', effect: write, input: writeInput },
      summarise: { kind: 'answer', effect: summarise, input: summariseInput },
      translate: { kind: 'answer', effect: translate, input: translateInput },
    },
    UNDER_WAY_MAX,
  )
