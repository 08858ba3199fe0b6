/** A document as what stands under each of its headings. */
import { TroupeError, describe } from '../../ground/errors.js'
import { markdownSections, textSections } from './markdown.js'
import type { Document } from './protocol.js'
import { metadata as metadataShape, triple as tripleShape, type Metadata, type Triple } from './where.js'

/** Prose may be cut between sentences, lines only between lines. */
export type Block = { readonly kind: 'prose'; readonly text: string } | { readonly kind: 'lines'; readonly lines: readonly string[] }

export interface Section {
  readonly title: string
  readonly blocks: Block[]
}

/** A document, or one record of a document that holds many, with all that is kept of it. */
export interface Part {
  readonly title: string
  readonly source: string
  readonly metadata: Metadata
  readonly triples: readonly Triple[]
  readonly sections: readonly Section[]
}

export async function partsOf(document: Document): Promise<Part[]> {
  const { title = '', source, text, format = 'markdown', metadata = {}, triples = [] } = document
  const shared = { source, metadata, triples }
  switch (format) {
    case 'markdown':
      return [withFacts({ ...shared, title, sections: markdownSections(title, text) })]
    case 'text':
      return [withFacts({ ...shared, title, sections: textSections(title, text) })]
    case 'html': {
      const { htmlSections } = await import('./html.js')
      const page = htmlSections(title, text)
      return [withFacts({ ...shared, ...page })]
    }
    case 'jsonl':
      return text.split(/\r?\n/).flatMap((line, at) => (line.trim() === '' ? [] : [withFacts(recordOf(document, line, at + 1))]))
  }
}

/** One line of JSON: `text`, and what else is known of it; what it does not say, the document says. */
function recordOf({ id, title = '', source, metadata = {}, triples = [] }: Document, line: string, number: number): Part {
  const refuse = (why: string, cause?: unknown): TroupeError =>
    new TroupeError('InvalidMessage', `line ${number} of ${id} ${why}`, 'each line is an object: { "text", "title"?, "source"?, "metadata"?, "triples"? }', { document: id, line: number }, cause)
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    throw refuse(`is not JSON: ${describe(error)}`, error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('is not an object')
  const given = value as Record<string, unknown>
  const textOf = (name: string, otherwise: string): string => {
    const field = given[name] ?? otherwise
    if (typeof field !== 'string') throw refuse(`has a ${name} that is not text`)
    return field
  }
  const own = given['metadata'] ?? {}
  const facts = given['triples'] ?? []
  if (!accepts(metadataShape, own)) throw refuse('has metadata that are not texts, numbers and booleans by name')
  if (!Array.isArray(facts) || !facts.every((each) => accepts(tripleShape, each))) throw refuse('has triples that are not { subject, relation, object }')
  const named = textOf('title', title)
  return { title: named, source: textOf('source', `${source}#L${number}`), metadata: { ...metadata, ...(own as Metadata) }, triples: [...triples, ...(facts as Triple[])], sections: textSections(named, textOf('text', '')) }
}

const accepts = (shape: typeof metadataShape | typeof tripleShape, value: unknown): boolean => {
  const checked = shape['~standard'].validate(value)
  return !('then' in checked) && checked.issues === undefined
}

/** What has no text says its triples, so that it can be found. */
function withFacts(part: Part): Part {
  if (part.triples.length === 0 || part.sections.some(({ blocks }) => blocks.length > 0)) return part
  return { ...part, sections: [{ title: part.title, blocks: [{ kind: 'lines', lines: part.triples.map(({ subject, relation, object }) => `${subject} ${relation} ${object}.`) }] }] }
}
