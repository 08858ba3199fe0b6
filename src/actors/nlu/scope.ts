/** Whether an utterance is about what the head knows: how sure the head is, and how near the nearest example lies. */
import type { Lesson } from './learnt.js'
import { softmax } from './head.js'

export interface Neighbour {
  readonly text: string
  readonly intent: string
  /** Cosine of the two sentence vectors. */
  readonly similarity: number
}

/** Comparing with more would cost more than a millisecond for each utterance. */
const COMPARED_MAX = 2_000

/** Examples with their vectors, end to end. */
export interface Remembered {
  readonly examples: Lesson
  readonly vectors: Float32Array
}

/** The nearest examples, best first. Of a long lesson every second, third … is compared, so that each intent keeps its share. */
export function nearestOf({ examples, vectors }: Remembered, vector: Float32Array, count: number): Neighbour[] {
  const stride = Math.ceil(examples.length / COMPARED_MAX) || 1
  const best: { readonly at: number; readonly similarity: number }[] = []
  for (let at = 0; at < examples.length; at += stride) {
    const similarity = dotAt(vectors, at * vector.length, vector)
    if (best.length === count && similarity <= (best[count - 1]?.similarity ?? 1)) continue
    const place = best.findIndex((other) => other.similarity < similarity)
    best.splice(place < 0 ? best.length : place, 0, { at, similarity })
    if (best.length > count) best.pop()
  }
  return best.flatMap(({ at, similarity }) => {
    const example = examples[at]
    return example === undefined ? [] : [{ ...example, similarity }]
  })
}

function dotAt(vectors: Float32Array, from: number, vector: Float32Array): number {
  let sum = 0
  for (let at = 0; at < vector.length; at++) sum += (vectors[from + at] as number) * (vector[at] as number)
  return sum
}

/** Softer than the calibrated scores, so that it still tells apart utterances of which the head is sure. */
const SOFTER = 2

/** From 0 to 1. Either part alone tells less: figures in `bench/nlu.mjs`. */
export function scopeOf(raw: Float32Array, nearest: number): number {
  const sure = softmax(raw, SOFTER).reduce((a, b) => Math.max(a, b), 0)
  return (sure + Math.max(0, nearest)) / 2
}
