/**
 * Takes documents in, some at a time, each time with one commit: whoever dies in between goes on where the last commit
 * was, since what is known by its hash is passed over. Of a changed document only the passages that changed are embedded.
 */
import { createHash } from 'node:crypto'
import type { Work } from '../../runtime/index.js'
import { inSlices } from '../in-slices.js'
import { embedded } from './embedding.js'
import type { Entry, PassageIndex } from './passage-index.js'
import { passagesIn, type Budget } from './passages.js'
import type { Document, IngestProgress } from './protocol.js'
import { partsOf, type Part } from './sections.js'

export interface Intake {
  readonly index: PassageIndex
  readonly documents: readonly Document[]
}
export interface IntakeSettings {
  readonly model: string
  readonly budget: Budget
  readonly synonyms: readonly (readonly string[])[]
}

/** A commit takes some 10 ms on disk: one for many small documents, and no more than can be lost again. */
const DOCUMENTS_PER_COMMIT = 64
const CHARS_PER_COMMIT = 64_000
/** Texts per call of the encoder, so that others get their turn. */
const TEXTS_PER_CALL = 64

/** Yields after each call of the encoder and each commit, and gives what it came to. */
export async function* ingest({ index, documents: given }: Intake, settings: IntakeSettings, work: Work): AsyncGenerator<IngestProgress, IngestProgress> {
  await index.open()
  const documents = [...new Map(given.map((document) => [document.id, document])).values()]
  let progress: IngestProgress = { documents: 0, of: documents.length, unchanged: 0, passages: 0, embedded: 0 }
  for (const group of groupsOf(documents)) {
    const known = await index.hashes(group.map(({ id }) => id))
    const hashes = new Map(group.map((document) => [document.id, hashOf(document, settings)]))
    const changed = group.filter(({ id }) => known.get(id) !== hashes.get(id))
    progress = { ...progress, unchanged: progress.unchanged + group.length - changed.length }
    if (changed.length > 0) {
      const parted = await Promise.all(changed.map(async (document): Promise<Parted> => ({ document, parts: await partsOf(document) })))
      const drafts = await inSlices(draftsOf(parted, hashes, settings.budget), work.signal)
      const vectors = await vectorsOf(index, changed, settings)
      const missing = [...new Set(drafts.map(spoken))].filter((text) => !vectors.has(text))
      for (let at = 0; at < missing.length; at += TEXTS_PER_CALL) {
        work.signal.throwIfAborted()
        const texts = missing.slice(at, at + TEXTS_PER_CALL)
        for (const [i, vector] of (await embedded(settings.model, texts, 'bulk', work)).entries()) vectors.set(texts[i] as string, vector)
        progress = { ...progress, embedded: progress.embedded + texts.length }
        yield progress
      }
      work.signal.throwIfAborted()
      await index.replace(changed.map(({ id }) => id), drafts.map((draft): Entry => ({ ...draft, vector: vectors.get(spoken(draft)) as Float32Array })))
      progress = { ...progress, passages: progress.passages + drafts.length }
    }
    progress = { ...progress, documents: progress.documents + group.length }
    yield progress
  }
  await index.settle()
  return progress
}

/** So many documents at a time are held, each with its passages and their vectors. */
const DOCUMENTS_PER_TURN = 32

/** Embeds what another encoder embedded, and puts every passage in anew, since how words are cut may have changed. */
export async function reindex(index: PassageIndex, { model }: Pick<IntakeSettings, 'model'>, work: Work): Promise<IngestProgress> {
  const documents = await index.documents()
  const mine = `${digest(model)}-`
  let progress: IngestProgress = { documents: 0, of: documents.length, unchanged: 0, passages: 0, embedded: 0 }
  for (let at = 0; at < documents.length; at += DOCUMENTS_PER_TURN) {
    const names = documents.slice(at, at + DOCUMENTS_PER_TURN)
    const entries = await index.entries(names)
    const foreign = entries.filter(({ hash }) => !hash.startsWith(mine))
    const texts = [...new Set(foreign.map(spoken))]
    const vectors = new Map<string, Float32Array>()
    for (let from = 0; from < texts.length; from += TEXTS_PER_CALL) {
      work.signal.throwIfAborted()
      const some = texts.slice(from, from + TEXTS_PER_CALL)
      for (const [i, vector] of (await embedded(model, some, 'bulk', work)).entries()) vectors.set(some[i] as string, vector)
    }
    work.signal.throwIfAborted()
    await index.replace(names, entries.map((entry): Entry => (entry.hash.startsWith(mine) ? entry : { ...entry, hash: mine + entry.hash.slice(mine.length), vector: vectors.get(spoken(entry)) as Float32Array })))
    const renewed = new Set(foreign.map(({ document }) => document)).size
    progress = { ...progress, documents: progress.documents + names.length, unchanged: progress.unchanged + names.length - renewed, passages: progress.passages + entries.length, embedded: progress.embedded + texts.length }
  }
  await index.rebuild()
  return progress
}

function* groupsOf(documents: readonly Document[]): Generator<Document[]> {
  let group: Document[] = []
  let chars = 0
  for (const document of documents) {
    if (group.length === DOCUMENTS_PER_COMMIT || (group.length > 0 && chars + document.text.length > CHARS_PER_COMMIT)) {
      yield group
      group = []
      chars = 0
    }
    group.push(document)
    chars += document.text.length
  }
  if (group.length > 0) yield group
}

type Draft = Omit<Entry, 'vector'>

interface Parted {
  readonly document: Document
  readonly parts: readonly Part[]
}

function* draftsOf(documents: readonly Parted[], hashes: ReadonlyMap<string, string>, budget: Budget): Generator<void, Draft[]> {
  const drafts: Draft[] = []
  for (const { document: { id }, parts } of documents) {
    let at = 0
    for (const { source, metadata, triples, sections } of parts) {
      const cuts = yield* passagesIn(sections, budget)
      for (const [nth, cut] of cuts.entries()) drafts.push({ document: id, hash: hashes.get(id) as string, source, metadata, triples, leads: nth === 0, ...cut, at: at++ })
    }
  }
  return drafts
}

/** What the encoder reads of a passage. */
const spoken = ({ title, text }: Pick<Entry, 'title' | 'text'>): string => (title === '' ? text : `${title}: ${text}`)

/** The vectors that earlier versions of these documents leave behind, by what was read for them. */
async function vectorsOf(index: PassageIndex, documents: readonly Document[], { model }: IntakeSettings): Promise<Map<string, Float32Array>> {
  const entries = await index.entries(documents.map(({ id }) => id))
  return new Map(entries.filter(({ hash }) => hash.startsWith(`${digest(model)}-`)).map((entry) => [spoken(entry), entry.vector]))
}

/** Begins with the encoder: vectors of another one are worth nothing. */
const hashOf = (document: Document, { model, budget, synonyms }: IntakeSettings): string =>
  `${digest(model)}-${digest(JSON.stringify([document.title, document.text, document.source, document.format, document.metadata, document.triples, budget, synonyms]))}`

const digest = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22)
