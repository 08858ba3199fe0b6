/** What may be talked about, and what may not, by examples and their vectors. */
import { cosine } from './injection.js'

export interface TopicOptions {
  /** Topics by their name, each with some texts about it. With these, what is near none of them is refused. */
  readonly allowed?: Readonly<Record<string, readonly string[]>>
  /** What is nearer to one of these than to all that is allowed is refused. */
  readonly denied?: Readonly<Record<string, readonly string[]>>
  /** The least cosine that counts as near. Default 0.5. */
  readonly min?: number
}

export interface Example {
  readonly topic: string
  readonly allowed: boolean
  readonly text: string
}
export interface Placed extends Example {
  readonly vector: Float32Array
}

export const TOPIC_MIN = 0.5

export const topicExamples = ({ allowed = {}, denied = {} }: TopicOptions): Example[] =>
  [...Object.entries(allowed).map((entry) => [...entry, true] as const), ...Object.entries(denied).map((entry) => [...entry, false] as const)].flatMap(([topic, texts, isAllowed]) => texts.map((text) => ({ topic, allowed: isAllowed, text })))

/** The topic for which a text is refused, if it is; of several sentences each is looked at. */
export function offTopic(vectors: readonly Float32Array[], examples: readonly Placed[], min: number): { readonly name: string; readonly score: number } | undefined {
  if (examples.length === 0) return undefined
  let liked = 0
  for (const vector of vectors) {
    const nearest = (of: readonly Placed[]): { name: string; score: number } =>
      of.reduce((best, { topic, vector: other }) => ((score) => (score > best.score ? { name: topic, score } : best))(cosine(vector, other)), { name: '', score: 0 })
    const allowed = nearest(examples.filter((each) => each.allowed))
    const denied = nearest(examples.filter((each) => !each.allowed))
    if (denied.score >= min && denied.score > allowed.score) return denied
    liked = Math.max(liked, allowed.score)
  }
  return examples.some(({ allowed }) => allowed) && liked < min ? { name: 'off topic', score: 1 - liked } : undefined
}
