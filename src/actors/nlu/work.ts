/** What `nlu` does outside its chart: the model's passes, and the training of the head. */
import type { Understood } from '../../models/index.js'
import { stepOnce, TroupeError, type Ref, type ReturnAddress, type Work } from '../../runtime/index.js'
import { inSlices } from '../in-slices.js'
import { languageOf } from '../language.js'
import { heard, type Said } from '../perception/heard.js'
import type { Perception } from '../perception/protocol.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { sentenceSpans, tokensOf } from '../words.js'
import type { DeclaredSpan } from './declared.js'
import { entitiesOf } from './entities.js'
import { figuresOf } from './figures.js'
import { judge, learn, type Learnt, type Lesson } from './learnt.js'
import { withPartOfSpeech } from './part-of-speech.js'
import type { Evaluated, Parsed } from './protocol.js'
import { fromBytes, toBytes } from './saved.js'
import { nearestOf } from './scope.js'
import { sentimentOf } from './sentiment.js'

export interface ParseInput {
  readonly message: Said & { readonly vector?: boolean; readonly nearest?: number; readonly partOfSpeech?: boolean; readonly now?: number; readonly timeZone?: string }
  readonly learnt: Learnt | undefined
  readonly to: ReturnAddress
}
export interface EvaluateInput {
  readonly examples: Lesson
  readonly learnt: Learnt | undefined
  readonly to: ReturnAddress
}
export interface SaveInput {
  readonly learnt: Learnt | undefined
  readonly to: ReturnAddress
}
/** What a head comes from: examples, of which some may be known already, or the bytes of a saved one. */
export type Source = { readonly kind: 'examples'; readonly examples: Lesson; readonly known: Learnt | undefined } | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

export interface NluWork {
  readonly parse: Effect<Settled<Parsed>, ParseInput>
  readonly evaluate: Effect<Settled<Evaluated>, EvaluateInput>
  readonly save: Effect<Settled<{ bytes: Uint8Array }>, SaveInput>
  readonly learn: Effect<Learnt, Source>
}

/** Texts per call, so that a long lesson does not hold its vectors' inputs all at once. */
const TEXTS_PER_CALL = 256

interface Settings {
  readonly model: string
  readonly seed: number
  readonly scopeMin: number | undefined
  readonly timeZone: string
  readonly declared: (text: string) => DeclaredSpan[]
  readonly perception: Ref<(typeof Perception)['specs']> | undefined
}

export const nluWork = (settings: Settings): NluWork => ({
  parse: answering('parse', (input: ParseInput, work) => parse(input, work, settings)),

  evaluate: answering('evaluate', async ({ examples, learnt }: EvaluateInput, work): Promise<Evaluated> => {
    if (learnt === undefined) throw untrained('evaluate')
    const vectors = await vectorsOf(settings.model, work)(examples.map(({ text }) => text))
    const given = await inSlices(
      each(examples, ({ text }, at) => judge(learnt, text, vectors[at] as Float32Array, undefined).intents[0]),
      work.signal,
    )
    return figuresOf(examples.map(({ intent }, at) => ({ expected: intent, given: given[at]?.name ?? '', score: given[at]?.score ?? 0 })))
  }),

  save: answering('save', async ({ learnt }: SaveInput, work) => {
    if (learnt === undefined) throw untrained('save')
    return { bytes: await inSlices(toBytes(learnt), work.signal) }
  }),

  learn: stepOnce('learn', async (source: Source, work): Promise<Learnt> => {
    if (source.kind === 'bytes') return await restored(source.bytes, settings.model, work.signal)
    const { model, seed } = settings
    return await learn(source.examples, { vectorsOf: remembering(source.known, vectorsOf(model, work)), model, seed, signal: work.signal })
  }),
})

const untrained = (what: string): TroupeError => new TroupeError('Unhandled', `nlu has no head to ${what}`, 'ask train with examples first')

async function parse({ message, learnt }: ParseInput, work: Work, { model, scopeMin, timeZone, declared, perception }: Settings): Promise<Parsed> {
  const text = await heard(message, perception, work)
  const [understood] = await work.infer<Understood[]>('understand', model, [text], { signal: work.signal, urgency: 'interactive' })
  if (understood === undefined) throw new TroupeError('ModelFailed', `${model} gave no answer`, 'report it', { model })
  const { vector, entities } = understood
  const language = languageOf(text)
  const judged = learnt === undefined ? { intents: [], scope: 1, outOfScope: false } : judge(learnt, text, vector, scopeMin)
  const sentiment = await sentimentOf(text, vector, model, language)
  return {
    language,
    sentences: sentenceSpans(text),
    tokens: message.partOfSpeech === true ? await withPartOfSpeech(text, language) : tokensOf(text),
    entities: await entitiesOf(text, entities, declared(text), { now: message.now ?? work.clock.now(), timeZone: message.timeZone ?? timeZone }),
    ...judged,
    ...(sentiment !== undefined && { sentiment }),
    ...(message.nearest !== undefined && { nearest: learnt === undefined ? [] : nearestOf(learnt.memory, vector, message.nearest) }),
    ...(message.vector === true && { vector }),
    ...(message.parts !== undefined && { text }),
  }
}

async function restored(bytes: Uint8Array, model: string, signal: AbortSignal): Promise<Learnt> {
  const learnt = await inSlices(fromBytes(bytes), signal)
  if (learnt.model !== model) throw new TroupeError('Incompatible', `the saved head was trained on vectors of ${learnt.model}, and this nlu uses ${model}`, `use nlu({ model: ${JSON.stringify(learnt.model)} }), or train again`, { saved: learnt.model, model })
  return learnt
}

const vectorsOf =
  (model: string, work: Work) =>
  async (texts: readonly string[]): Promise<Float32Array[]> => {
    const vectors: Float32Array[] = []
    for (let at = 0; at < texts.length; at += TEXTS_PER_CALL) {
      vectors.push(...(await work.infer<Float32Array[]>('embed', model, texts.slice(at, at + TEXTS_PER_CALL), { signal: work.signal, urgency: 'bulk' })))
    }
    return vectors
  }

/** Asks the model only for texts that the last lesson did not have: feedback adds one to thousands. */
function remembering(known: Learnt | undefined, ask: (texts: readonly string[]) => Promise<Float32Array[]>): (texts: readonly string[]) => Promise<Float32Array[]> {
  if (known === undefined) return ask
  const { examples, vectors } = known.memory
  const width = vectors.length / examples.length
  const places = new Map(examples.map(({ text }, at) => [text, at]))
  return async (texts) => {
    const fresh = texts.filter((text) => !places.has(text))
    const asked = await ask(fresh)
    const answers = new Map(fresh.map((text, at) => [text, asked[at] as Float32Array]))
    return texts.map((text) => answers.get(text) ?? vectors.subarray((places.get(text) ?? 0) * width, ((places.get(text) ?? 0) + 1) * width))
  }
}

function* each<T, R>(items: readonly T[], run: (item: T, at: number) => R): Generator<void, R[]> {
  const results: R[] = []
  for (const [at, item] of items.entries()) {
    results.push(run(item, at))
    yield
  }
  return results
}
