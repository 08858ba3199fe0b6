/** Intents from features: a multinomial logistic regression on the sentence vector joined with hashed n-grams. */
import type { Intent } from './protocol.js'
import { sparseOf, type Sparse } from './features.js'

/** A text as the head sees it. */
export interface Features {
  readonly dense: Float32Array
  readonly sparse: Sparse
}
export interface Labelled {
  readonly features: Features
  /** Index into the intents. */
  readonly intent: number
}

/** A trained head: plain data, one row of weights per feature. */
export interface Head {
  readonly intents: readonly string[]
  /** The row of each n-gram that training saw; dense rows come first, the last row is the bias. */
  readonly rows: ReadonlyMap<number, number>
  readonly weights: Float32Array
  /** Divides the scores before the softmax, fitted on examples held back, so that a score means its frequency. */
  readonly temperature: number
}

/** How much each kind of feature weighs; fitted on ten examples per intent of HWU64. */
const VECTOR_WEIGHT = 2
const NGRAM_WEIGHTS = { words: 1, characters: 1 }
const EPOCHS = 15
const RATE = 0.3
/** An error too small to learn from. */
const ERROR_MIN = 1e-3

export const featuresOf = (text: string, vector: Float32Array): Features => ({ dense: vector.map((x) => x * VECTOR_WEIGHT), sparse: sparseOf(text, NGRAM_WEIGHTS) })

/** Trains by stochastic gradient steps with a rate of its own per weight (AdaGrad); yields after each example. */
export function* trainHead(examples: readonly Labelled[], intents: readonly string[], seed: number): Generator<void, Head> {
  const dense = examples[0]?.features.dense.length ?? 0
  const rows = new Map<number, number>()
  for (const { features } of examples) {
    for (const key of features.sparse.hashes) if (!rows.has(key)) rows.set(key, dense + rows.size)
    yield
  }
  const width = intents.length
  const weights = new Float32Array((dense + rows.size + 1) * width)
  const squares = new Float32Array(weights.length).fill(1e-3)
  const head: Head = { intents, rows, weights, temperature: 1 }
  const order = examples.map((_, at) => at)
  const chance = chanceFrom(seed)
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    shuffle(order, chance)
    for (const at of order) {
      const { features, intent } = examples[at] as Labelled
      const inputs = inputsOf(head, features)
      const errors = softmax(logits(head, inputs), 1)
      errors[intent] = (errors[intent] as number) - 1
      learn(weights, squares, inputs, errors)
      yield
    }
  }
  return head
}

/** The temperature under which examples that the head has not seen are least surprising; yields after each trial. */
export function* fitTemperature(head: Head, heldBack: readonly Labelled[]): Generator<void, number> {
  const scored: { readonly scores: Float32Array; readonly intent: number }[] = []
  for (const { features, intent } of heldBack) {
    scored.push({ scores: logits(head, inputsOf(head, features)), intent })
    yield
  }
  let best = 1
  let least = Infinity
  for (let temperature = 0.25; temperature < 8; temperature *= 1.2) {
    let surprise = 0
    for (const { scores, intent } of scored) surprise -= Math.log(Math.max(1e-9, softmax(scores, temperature)[intent] as number))
    if (surprise < least) [best, least] = [temperature, surprise]
    yield
  }
  return best
}

/** Intents with their scores, best first. */
export function classify(head: Head, features: Features): Intent[] {
  const scores = softmax(logits(head, inputsOf(head, features)), head.temperature)
  return head.intents.map((name, at) => ({ name, score: scores[at] as number })).toSorted((a, b) => b.score - a.score)
}

interface Inputs {
  readonly rows: Int32Array
  readonly values: Float32Array
}

/** Features as rows of the weights; n-grams that training never saw are left out. */
function inputsOf({ rows: known, weights, intents }: Head, { dense, sparse }: Features): Inputs {
  const rows = new Int32Array(dense.length + sparse.hashes.length + 1)
  const values = new Float32Array(rows.length)
  for (let at = 0; at < dense.length; at++) {
    rows[at] = at
    values[at] = dense[at] as number
  }
  let size = dense.length
  for (let at = 0; at < sparse.hashes.length; at++) {
    const row = known.get(sparse.hashes[at] as number)
    if (row === undefined) continue
    rows[size] = row
    values[size++] = sparse.values[at] as number
  }
  rows[size] = weights.length / intents.length - 1
  values[size++] = 1
  return { rows: rows.subarray(0, size), values: values.subarray(0, size) }
}

function logits({ weights, intents }: Head, { rows, values }: Inputs): Float32Array {
  const width = intents.length
  const scores = new Float32Array(width)
  for (let at = 0; at < rows.length; at++) {
    const from = (rows[at] as number) * width
    const value = values[at] as number
    for (let c = 0; c < width; c++) scores[c] = (scores[c] as number) + value * (weights[from + c] as number)
  }
  return scores
}

function learn(weights: Float32Array, squares: Float32Array, { rows, values }: Inputs, errors: Float32Array): void {
  const width = errors.length
  // Most intents are soon certain not to be meant; passing over them makes training several times faster.
  const wrong = [...errors.keys()].filter((c) => Math.abs(errors[c] as number) > ERROR_MIN)
  for (let at = 0; at < rows.length; at++) {
    const from = (rows[at] as number) * width
    const value = values[at] as number
    for (const c of wrong) {
      const slope = value * (errors[c] as number)
      const seen = (squares[from + c] as number) + slope * slope
      squares[from + c] = seen
      weights[from + c] = (weights[from + c] as number) - (RATE * slope) / Math.sqrt(seen)
    }
  }
}

function softmax(scores: Float32Array, temperature: number): Float32Array {
  const top = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const powers = scores.map((score) => Math.exp((score - top) / temperature))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

/** Numbers in [0, 1) that follow from the seed alone, so that a training can be repeated. */
export function chanceFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

export function shuffle<T>(items: T[], chance: () => number): void {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(chance() * (at + 1))
    const item = items[at] as T
    items[at] = items[other] as T
    items[other] = item
  }
}
