/** What `nlu` does outside its chart: the model's passes, and the training of the head. */
import type { Understood } from '../../models/index.js'
import { stepOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { inSlices } from '../in-slices.js'
import { languageOf } from '../language.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { tokensOf } from '../words.js'
import { figuresOf } from './figures.js'
import { chanceFrom, classify, featuresOf, fitTemperature, shuffle, trainHead, type Head, type Labelled } from './head.js'
import type { Evaluated, Example, Parsed, Trained } from './protocol.js'

export type Lesson = readonly Example[]
export interface Learnt {
  readonly head: Head
  readonly trained: Trained
}
export interface ParseInput {
  readonly text: string
  readonly vector: boolean
  readonly head: Head | undefined
  readonly to: ReturnAddress
}
export interface EvaluateInput {
  readonly examples: Lesson
  readonly head: Head | undefined
  readonly to: ReturnAddress
}
export interface NluWork {
  readonly parse: Effect<Settled<Parsed>, ParseInput>
  readonly evaluate: Effect<Settled<Evaluated>, EvaluateInput>
  readonly learn: Effect<Learnt, { readonly examples: Lesson }>
}

/** One example in five is held back for the trial. */
const HELD_BACK = 5
/** Fewer examples than this tell nothing when a fifth is held back. */
const TRIAL_MIN = 20
/** Texts per call, so that a long lesson does not hold its vectors' inputs all at once. */
const TEXTS_PER_CALL = 256

interface Settings {
  readonly model: string
  readonly seed: number
  /** Below this score the best intent is out of scope. */
  readonly scopeMin: number
}

export const nluWork = ({ model, seed, scopeMin }: Settings): NluWork => ({
  parse: answering('parse', async ({ text, vector, head }: ParseInput, work): Promise<Parsed> => {
    const [understood] = await work.infer<Understood[]>('understand', model, [text], { signal: work.signal, urgency: 'interactive' })
    if (understood === undefined) throw new TroupeError('ModelFailed', `${model} gave no answer`, 'report it', { model })
    const intents = head === undefined ? [] : classify(head, featuresOf(text, understood.vector))
    return {
      language: languageOf(text),
      tokens: tokensOf(text),
      entities: understood.entities.map(({ type, value, start, end, score }) => ({ type, value, start, end, score })),
      intents,
      outOfScope: intents[0] !== undefined && intents[0].score < scopeMin,
      ...(vector && { vector: understood.vector }),
    }
  }),

  evaluate: answering('evaluate', async ({ examples, head }: EvaluateInput, work): Promise<Evaluated> => {
    if (head === undefined) throw new TroupeError('Unhandled', 'nlu has no head to evaluate', 'ask train with examples first')
    const labelled = await labelledOf(examples, head.intents, model, work)
    const given = await inSlices(each(labelled, ({ features }) => classify(head, features)[0]?.name ?? ''), work.signal)
    return figuresOf(examples.map(({ intent }, at) => ({ expected: intent, given: given[at] as string })))
  }),

  learn: stepOnce('learn', async ({ examples }: { examples: Lesson }, work): Promise<Learnt> => {
    const intents = [...new Set(examples.map(({ intent }) => intent))].toSorted()
    if (intents.length < 2) throw new TroupeError('InvalidMessage', `${intents.length} intents to tell apart`, 'give examples of at least two intents')
    const labelled = await labelledOf(examples, intents, model, work)
    const trial = await tryOut(labelled, intents, seed, work.signal)
    const head = { ...(await inSlices(trainHead(labelled, intents, seed), work.signal)), temperature: trial?.temperature ?? 1 }
    return { head, trained: { intents, examples: examples.length, ...(trial !== undefined && { accuracy: trial.accuracy }) } }
  }),
})

async function labelledOf(examples: Lesson, intents: readonly string[], model: string, work: Work): Promise<Labelled[]> {
  const labelled: Labelled[] = []
  for (let at = 0; at < examples.length; at += TEXTS_PER_CALL) {
    const part = examples.slice(at, at + TEXTS_PER_CALL)
    const vectors = await work.infer<Float32Array[]>('embed', model, part.map(({ text }) => text), { signal: work.signal, urgency: 'bulk' })
    labelled.push(...(await inSlices(each(part, ({ text, intent }, i) => ({ features: featuresOf(text, vectors[i] as Float32Array), intent: intents.indexOf(intent) })), work.signal)))
  }
  return labelled
}

/** Trains on four fifths and looks at the rest: how often it is right, and what its scores are worth. */
async function tryOut(labelled: readonly Labelled[], intents: readonly string[], seed: number, signal: AbortSignal): Promise<{ accuracy: number; temperature: number } | undefined> {
  if (labelled.length < TRIAL_MIN) return undefined
  const mixed = [...labelled]
  shuffle(mixed, chanceFrom(seed))
  const seen = intents.map(() => 0)
  const isHeldBack = mixed.map(({ intent }) => (seen[intent] = (seen[intent] as number) + 1) % HELD_BACK === 0)
  const heldBack = mixed.filter((_, at) => isHeldBack[at])
  const kept = mixed.filter((_, at) => !isHeldBack[at])
  if (heldBack.length === 0) return undefined
  const head = await inSlices(trainHead(kept, intents, seed), signal)
  const given = await inSlices(each(heldBack, ({ features }) => classify(head, features)[0]?.name), signal)
  const right = heldBack.filter(({ intent }, at) => given[at] === intents[intent]).length
  return { accuracy: right / heldBack.length, temperature: await inSlices(fitTemperature(head, heldBack), signal) }
}

function* each<T, R>(items: readonly T[], run: (item: T, at: number) => R): Generator<void, R[]> {
  const results: R[] = []
  for (const [at, item] of items.entries()) {
    results.push(run(item, at))
    yield
  }
  return results
}
