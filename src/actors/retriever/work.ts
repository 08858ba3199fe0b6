/** What `retriever` does outside its chart: cutting, embedding, searching. */
import { stepOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { answering, type Effect, type Settled } from '../settled.js'
import type { Entry, PassageIndex } from './passage-index.js'
import { passagesOf } from './passages.js'
import type { Document, Passage } from './protocol.js'

export interface SearchInput {
  readonly index: PassageIndex
  readonly query: string
  readonly limit: number
  readonly to: ReturnAddress
}
export interface RetrieverWork {
  readonly digest: Effect<readonly Entry[], { readonly documents: readonly Document[] }>
  readonly search: Effect<Settled<{ passages: readonly Passage[] }>, SearchInput>
}

/** Texts per call of the encoder, so that others get their turn in a long ingestion. */
const TEXTS_PER_CALL = 64

export const retrieverWork = ({ model }: { readonly model: string }): RetrieverWork => ({
  digest: stepOnce('digest', async ({ documents }: { documents: readonly Document[] }, work): Promise<readonly Entry[]> => {
    const cuts = documents.flatMap(({ id, title, text, source }) => passagesOf(title, text).map((cut) => ({ document: id, source, ...cut })))
    const entries: Entry[] = []
    for (let at = 0; at < cuts.length; at += TEXTS_PER_CALL) {
      const part = cuts.slice(at, at + TEXTS_PER_CALL)
      const vectors = await embedded(model, part.map(({ title, text }) => `${title}: ${text}`), 'bulk', work)
      entries.push(...part.map((cut, i) => ({ ...cut, vector: vectors[i] as Float32Array })))
    }
    return entries
  }),

  search: answering('search', async ({ index, query, limit }: SearchInput, work): Promise<{ passages: readonly Passage[] }> => {
    const [vector] = await embedded(model, [query], 'interactive', work)
    if (vector === undefined) throw new TroupeError('ModelFailed', `${model} gave no vector`, 'report it', { model })
    return { passages: index.search({ text: query, vector, limit }) }
  }),
})

const embedded = async (model: string, texts: readonly string[], urgency: 'interactive' | 'bulk', work: Work): Promise<Float32Array[]> =>
  work.infer<Float32Array[]>('embed', model, texts, { signal: work.signal, urgency })
