/** Whether a text is said gladly: a head of three classes, trained on English reviews, that comes with the package. */
import { readFile } from 'node:fs/promises'
import { inSlices } from '../in-slices.js'
import type { Language } from '../language.js'
import { classify, featuresOf, rawScores, type Head } from './head.js'
import type { Parsed } from './protocol.js'
import { fromBytes } from './saved.js'

type Sentiment = NonNullable<Parsed['sentiment']>

/** Its vectors are those of the one encoder, and its words English: elsewhere it would be a guess. */
const MODEL = 'embedded:encoder'
const FILE = new URL('../../models/embedded/sentiment/head.bin', import.meta.url)

let loading: Promise<Head> | undefined

/** Read on first use, once. */
function load(): Promise<Head> {
  loading ??= readFile(FILE).then(async (bytes) => (await inSlices(fromBytes(bytes))).head)
  return loading
}

export async function sentimentOf(text: string, vector: Float32Array, model: string, language: Language): Promise<Sentiment | undefined> {
  if (model !== MODEL || language !== 'en') return undefined
  const head = await load()
  const [best] = classify(head, rawScores(head, featuresOf(text, vector)))
  return best === undefined ? undefined : { label: best.name as Sentiment['label'], score: best.score }
}
