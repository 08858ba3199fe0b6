/** Which passages a search looks at: conditions on metadata, and on the triples of their documents. */
import { list, number, optional, record, string, typed, type Shaped } from '../shape.js'

export type Scalar = string | number | boolean
export type Metadata = Readonly<Record<string, Scalar>>
/** From and to are included. */
export interface Range {
  readonly from?: number
  readonly to?: number
}
export type Condition = Scalar | readonly Scalar[] | Range

const isScalar = (value: unknown): value is Scalar => typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isRange = (value: unknown): value is Range =>
  isPlain(value) && Object.entries(value).every(([name, bound]) => (name === 'from' || name === 'to') && Number.isFinite(bound)) && Object.keys(value).length > 0

export const metadata = typed<Metadata>('texts, numbers and booleans by name', (value) => isPlain(value) && Object.values(value).every(isScalar))
const conditions = typed<Readonly<Record<string, Condition>>>('by name: a value, a list of values, or { from, to }', (value) =>
  isPlain(value) && Object.values(value).every((each) => isScalar(each) || isRange(each) || (Array.isArray(each) && each.every(isScalar))))

export const triple = record({ subject: string, relation: string, object: string, /** What the subject is. */ subjectType: optional(string), objectType: optional(string) })
const pattern = { subject: optional(string), relation: optional(string), object: optional(string), subjectType: optional(string), objectType: optional(string) }
const triplePattern = record(pattern)
export const fact = record({ subject: string, relation: string, object: string, subjectType: optional(string), objectType: optional(string), document: string, source: string })
export const where = record({
  metadata: optional(conditions),
  /** Only passages of documents that hold a triple of each of these patterns. */
  triples: optional(list(triplePattern)),
  documents: optional(list(string)),
})
export const factsBody = record({ ...pattern, limit: optional(number) })

export type Triple = Shaped<typeof triple>
export type TriplePattern = Shaped<typeof triplePattern>
export type Fact = Shaped<typeof fact>
export type Where = Shaped<typeof where>

const PARTS = ['subject', 'relation', 'object', 'subjectType', 'objectType'] as const

export const matches = (triple: Triple, pattern: TriplePattern): boolean => PARTS.every((part) => pattern[part] === undefined || triple[part] === pattern[part])

interface Described {
  readonly document: string
  readonly metadata: Metadata
  readonly triples: readonly Triple[]
}

/** Whether a passage of this description is looked at. */
export function holds({ metadata: wanted = {}, triples = [], documents }: Where, described: Described): boolean {
  if (documents !== undefined && !documents.includes(described.document)) return false
  return Object.entries(wanted).every(([name, condition]) => meets(own(described.metadata, name), condition)) && triples.every((pattern) => described.triples.some((each) => matches(each, pattern)))
}

function meets(value: Scalar | undefined, condition: Condition): boolean {
  if (value === undefined) return false
  if (isScalar(condition)) return value === condition
  if (!isRange(condition)) return condition.includes(value)
  return typeof value === 'number' && value >= (condition.from ?? -Infinity) && value <= (condition.to ?? Infinity)
}

const own = (values: Metadata, name: string): Scalar | undefined => (Object.hasOwn(values, name) ? values[name] : undefined)

/**
 * The same for a database that finds rows by label: a label for each value of the metadata, and for each triple one
 * for every choice of its parts, so that any pattern is one label.
 */
export const labelsOf = ({ metadata, triples }: Pick<Described, 'metadata' | 'triples'>): string[] => [
  ...Object.entries(metadata).map(([name, value]) => metadataLabel(name, value)),
  ...new Set(triples.flatMap((each) => choicesOf(each).map(tripleLabel))),
]

const metadataLabel = (name: string, value: Scalar): string => JSON.stringify([name, value])
const tripleLabel = (pattern: TriplePattern): string => JSON.stringify(PARTS.map((part) => pattern[part] ?? null))

function choicesOf(triple: Triple): TriplePattern[] {
  const parts = PARTS.filter((part) => triple[part] !== undefined)
  return Array.from({ length: 2 ** parts.length }, (_, choice) => Object.fromEntries(parts.filter((_, at) => (choice >> at) & 1).map((part) => [part, triple[part]])))
}

/** A condition as SQL over the columns `document`, `labels` (a list) and `metadata` (JSON); undefined when all rows hold it. */
export function sqlOf({ metadata: wanted = {}, triples = [], documents }: Where): string | undefined {
  const parts = [
    ...(documents === undefined ? [] : [oneOf('document', documents)]),
    ...Object.entries(wanted).map(([name, condition]) => conditionSql(name, condition)),
    ...triples.map((pattern) => `array_has(labels, ${quoted(tripleLabel(pattern))})`),
  ]
  return parts.length === 0 ? undefined : parts.join(' AND ')
}

function conditionSql(name: string, condition: Condition): string {
  if (isScalar(condition)) return `array_has(labels, ${quoted(metadataLabel(name, condition))})`
  if (!isRange(condition)) return condition.length === 0 ? 'false' : `array_has_any(labels, make_array(${condition.map((value) => quoted(metadataLabel(name, value))).join(', ')}))`
  // Within JSON, `"name":` cannot stand inside a text: its quotes would be escaped.
  const key = JSON.stringify(name).replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
  const value = `cast(regexp_match(metadata, ${quoted(`${key}:(-?[0-9][0-9.eE+-]*)`)})[1] as double)`
  return [condition.from === undefined ? [] : `${value} >= ${condition.from}`, condition.to === undefined ? [] : `${value} <= ${condition.to}`].flat().join(' AND ')
}

export const oneOf = (column: string, values: readonly string[]): string => (values.length === 0 ? 'false' : `${column} IN (${values.map(quoted).join(', ')})`)
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`
