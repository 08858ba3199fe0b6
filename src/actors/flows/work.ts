/** What `flows` does outside its chart: understands, acts, speaks. */
import { stepOnce, streamOnce, type Ref, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Dialogue } from '../dialogue/protocol.js'
import type { Nlu } from '../nlu/protocol.js'
import type { Said } from '../perception/heard.js'
import type { Perception } from '../perception/protocol.js'
import { understanding, type Understood } from '../perception/understanding.js'
import type { Effect } from '../settled.js'
import type { Result } from './flow.js'
import type { FlowsChunk, Standing } from './protocol.js'
import { atHand, leave, textsOf, type Declared, type Talk } from './talk.js'

export interface SpeakInput {
  readonly into: ReturnAddress
  readonly talk: Talk
  readonly says: readonly string[]
  /** What the user said, and who is to answer it first. */
  readonly text: string
  readonly passedTo: 'sources' | 'chart' | undefined
  readonly conversation: string
}
export interface FlowsWork {
  readonly understand: Effect<Understood, Said>
  readonly act: Effect<Result, { readonly talk: Talk }>
  /** Gives where the talk stands then: a chart that leads may have come to its end. */
  readonly speak: Effect<Talk, SpeakInput>
}
export interface Colleagues {
  /** Understands: intents and entities. */
  readonly nlu: Ref<(typeof Nlu)['specs']>
  /** Turns the parts of a message into text. */
  readonly perception?: Ref<(typeof Perception)['specs']> | undefined
  /** Answers what belongs to no flow, from sources; given the conversation's key. */
  readonly sources?: ((conversation: string) => Ref<(typeof Dialogue)['specs']>) | undefined
}

export const flowsWork = ({ nlu, sources, perception }: Colleagues, declared: Declared): FlowsWork => ({
  understand: understanding({ nlu, perception }),
  act: stepOnce('act', ({ talk }: { readonly talk: Talk }, work) => act(declared, talk, work)),
  speak: streamOnce('speak', (input: SpeakInput, work) => speak(input, work, declared, sources)),
})

/** Runs the action of the flow at hand: the same idempotency key on each try of the same step. */
async function act(declared: Declared, talk: Talk, work: Work): Promise<Result> {
  const hand = atHand(declared, talk)
  if (hand === undefined) return undefined
  const values = Object.fromEntries(Object.entries(hand.open.filled).map(([name, { value }]) => [name, value]))
  const { run } = hand.flow
  if (typeof run === 'function') return run(values as never, work)
  return (await work.ask(run.to, { type: run.type, ...values } as never)) as Result
}

async function* speak(input: SpeakInput, work: Work, declared: Declared, sources: Colleagues['sources']): AsyncGenerator<FlowsChunk, Talk> {
  const { talk, says } = input.passedTo === undefined ? input : yield* pass(input, work, declared, sources)
  if (says.length > 0) yield { kind: 'text', text: lineOf(says, talk) }
  yield { kind: 'done', ...standingOf(declared, talk) }
  return talk
}

/** Lets another actor answer, and comes back to what was open. */
async function* pass({ talk, says, text, passedTo, conversation }: SpeakInput, work: Work, declared: Declared, sources: Colleagues['sources']): AsyncGenerator<FlowsChunk, Pick<SpeakInput, 'talk' | 'says'>> {
  const message = { type: 'say', text } as const
  let next: Pick<SpeakInput, 'talk' | 'says'> = { talk, says }
  const leader = passedTo === 'chart' ? atHand(declared, talk)?.flow.chart?.(conversation) : undefined
  if (leader !== undefined) {
    for await (const chunk of work.stream(leader, message)) {
      if (chunk.kind === 'text') yield chunk
      else if (chunk.state === 'idle' || chunk.state === 'closed') next = leave(declared, talk, [])
    }
  } else if (sources !== undefined) {
    for await (const chunk of work.stream(sources(conversation), message)) if (chunk.kind === 'text') yield chunk
  }
  if (next.says.length > 0) yield { kind: 'text', text: ' ' }
  return next
}

/** Sentences of one turn; Chinese is written without spaces. */
export const lineOf = (says: readonly string[], { language }: Talk): string => says.join(language === 'zh' ? '' : ' ')

export function standingOf(declared: Declared, talk: Talk): Standing {
  const hand = atHand(declared, talk)
  return {
    state: talk.phase,
    slots: hand === undefined ? [] : Object.entries(textsOf(hand.open)).map(([name, text]) => ({ name, text })),
    language: talk.language,
    ...(hand !== undefined && { flow: hand.flow.name }),
    ...(talk.asked !== undefined && { asked: talk.asked }),
  }
}
