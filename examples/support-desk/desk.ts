/** The actors of the support desk, and how they know each other. */
import { dialogue, generator, nlu, retriever } from 'troupe/actors'
import type { Dialogue } from 'troupe/actors'
import type { Ref, Troupe } from 'troupe'
import { pages } from './knowledge.js'
import { examples, replies } from './small-talk.js'
import { synonyms } from './vocabulary.js'

/** Starts the actors and takes the pages in; gives the ref of a conversation by its key. */
export async function openDesk(troupe: Troupe, signal?: AbortSignal): Promise<(conversation: string) => Ref<(typeof Dialogue)['specs']>> {
  const colleagues = {
    nlu: troupe.spawn('nlu', nlu({ examples })),
    retriever: troupe.spawn('retriever', retriever({ synonyms })),
    generator: troupe.spawn('generator', generator()),
  }
  const conversation = troupe.keyed('dialogue', dialogue({ ...colleagues, replies }))
  await colleagues.retriever.ask({ type: 'add', documents: await pages() }, { timeout: '2m', ...(signal && { signal }) })
  return conversation
}
