/** What may be talked about, and what may not, by examples: a head learns to tell them from each other and from all else. */
import { featuresOf, rawScores, softmax, trainHead, type Head } from '../nlu/head.js'
import { ELSEWHERE } from './elsewhere.js'

export interface TopicOptions {
  /** Topics by their name, each with some texts about it. With these, what is about none of them is refused. */
  readonly allowed?: Readonly<Record<string, readonly string[]>>
  /** What is rather about one of these than about what is allowed is refused. */
  readonly denied?: Readonly<Record<string, readonly string[]>>
  /** More texts about neither, beside some of anything that come with the guard. */
  readonly elsewhere?: readonly string[]
  /** How likely a text must be about what is allowed, from 0 to 1: more is stricter. Default 0.2. */
  readonly min?: number
}

interface Kind {
  readonly kind: 'elsewhere' | 'allowed' | 'denied'
  readonly name: string
  readonly texts: readonly string[]
}
/** What tells topics apart; its intents are the kinds, in their order. */
export interface Topics {
  readonly head: Head
  readonly kinds: readonly Kind[]
}

/** Fitted on `calibration` of bench/data/topics.jsonl, as is what the kinds' sizes count. */
export const TOPIC_MIN = 0.2
/** A kind with many examples is likely by that alone: 1 would take out all of it, 0 nothing. */
const SIZE_WEIGHT = 0.5
const SEED = 1

/** What is to be told apart: nothing without topics. */
export function topicKinds({ allowed = {}, denied = {}, elsewhere = [] }: TopicOptions): Kind[] {
  const texts = Object.values(allowed).flat()
  const named = Object.entries(denied).filter(([, of]) => of.length > 0).map(([name, of]): Kind => ({ kind: 'denied', name, texts: of }))
  if (texts.length === 0 && named.length === 0) return []
  return [{ kind: 'elsewhere', name: 'off topic', texts: [...ELSEWHERE, ...elsewhere] }, ...(texts.length === 0 ? [] : [{ kind: 'allowed', name: 'allowed', texts } as const]), ...named]
}

/** `vectors` are those of the kinds' texts, one after another. */
export function* learnTopics(kinds: readonly Kind[], vectors: readonly Float32Array[]): Generator<void, Topics | undefined> {
  if (kinds.length === 0) return undefined
  const labelled = kinds.flatMap(({ texts }, intent) => texts.map((text) => ({ text, intent }))).map(({ text, intent }, at) => ({ features: featuresOf(text, vectors[at] as Float32Array), intent }))
  return { kinds, head: yield* trainHead(labelled, kinds.map(({ name }) => name), SEED) }
}

/** The topic for which a text is refused, if it is; of several sentences each is looked at. */
export function offTopic(sentences: readonly { readonly text: string; readonly vector: Float32Array }[], { head, kinds }: Topics, min: number): { readonly name: string; readonly score: number } | undefined {
  let liked = 0
  for (const { text, vector } of sentences) {
    const raw = rawScores(head, featuresOf(text, vector)).map((score, at) => score - SIZE_WEIGHT * Math.log(kinds[at]?.texts.length ?? 1))
    const shares = softmax(raw, head.temperature)
    const most = (wanted: Kind['kind']): { name: string; score: number } =>
      kinds.reduce((best, { kind, name }, at) => (kind === wanted && (shares[at] as number) > best.score ? { name, score: shares[at] as number } : best), { name: '', score: 0 })
    const [allowed, denied] = [most('allowed'), most('denied')]
    if (denied.score > allowed.score && denied.score >= most('elsewhere').score) return denied
    if (denied.score <= allowed.score) liked = Math.max(liked, allowed.score)
  }
  return kinds.some(({ kind }) => kind === 'allowed') && liked < min ? { name: 'off topic', score: 1 - liked } : undefined
}
