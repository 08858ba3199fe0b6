/** What `retriever` does outside its chart: opening, taking in, searching. */
import { stepOnce, streamOnce, type ReturnAddress, type Work } from '../../runtime/index.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { embedded } from './embedding.js'
import { ingest, reindex, type Intake, type IntakeSettings } from './ingestion.js'
import type { Found, PassageIndex } from './passage-index.js'
import type { Passage, IngestProgress } from './protocol.js'
import type { Fact, TriplePattern, Where } from './where.js'

interface Asked {
  readonly index: PassageIndex
  readonly to: ReturnAddress
}
export interface SearchInput extends Asked {
  readonly query: string
  readonly limit: number
  readonly where?: Where | undefined
}
export interface FactsInput extends Asked {
  readonly pattern: TriplePattern
  readonly limit: number
}
export interface RetrieverWork {
  readonly open: Effect<void, { readonly index: PassageIndex }>
  readonly add: Effect<IngestProgress, Intake>
  readonly ingest: Effect<IngestProgress, Intake & { readonly into: ReturnAddress }>
  readonly reindex: Effect<IngestProgress, { readonly index: PassageIndex }>
  readonly remove: Effect<number, { readonly index: PassageIndex; readonly ids: readonly string[] }>
  readonly search: Effect<Settled<{ passages: readonly Passage[] }>, SearchInput>
  readonly facts: Effect<Settled<{ facts: readonly Fact[] }>, FactsInput>
}
interface Settings extends IntakeSettings {
  readonly reranker: string | undefined
}

/** Passages that a reranker reads: it takes some milliseconds for each. */
const RERANKED = 24

export const retrieverWork = (settings: Settings): RetrieverWork => ({
  open: stepOnce('open', ({ index }: { index: PassageIndex }) => index.open()),

  add: stepOnce('add', async (intake: Intake, work): Promise<IngestProgress> => {
    const steps = ingest(intake, settings, work)
    for (;;) {
      const step = await steps.next()
      if (step.done === true) return step.value
    }
  }),

  ingest: streamOnce('ingest', (intake: Intake & { readonly into: ReturnAddress }, work) => ingest(intake, settings, work)),

  reindex: stepOnce('reindex', ({ index }: { index: PassageIndex }, work) => reindex(index, settings, work)),

  remove: stepOnce('remove', ({ index, ids }: { index: PassageIndex; ids: readonly string[] }) => index.remove([...new Set(ids)])),

  search: answering('search', async (input: SearchInput, work): Promise<{ passages: readonly Passage[] }> => ({ passages: await search(input, settings, work) })),

  facts: answering('facts', async ({ index, pattern, limit }: FactsInput): Promise<{ facts: readonly Fact[] }> => ({ facts: await index.facts(pattern, limit) })),
})

async function search({ index, query, limit, where }: SearchInput, { model, reranker }: Settings, work: Work): Promise<Passage[]> {
  const [vector] = await embedded(model, [query], 'interactive', work)
  const found = await index.search({ text: query, vector: vector as Float32Array, limit: reranker === undefined ? limit : Math.max(RERANKED, limit), where })
  const ranked = reranker === undefined || found.length === 0 ? found : await reranked(query, found, reranker, work)
  return ranked.slice(0, limit).map(({ metadata, ...passage }) => ({ ...passage, ...(Object.keys(metadata).length > 0 && { metadata }) }))
}

async function reranked(query: string, found: readonly Found[], reranker: string, work: Work): Promise<Found[]> {
  const pairs = found.map(({ title, text }) => ({ text: query, pair: title === '' ? text : `${title}: ${text}` }))
  const scores = await work.infer<number[]>('rerank', reranker, pairs, { signal: work.signal, urgency: 'interactive' })
  return found.map((passage, at) => ({ ...passage, score: scores[at] ?? 0 })).toSorted((a, b) => b.score - a.score)
}
