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

/** Trained weights: plain data, one row of weights per feature. */
export interface Weights {
  readonly intents: readonly string[]
  /** The row of each n-gram that training kept; dense rows come first, the last row is the bias. */
  readonly rows: ReadonlyMap<number, number>
  /** Of each n-gram that has a row, in the order of the rows: the fewer examples have it, the more it counts. */
  readonly rarity: Float32Array
  readonly weights: Float32Array
}
export interface Head extends Weights {
  /** Divides the scores before the softmax, fitted on examples held back, so that a score means its frequency. */
  readonly temperature: number
}

// Chosen on the training splits of HWU64, BANKING77 and CLINC150; `bench/nlu.mjs` shows what they are worth elsewhere.
const VECTOR_WEIGHT = 1
const EPOCHS = 15
const RATE = 0.1
/** An error too small to learn from. */
const ERROR_MIN = 1e-3
/** 16 MB of 32-bit floats. Where there would be more, n-grams that few examples have are left out. */
const WEIGHTS_MAX = 4_000_000
/** Keeps the first steps finite. */
const SQUARES_MIN = 1e-3

export const featuresOf = (text: string, vector: Float32Array): Features => ({ dense: vector.map((x) => x * VECTOR_WEIGHT), sparse: sparseOf(text) })

/** Trains by stochastic gradient steps with a rate of its own per weight (AdaGrad); yields after each example. */
export function* trainHead(examples: readonly Labelled[], intents: readonly string[], seed: number, weightsMax = WEIGHTS_MAX): Generator<void, Head> {
  const dense = examples[0]?.features.dense.length ?? 0
  const width = intents.length
  const { rows, rarity } = yield* rowsOf(examples, dense, Math.max(1, Math.floor(weightsMax / width) - dense - 1))
  // Left at zero, since the system hands out zeroed memory page by page; filling it would hold the loop.
  const weights = new Float32Array((dense + rows.size + 1) * width)
  const squares = new Float32Array(weights.length)
  yield
  const head: Head = { intents, rows, rarity, weights, temperature: 1 }
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

/** A row for each n-gram; the rarest have none where there are more than `rowsMax`. */
function* rowsOf(examples: readonly Labelled[], dense: number, rowsMax: number): Generator<void, Pick<Weights, 'rows' | 'rarity'>> {
  const counts = new Map<number, number>()
  for (const { features } of examples) {
    for (const key of features.sparse.hashes) counts.set(key, (counts.get(key) ?? 0) + 1)
    yield
  }
  const countMin = yield* countWithin(counts, rowsMax)
  const rows = new Map<number, number>()
  const rarity = new Float32Array(Math.min(rowsMax, counts.size))
  let turns = 0
  for (const [key, count] of counts) {
    if (count >= countMin && rows.size < rowsMax) {
      rarity[rows.size] = rarityOf(count, examples.length)
      rows.set(key, dense + rows.size)
    }
    if (++turns % 1000 === 0) yield
  }
  return { rows, rarity: rarity.subarray(0, rows.size) }
}

/** The inverse document frequency, smoothed; 1 for what all examples have, and for what none has. */
const rarityOf = (count: number, examples: number): number => 1 + Math.log((1 + examples) / (1 + count))

/** The least count that leaves at most `rowsMax` n-grams; n-grams that as many examples have come in the order of the lesson. */
function* countWithin(counts: ReadonlyMap<number, number>, rowsMax: number): Generator<void, number> {
  if (counts.size <= rowsMax) return 1
  const having = new Map<number, number>()
  let turns = 0
  for (const count of counts.values()) {
    having.set(count, (having.get(count) ?? 0) + 1)
    if (++turns % 1000 === 0) yield
  }
  let kept = 0
  let countMin = Infinity
  for (const count of [...having.keys()].toSorted((a, b) => b - a)) {
    if (kept >= rowsMax) break
    kept += having.get(count) ?? 0
    countMin = count
  }
  return countMin
}

/** What the intents score before the softmax, in the head's order. */
export const rawScores = (head: Weights, features: Features): Float32Array => logits(head, inputsOf(head, features))

/** Intents with their scores, best first. */
export function classify(head: Head, raw: Float32Array): Intent[] {
  const scores = softmax(raw, head.temperature)
  return head.intents.map((name, at) => ({ name, score: scores[at] as number })).toSorted((a, b) => b.score - a.score)
}

interface Inputs {
  readonly rows: Int32Array
  readonly values: Float32Array
}

/** Features as rows of the weights; n-grams that training did not keep count for the length of a text alone. */
function inputsOf({ rows: known, rarity, weights, intents }: Weights, { dense, sparse }: Features): Inputs {
  const rows = new Int32Array(dense.length + sparse.hashes.length + 1)
  const values = new Float32Array(rows.length)
  for (let at = 0; at < dense.length; at++) {
    rows[at] = at
    values[at] = dense[at] as number
  }
  let size = dense.length
  /** Words, and then characters, become as long as each other, however many a text has. */
  const take = (from: number, to: number): void => {
    const first = size
    let squares = 0
    for (let at = from; at < to; at++) {
      const row = known.get(sparse.hashes[at] as number)
      const value = (sparse.values[at] as number) * (row === undefined ? 1 : (rarity[row - dense.length] as number))
      squares += value * value
      if (row === undefined) continue
      rows[size] = row
      values[size++] = value
    }
    for (let at = first; at < size; at++) values[at] = (values[at] as number) / Math.sqrt(squares)
  }
  take(0, sparse.words)
  take(sparse.words, sparse.hashes.length)
  rows[size] = weights.length / intents.length - 1
  values[size++] = 1
  return { rows: rows.subarray(0, size), values: values.subarray(0, size) }
}

function logits({ weights, intents }: Weights, { rows, values }: Inputs): Float32Array {
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
      weights[from + c] = (weights[from + c] as number) - (RATE * slope) / Math.sqrt(seen + SQUARES_MIN)
    }
  }
}

export function softmax(scores: Float32Array, temperature: number): Float32Array {
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
