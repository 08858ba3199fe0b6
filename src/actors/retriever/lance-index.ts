/**
 * Passages on disk, by LanceDB; its door. One index at a time holds a folder: the counts that scores need are in memory.
 *
 * L1. All that is known of a passage is one row of one table, and a commit replaces whole documents: a process that dies
 *     leaves the table as the last commit did.
 * L2. LanceDB finds candidates, by words and by vector; their scores are ours, from the row. Its own scores do not
 *     compare between queries, and find no more (`bench/retrieval.mjs`).
 * L3. The column `terms` holds our own terms, separated by spaces: both indexes see the same words, Chinese too.
 */
import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Connection, IntoVector, Table } from '@lancedb/lancedb'
import { realClock } from '../../ground/clock.js'
import { describe, TroupeError } from '../../ground/errors.js'
import { holdLock, type Lock } from '../../runtime/store/lock.js'
import { inSlices } from '../in-slices.js'
import type { Entry, Found, IndexSettings, PassageIndex, Query } from './passage-index.js'
import { cosineOfUnits } from '../cosine.js'
import { Ranking, timesIn } from './ranking.js'
import { labelsOf, matches, oneOf, sqlOf, type Fact, type Metadata, type Triple, type TriplePattern } from './where.js'

type Lance = typeof import('@lancedb/lancedb')
type Arrow = typeof import('apache-arrow')

/** Passages that LanceDB proposes by words, and as many by vector. */
const CANDIDATES_MIN = 50
const CANDIDATES_PER_RESULT = 4
/** Below, looking at every vector takes some milliseconds and misses nothing. */
const VECTOR_INDEX_FROM = 20_000
const PROBES = 32
/** Rows outside the full-text index are searched one by one; beyond so many they are taken in. */
const UNINDEXED_MAX = 8_192
/** Fewer are left for later: tidying up takes as long for one row as for a thousand. */
const UNINDEXED_MIN = 512
/** Names in one condition. */
const NAMES_MAX = 256
/** Searches under way still read what the last commits replaced. */
const OLD_VERSIONS_MS = 60_000

interface Opened {
  readonly lance: Lance
  readonly arrow: Arrow
  readonly connection: Connection
  readonly lock: Lock
}
interface Row {
  readonly id: string
  readonly document: string
  readonly at: number
  readonly hash: string
  readonly title: string
  readonly source: string
  readonly text: string
  readonly terms: string
  readonly labels: readonly string[]
  readonly metadata: string
  readonly triples: string
  readonly leads: boolean
  readonly vector: Iterable<number>
}
/** What a search reads of a row, beside LanceDB's own score, which it would otherwise add with a warning. */
const SEEN = ['id', 'document', 'title', 'source', 'text', 'terms', 'metadata', 'vector']

type NewRow = Record<string, string | number | boolean | string[] | IntoVector> & { readonly terms: string }

export class LanceIndex implements PassageIndex {
  readonly #folder: string
  readonly #settings: IndexSettings
  #ranking: Ranking
  #opened: Promise<Opened> | undefined
  #table: Table | undefined
  #unindexed = 0

  constructor(folder: string, settings: IndexSettings) {
    this.#folder = folder
    this.#settings = settings
    this.#ranking = new Ranking(settings)
  }

  get size(): number {
    return this.#ranking.passages
  }

  async open(): Promise<void> {
    this.#opened ??= this.#open()
    try {
      await this.#opened
    } catch (error) {
      this.#opened = undefined
      throw error
    }
  }

  close(): void {
    const opened = this.#opened
    this.#opened = this.#table = undefined
    // Whoever opens it next counts anew: others may have written meanwhile.
    this.#ranking = new Ranking(this.#settings)
    opened?.then(
      ({ lock }) => lock.release(),
      () => {},
    )
  }

  async #open(): Promise<Opened> {
    const { lance, arrow } = await load()
    const lock = await held(this.#folder)
    try {
      const connection = await lance.connect(this.#folder)
      if ((await connection.tableNames()).includes(TABLE)) {
        this.#table = await connection.openTable(TABLE)
        const words = (await this.#table.listIndices()).find(({ columns }) => columns[0] === 'terms')
        this.#unindexed = words === undefined ? UNINDEXED_MIN : ((await this.#table.indexStats(words.name))?.numUnindexedRows ?? 0)
        for await (const batch of this.#table.query().select(['terms'])) await inSlices(this.#count(batch.getChild('terms') as Iterable<string>))
      }
      return { lance, arrow, connection, lock }
    } catch (error) {
      void lock.release()
      throw new TroupeError('StoreCorrupt', `the passages in ${this.#folder} cannot be read: ${describe(error)}`, 'restore the folder, or take the documents in anew in another one', { folder: this.#folder }, error)
    }
  }

  async documents(): Promise<readonly string[]> {
    const names = new Set<string>()
    if (this.#table === undefined) return []
    for await (const batch of this.#table.query().select(['document'])) for (const name of batch.getChild('document') as Iterable<string>) names.add(name)
    return [...names].toSorted()
  }

  async hashes(documents: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.#rows(documents, ['document', 'hash'])).map(({ document, hash }) => [document, hash]))
  }

  async entries(documents: readonly string[]): Promise<readonly Entry[]> {
    const rows = await this.#rows(documents, ['document', 'at', 'hash', 'title', 'source', 'text', 'metadata', 'triples', 'leads', 'vector'])
    return rows
      .map(({ document, at, hash, title, source, text, metadata, triples, leads, vector }) => ({ leads, document, at, hash, title, source, text, metadata: parsed<Metadata>(metadata), triples: parsed<Triple[]>(triples), vector: Float32Array.from(vector) }))
      .toSorted((a, b) => (a.document === b.document ? a.at - b.at : a.document < b.document ? -1 : 1))
  }

  async replace(documents: readonly string[], entries: readonly Entry[]): Promise<void> {
    const [first] = entries
    if (first === undefined) return void (await this.remove(documents))
    const table = await this.#tableFor(first.vector.length)
    const old = await this.#rows(documents, ['terms'])
    const rows = await inSlices(this.#rowsOf(entries))
    if (old.length === 0) await table.add(rows)
    else {
      const where = oneOf('document', documents)
      await table.mergeInsert('id').whenMatchedUpdateAll().whenNotMatchedInsertAll().whenNotMatchedBySourceDelete({ where }).execute(rows)
    }
    for (const { terms } of old) this.#ranking.note(split(terms), -1)
    for (const { terms } of rows) this.#ranking.note(split(terms), 1)
    this.#unindexed += rows.length
    if (this.#unindexed > UNINDEXED_MAX) await this.#tidy(table)
    else await this.#indexWords(table)
  }

  async remove(documents: readonly string[]): Promise<number> {
    let removed = 0
    for (const names of slicesOf(documents)) {
      const old = await this.#rows(names, ['document', 'terms'])
      if (old.length === 0) continue
      await this.#table?.delete(oneOf('document', names))
      for (const { terms } of old) this.#ranking.note(split(terms), -1)
      removed += new Set(old.map(({ document }) => document)).size
    }
    return removed
  }

  async search({ text, vector, limit, where = {} }: Query): Promise<readonly Found[]> {
    const table = this.#table
    if (table === undefined || this.size === 0) return []
    const wanted = this.#ranking.query(text)
    const condition = sqlOf(where)
    const count = Math.max(CANDIDATES_MIN, CANDIDATES_PER_RESULT * limit)
    const [byVector, byWords] = await Promise.all([this.#nearest(table, vector, condition, count), this.#withWords(table, [...wanted.rarities.keys()], condition, count)])
    const candidates = new Map([...byVector, ...byWords].map((row) => [row.id, row]))
    const scored = Array.from(candidates.values(), (row) => {
      const terms = split(row.terms)
      const times = timesIn(terms)
      return { row, score: this.#ranking.score(wanted, (term) => times.get(term), terms.length, cosineOfUnits(vector, Float32Array.from(row.vector))) }
    })
    return scored
      .toSorted((a, b) => b.score - a.score)
      .slice(0, limit)
      .map(({ row: { document, text, title, source, metadata }, score }) => ({ document, text, title, source, score, metadata: parsed<Metadata>(metadata), highlights: this.#ranking.highlights(text, wanted) }))
  }

  async facts(pattern: TriplePattern, limit: number): Promise<readonly Fact[]> {
    const condition = sqlOf({ triples: [pattern] })
    const found = this.#table?.query().where(`leads AND ${condition ?? 'true'}`).select(['document', 'source', 'triples']).limit(limit)
    const rows = ((await found?.toArray()) ?? []) as Pick<Row, 'document' | 'source' | 'triples'>[]
    return rows.flatMap(({ document, source, triples }) => parsed<Triple[]>(triples).filter((triple) => matches(triple, pattern)).map((triple) => ({ ...triple, document, source }))).slice(0, limit)
  }

  async settle(): Promise<void> {
    if (this.#table !== undefined && this.#unindexed >= UNINDEXED_MIN) await this.#tidy(this.#table)
  }

  async rebuild(): Promise<void> {
    const table = this.#table
    if (table === undefined) return
    for (const { name } of await table.listIndices()) await table.dropIndex(name)
    await this.#tidy(table)
  }

  async #nearest(table: Table, vector: Float32Array, condition: string | undefined, count: number): Promise<Row[]> {
    const query = table.query().nearestTo(vector).distanceType('dot').nprobes(PROBES).limit(count).select([...SEEN, '_distance'])
    return (await (condition === undefined ? query : query.where(condition)).toArray()) as Row[]
  }

  async #withWords(table: Table, terms: readonly string[], condition: string | undefined, count: number): Promise<Row[]> {
    if (terms.length === 0) return []
    const { lance } = await this.#ready()
    const query = table.query().fullTextSearch(new lance.MatchQuery(terms.join(' '), 'terms')).limit(count).select([...SEEN, '_score'])
    return (await (condition === undefined ? query : query.where(condition)).toArray()) as Row[]
  }

  *#count(passages: Iterable<string>): Generator<void, void> {
    for (const terms of passages) {
      this.#ranking.note(split(terms), 1)
      yield
    }
  }

  *#rowsOf(entries: readonly Entry[]): Generator<void, NewRow[]> {
    const rows: NewRow[] = []
    for (const entry of entries) {
      rows.push(this.#rowOf(entry))
      yield
    }
    return rows
  }

  #rowOf(entry: Entry): NewRow {
    const { document, at, hash, title, source, text, vector, metadata, triples, leads } = entry
    const terms = this.#ranking.termsOf(entry).join(' ')
    return { id: `${document}#${at}`, document, at, hash, title, source, text, terms, labels: labelsOf(entry), metadata: JSON.stringify(metadata), triples: JSON.stringify(triples), leads, vector }
  }

  async #rows<K extends keyof Row>(documents: readonly string[], columns: readonly K[]): Promise<Pick<Row, K>[]> {
    const rows: Pick<Row, K>[] = []
    if (this.#table === undefined) return rows
    for (const names of slicesOf(documents)) rows.push(...((await this.#table.query().where(oneOf('document', names)).select([...columns]).toArray()) as Row[]))
    return rows
  }

  async #tableFor(dimensions: number): Promise<Table> {
    const { arrow, connection } = await this.#ready()
    this.#table ??= await connection.createEmptyTable(TABLE, schemaOf(arrow, dimensions), { existOk: true })
    const column = (await this.#table.schema()).fields.find(({ name }) => name === 'vector') as { type: { listSize?: number } } | undefined
    const known = column?.type.listSize
    if (known === dimensions) return this.#table
    throw new TroupeError('Incompatible', `the passages in ${this.#folder} have vectors of ${known} numbers, these have ${dimensions}`, 'use the encoder that they were taken in with, or another folder', { folder: this.#folder })
  }

  async #ready(): Promise<Opened> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  /** Without it LanceDB refuses to look for words at all. */
  async #indexWords(table: Table): Promise<void> {
    const { lance } = await this.#ready()
    if ((await table.listIndices()).some(({ columns }) => columns[0] === 'terms')) return
    const config = lance.Index.fts({ baseTokenizer: 'whitespace', stem: false, removeStopWords: false, asciiFolding: false, lowercase: false, maxTokenLength: 256, withPosition: false })
    await table.createIndex('terms', { config })
  }

  async #tidy(table: Table): Promise<void> {
    await this.#indexWords(table)
    const { lance } = await this.#ready()
    const indexed = new Set((await table.listIndices()).map(({ columns }) => columns[0]))
    for (const column of ['id', 'document']) if (!indexed.has(column)) await table.createIndex(column, { config: lance.Index.btree() })
    if (!indexed.has('labels')) await table.createIndex('labels', { config: lance.Index.labelList() })
    if (!indexed.has('vector') && this.size >= VECTOR_INDEX_FROM) {
      await table.createIndex('vector', { config: lance.Index.ivfFlat({ distanceType: 'dot', numPartitions: Math.round(Math.sqrt(this.size)) }) })
    }
    await table.optimize({ cleanupOlderThan: new Date(realClock.now() - OLD_VERSIONS_MS) })
    this.#unindexed = 0
  }
}

/** Another layout of the rows gets another name. */
const TABLE = 'passages-1'

function schemaOf({ Schema, Field, Utf8, Bool, Int32, Float32, List, FixedSizeList }: Arrow, dimensions: number): InstanceType<Arrow['Schema']> {
  const text = ['id', 'document', 'hash', 'title', 'source', 'text', 'terms', 'metadata', 'triples'].map((name) => new Field(name, new Utf8(), false))
  return new Schema([
    ...text,
    new Field('at', new Int32(), false),
    new Field('leads', new Bool(), false),
    new Field('labels', new List(new Field('item', new Utf8(), true)), false),
    new Field('vector', new FixedSizeList(dimensions, new Field('item', new Float32(), true)), false),
  ])
}

async function load(): Promise<{ lance: Lance; arrow: Arrow }> {
  try {
    const [lance, arrow] = await Promise.all([import('@lancedb/lancedb'), import('apache-arrow')])
    return { lance, arrow }
  } catch (error) {
    throw new TroupeError('MissingDependency', `passages on disk need @lancedb/lancedb, which could not be loaded: ${describe(error)}`, 'npm install @lancedb/lancedb apache-arrow@18.1.0', { dependency: '@lancedb/lancedb' }, error)
  }
}

/** The lock goes with its process: after a kill nothing stale is left. */
async function held(folder: string): Promise<Lock> {
  const path = await realpath(folder).catch(() => resolve(folder))
  try {
    return await holdLock(path)
  } catch (error) {
    if (!(error instanceof TroupeError && error.code === 'Overloaded')) throw error
    throw new TroupeError('Overloaded', `another retriever has ${folder} open`, 'let one retriever hold the folder and ask that one, or give this one a folder of its own', { ...error.details, folder }, error)
  }
}

const split = (terms: string): string[] => (terms === '' ? [] : terms.split(' '))
const parsed = <T>(json: string): T => JSON.parse(json) as T
const slicesOf = (names: readonly string[]): string[][] => Array.from({ length: Math.ceil(names.length / NAMES_MAX) }, (_, at) => names.slice(at * NAMES_MAX, (at + 1) * NAMES_MAX))
