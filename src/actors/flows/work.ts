/** What `flows` does outside its chart: understands, acts, speaks. */
import { ask, stepOnce, streamOnce, type Ref, type ReturnAddress, type Work } from '../../runtime/index.js'
import type { Dialogue } from '../dialogue/protocol.js'
import type { Nlu, Parsed } from '../nlu/protocol.js'
import type { Effect } from '../settled.js'
import type { Result } from './flow.js'
import type { FlowsChunk, Standing } from './protocol.js'
import { atHand, textsOf, type Declared, type Talk } from './talk.js'

export interface SpeakInput {
  readonly into: ReturnAddress
  readonly talk: Talk
  readonly says: readonly string[]
  /** What is to be answered from sources first. */
  readonly question: string | undefined
  readonly conversation: string
}
export interface FlowsWork {
  readonly understand: Effect<Parsed, { readonly text: string; readonly vector?: boolean }>
  readonly act: Effect<Result, { readonly talk: Talk }>
  readonly speak: Effect<undefined, SpeakInput>
}
export interface Colleagues {
  /** Understands: intents and entities. */
  readonly nlu: Ref<(typeof Nlu)['specs']>
  /** Answers what belongs to no flow, from sources; given the conversation's key. */
  readonly sources?: ((conversation: string) => Ref<(typeof Dialogue)['specs']>) | undefined
}

export const flowsWork = ({ nlu, sources }: Colleagues, declared: Declared): FlowsWork => ({
  understand: ask(nlu, 'parse'),
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

async function* speak({ talk, says, question, conversation }: SpeakInput, work: Work, declared: Declared, sources: Colleagues['sources']): AsyncGenerator<FlowsChunk, undefined> {
  if (question !== undefined && sources !== undefined) {
    for await (const chunk of work.stream(sources(conversation), { type: 'say', text: question })) if (chunk.kind === 'text') yield chunk
    if (says.length > 0) yield { kind: 'text', text: ' ' }
  }
  if (says.length > 0) yield { kind: 'text', text: lineOf(says, talk) }
  yield { kind: 'done', ...standingOf(declared, talk) }
  return undefined
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
