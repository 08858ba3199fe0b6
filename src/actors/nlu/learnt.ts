/** From examples to a head that knows what its scores are worth. */
import { TroupeError } from '../../runtime/index.js'
import { inSlices } from '../in-slices.js'
import { chanceFrom, classify, featuresOf, rawScores, shuffle, trainHead, type Head, type Labelled, type Weights } from './head.js'
import type { Example, Trained } from './protocol.js'
import { nearestOf, scopeOf, type Remembered } from './scope.js'
import { fitTemperature, type Guess } from './temperature.js'

export type Lesson = readonly Example[]

/** All that `nlu` knows after a lesson. */
export interface Learnt {
  readonly model: string
  readonly head: Head
  readonly memory: Remembered
  /** Below this the held-back examples were seldom: an utterance there is out of scope. */
  readonly scopeMin: number
  readonly trained: Trained
}

/** One example in five is held back for a trial. */
const FOLDS = 5
/** Fewer examples than this tell nothing when a fifth is held back. */
const TRIAL_MIN = 20
/** Up to so many examples each fifth is held back in turn; of more, one fifth says enough. */
const ALL_FOLDS_MAX = 400
/** The share of good utterances that may be taken for foreign ones. */
const MISTAKEN = 0.05
/** Where there are too few examples to tell. */
const SCOPE_MIN = 0.35

interface Unlabelled {
  readonly vectorsOf: (texts: readonly string[]) => Promise<Float32Array[]>
  readonly model: string
  readonly seed: number
  readonly signal: AbortSignal
}

export async function learn(examples: Lesson, { vectorsOf, model, seed, signal }: Unlabelled): Promise<Learnt> {
  const intents = [...new Set(examples.map(({ intent }) => intent))].toSorted()
  if (intents.length < 2) throw new TroupeError('InvalidMessage', `${intents.length} intents to tell apart`, 'give examples of at least two intents')
  const vectors = await vectorsOf(examples.map(({ text }) => text))
  const labelled = await inSlices(labelledOf(examples, vectors, intents), signal)
  const memory = { examples, vectors: await inSlices(joined(vectors), signal) }
  const trials = await tryOut(labelled, memory, intents, seed, signal)
  const head = await inSlices(trainHead(labelled, intents, seed), signal)
  if (trials.length === 0) return { model, head, memory, scopeMin: SCOPE_MIN, trained: { intents, examples: examples.length } }
  const temperature = await inSlices(fitTemperature(trials), signal)
  const accuracy = trials.filter(({ raw, intent }) => best(raw) === intent).length / trials.length
  return { model, head: { ...head, temperature }, memory, scopeMin: percentile(trials.map(({ scope }) => scope), MISTAKEN), trained: { intents, examples: examples.length, accuracy } }
}

function* labelledOf(examples: Lesson, vectors: readonly Float32Array[], intents: readonly string[]): Generator<void, Labelled[]> {
  const places = new Map(intents.map((intent, at) => [intent, at]))
  const labelled: Labelled[] = []
  for (const [at, { text, intent }] of examples.entries()) {
    labelled.push({ features: featuresOf(text, vectors[at] as Float32Array), intent: places.get(intent) ?? 0 })
    yield
  }
  return labelled
}

function* joined(vectors: readonly Float32Array[]): Generator<void, Float32Array> {
  const width = vectors[0]?.length ?? 0
  const all = new Float32Array(vectors.length * width)
  for (const [at, vector] of vectors.entries()) {
    all.set(vector, at * width)
    yield
  }
  return all
}

interface Trial extends Guess {
  readonly scope: number
}

/** Trains on four fifths and looks at the rest: how often it is right, what its scores are worth, and how far in scope they lie. */
async function tryOut(labelled: readonly Labelled[], memory: Remembered, intents: readonly string[], seed: number, signal: AbortSignal): Promise<Trial[]> {
  if (labelled.length < TRIAL_MIN) return []
  const folds = foldsOf(labelled, intents.length, seed)
  const width = labelled[0]?.features.dense.length ?? 0
  const trials: Trial[] = []
  for (let fold = 0; fold < (labelled.length <= ALL_FOLDS_MAX ? FOLDS : 1); fold++) {
    const isKept = labelled.map((_, at) => folds[at] !== fold)
    const weights = await inSlices(trainHead(labelled.filter((_, at) => isKept[at]), intents, seed), signal)
    const kept: Remembered = await inSlices(joinedRows(memory, isKept, width), signal)
    trials.push(...(await inSlices(judged(weights, labelled.filter((_, at) => !isKept[at]), labelled.flatMap((_, at) => (isKept[at] ? [] : [memory.vectors.subarray(at * width, (at + 1) * width)])), kept), signal)))
  }
  return trials
}

function* joinedRows(memory: Remembered, isKept: readonly (boolean | undefined)[], width: number): Generator<void, Remembered> {
  const vectors = yield* joined(memory.examples.flatMap((_, at) => (isKept[at] ? [memory.vectors.subarray(at * width, (at + 1) * width)] : [])))
  return { examples: memory.examples.filter((_, at) => isKept[at]), vectors }
}

function* judged(weights: Weights, heldBack: readonly Labelled[], vectors: readonly Float32Array[], kept: Remembered): Generator<void, Trial[]> {
  const trials: Trial[] = []
  for (const [at, { features, intent }] of heldBack.entries()) {
    const raw = rawScores(weights, features)
    trials.push({ raw, intent, scope: scopeOf(raw, nearestOf(kept, vectors[at] as Float32Array, 1)[0]?.similarity ?? 0) })
    yield
  }
  return trials
}

/** A fold for each example, so that each intent is spread over all. */
function foldsOf(labelled: readonly Labelled[], intents: number, seed: number): number[] {
  const order = labelled.map((_, at) => at)
  shuffle(order, chanceFrom(seed))
  const seen = Array.from({ length: intents }, () => 0)
  const folds = labelled.map(() => 0)
  for (const at of order) {
    const { intent } = labelled[at] as Labelled
    // From the last fold down: an intent of a single example is never held back where only fold 0 is.
    folds[at] = FOLDS - 1 - ((seen[intent] = (seen[intent] ?? 0) + 1) - 1) % FOLDS
  }
  return folds
}

const best = (raw: Float32Array): number => raw.indexOf(raw.reduce((a, b) => Math.max(a, b), -Infinity))

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * share)] ?? 0
}

/** The best intents of an utterance, and whether it is any of them. */
export function judge({ head, memory, scopeMin }: Learnt, text: string, vector: Float32Array, scopeMinGiven: number | undefined): { intents: ReturnType<typeof classify>; scope: number; outOfScope: boolean } {
  const raw = rawScores(head, featuresOf(text, vector))
  const scope = scopeOf(raw, nearestOf(memory, vector, 1)[0]?.similarity ?? 0)
  return { intents: classify(head, raw), scope, outOfScope: scope < (scopeMinGiven ?? scopeMin) }
}
