/** What `dialogue` does outside its chart: asks its colleagues, and speaks. */
import { ask, streamOnce, type Ref, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Generator, Citation } from '../generator/protocol.js'
import type { Nlu } from '../nlu/protocol.js'
import type { Passage, Retriever } from '../retriever/protocol.js'
import { understanding, type Understood } from '../perception/understanding.js'
import type { Said } from '../perception/heard.js'
import type { Perception } from '../perception/protocol.js'
import type { Effect } from '../settled.js'
import type { DialogueChunk } from './protocol.js'
import { Renumbering } from './renumbering.js'
import type { Turn } from './turn.js'

/** Whom a dialogue asks. */
export interface Colleagues {
  readonly nlu: Ref<(typeof Nlu)['specs']>
  readonly retriever: Ref<(typeof Retriever)['specs']>
  readonly generator: Ref<(typeof Generator)['specs']>
  /** Turns the parts of a message into text. */
  readonly perception?: Ref<(typeof Perception)['specs']> | undefined
}
/** What is said in each language; `en` stands in for those without a text. */
export type Texts = Readonly<Record<string, string>> & { readonly en: string }
export interface Manner {
  /** By intent: said without a look at the sources. */
  readonly replies: Readonly<Record<string, Texts>>
  /** Said when the sources do not answer. */
  readonly unanswered: Texts
  /** From this score of the best passage, it is quoted when the generator finds no answer in it. */
  readonly quoteMin: number
}

export interface SpeakInput {
  readonly turn: Turn
  readonly into: ReturnAddress
}
/** Each gives what was said, for the history. */
export interface DialogueWork {
  readonly understand: Effect<Understood, Said>
  readonly search: Effect<{ readonly passages: readonly Passage[] }, { readonly query: string; readonly limit?: number }>
  readonly answer: Effect<string, SpeakInput>
  readonly reply: Effect<string, SpeakInput>
  readonly decline: Effect<string, SpeakInput>
}

const SCORE_SHARE_MIN = 0.75

type Spoken = AsyncGenerator<DialogueChunk, string>
type Done = Extract<DialogueChunk, { kind: 'done' }>

export const dialogueWork = ({ nlu, retriever, generator, perception }: Colleagues, manner: Manner): DialogueWork => ({
  understand: understanding({ nlu, perception }),
  search: ask(retriever, 'search'),
  answer: streamOnce('answer', ({ turn }: SpeakInput, work) => answer(turn, work, generator, manner)),
  reply: streamOnce('reply', ({ turn }: SpeakInput) => say(turn, textIn(manner.replies[intentOf(turn)] ?? manner.unanswered, turn), { how: 'declared' })),
  decline: streamOnce('decline', ({ turn }: SpeakInput) => decline(turn, manner)),
})

/** From the generator, part by part; from the best passage itself, when the generator refuses and the match is good. */
async function* answer(turn: Turn, work: Work, generator: Colleagues['generator'], manner: Manner): Spoken {
  const passages = worthwhile(turn)
  const renumbering = new Renumbering()
  let said = ''
  for await (const chunk of work.stream(generator, { type: 'answer', question: turn.text, passages: passages.map(({ text, title, source }) => ({ text, title, source })) })) {
    switch (chunk.kind) {
      case 'text': {
        const text = renumbering.push(chunk.text)
        said += text
        if (text !== '') yield { kind: 'text', text }
        break
      }
      case 'refusal':
        return yield* (passages[0]?.score ?? 0) >= manner.quoteMin ? quote(turn) : decline(turn, manner)
      case 'done': {
        const rest = renumbering.end()
        if (rest !== '') yield { kind: 'text', text: rest }
        const sources = chunk.citations.map(({ number, title, source }: Citation) => ({ number: renumbering.of(number), title, source }))
        yield done(turn, { how: 'answered', sources, grounded: chunk.grounded })
        return said + rest
      }
    }
  }
  return said
}

/** A passage that matches far worse than the best only distracts a small model. */
const worthwhile = ({ passages = [] }: Turn): readonly Passage[] => passages.filter(({ score }) => score >= SCORE_SHARE_MIN * (passages[0]?.score ?? 0))

function quote(turn: Turn): Spoken {
  const [best] = turn.passages ?? []
  const { text = '', title = '', source = '' } = best ?? {}
  return say(turn, `${text} [1]`, { how: 'quoted', sources: [{ number: 1, title, source }] })
}

const decline = (turn: Turn, { unanswered }: Manner): Spoken => say(turn, textIn(unanswered, turn), { how: 'unanswered' })

// oxlint-disable-next-line typescript/require-await -- a stream, though all of it is there at once
async function* say(turn: Turn, text: string, how: Pick<Done, 'how'> & Partial<Done>): Spoken {
  yield { kind: 'text', text }
  yield done(turn, how)
  return text
}

const done = (turn: Turn, how: Pick<Done, 'how'> & Partial<Done>): Done => {
  const intent = turn.parsed?.outOfScope === false ? intentOf(turn) : ''
  return { kind: 'done', sources: [], language: turn.parsed?.language ?? 'und', ...(intent !== '' && { intent }), confidence: turn.passages?.[0]?.score ?? 0, grounded: true, ...how }
}

const intentOf = (turn: Turn): string => turn.parsed?.intents[0]?.name ?? ''
const textIn = (texts: Texts, turn: Turn): string => texts[turn.parsed?.language ?? 'en'] ?? texts.en
