/** The actors of the support desk, and how they know each other. */
import { dialogue, generator, image, nlu, perception, retriever } from 'troupe/actors'
import type { Blobs, Dialogue, DialogueOptions, RetrieverOptions } from 'troupe/actors'
import type { Ref, Troupe } from 'troupe'
import { pages } from './knowledge.js'
import { receipts, type Receipts } from './receipt.js'
import { examples, replies } from './small-talk.js'
import { synonyms } from './vocabulary.js'

export interface DeskOptions {
  /** Calls off the start. */
  readonly signal?: AbortSignal
  readonly retriever?: RetrieverOptions
  readonly dialogue?: Pick<DialogueOptions, 'answerMin' | 'quoteMin'>
}

/** Starts the actors and takes the pages in; gives the ref of a conversation by its key. */
export async function openDesk(troupe: Troupe, { signal, ...options }: DeskOptions = {}): Promise<(conversation: string) => Ref<(typeof Dialogue)['specs']>> {
  const colleagues = {
    nlu: troupe.spawn('nlu', nlu({ examples })),
    retriever: troupe.spawn('retriever', retriever({ synonyms, ...options.retriever })),
    generator: troupe.spawn('generator', generator()),
  }
  const conversation = troupe.keyed('dialogue', dialogue({ ...colleagues, replies, ...options.dialogue }))
  await colleagues.retriever.ask({ type: 'add', documents: await pages() }, { timeout: '2m', ...(signal && { signal }) })
  return conversation
}

/** Who reads receipts: an image becomes text, and the text is understood. */
export function openReceipts(troupe: Troupe, blobs: Blobs): Ref<(typeof Receipts)['specs']> {
  const eyes = troupe.spawn('image', image({ blobs }))
  const reader = troupe.spawn('receipt-nlu', nlu({ perception: troupe.spawn('perception', perception({ image: eyes })) }))
  return troupe.spawn('receipts', receipts(reader))
}
