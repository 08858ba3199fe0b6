/** Entities of one text: declared ones, exact ones and the tagger's, none overlapping another. */
import { contactsOf } from './contacts.js'
import { datesOf, type Reference } from './dates.js'
import type { DeclaredSpan } from './declared.js'
import { moneyOf } from './money.js'
import { numbersOf } from './numbers.js'
import type { Entity } from './protocol.js'

export interface Tagged {
  readonly type: string
  readonly value: string
  readonly start: number
  readonly end: number
  readonly score: number
}

/**
 * Who wins where two overlap: what a user declared, then what is exact by its form, then the tagger. Numbers come last:
 * a bare number within `12 Baker Street` is part of the address, but the tagger's own numbers, which carry no value, give
 * way to it. Within a rank the longer one wins, then the earlier.
 */
const RANK = { declared: 0, exact: 1, tagger: 2, number: 3, taggedNumber: 4 } as const
/** What a form decides better than the tagger; its spans of these types stay only where no exact one overlaps. */
const NUMERIC = new Set(['number'])

interface Ranked {
  readonly rank: number
  readonly entity: Entity
}

/** Everything in a text that is exact by its form, overlaps included. */
async function exactOf(text: string, reference: Reference): Promise<Ranked[]> {
  const value = (start: number, end: number): { value: string; start: number; end: number } => ({ value: text.slice(start, end), start, end })
  const exact = (entity: Omit<Entity, 'score' | 'source'>): Ranked => ({ rank: RANK.exact, entity: { ...entity, score: 1, source: 'exact' } })
  const numbers = numbersOf(text)
  return [
    ...contactsOf(text).map(({ type, start, end, canonical }) => exact({ type, ...value(start, end), canonical })),
    ...moneyOf(text, numbers).map(({ start, end, number, unit }) => exact({ type: 'money', ...value(start, end), number, unit })),
    ...(await datesOf(text, reference)).map(({ type, start, end, at, until }) => exact({ type, ...value(start, end), at, ...(until !== undefined && { until }) })),
    ...numbers.map(({ start, end, number }): Ranked => ({ rank: RANK.number, entity: { type: 'number', ...value(start, end), number, score: 1, source: 'exact' } })),
  ]
}

export async function entitiesOf(text: string, tagged: readonly Tagged[], declared: readonly DeclaredSpan[], reference: Reference): Promise<Entity[]> {
  const ranked: Ranked[] = [
    ...declared.map(({ type, start, end, canonical }): Ranked => ({ rank: RANK.declared, entity: { type, value: text.slice(start, end), start, end, canonical, score: 1, source: 'declared' } })),
    ...(await exactOf(text, reference)),
    ...tagged.map(({ type, value, start, end, score }): Ranked => ({ rank: NUMERIC.has(type) ? RANK.taggedNumber : RANK.tagger, entity: { type, value, start, end, score, source: 'tagger' } })),
  ]
  return withoutOverlaps(ranked)
}

const lengthOf = ({ start, end }: Entity): number => end - start

export function withoutOverlaps(ranked: readonly Ranked[]): Entity[] {
  const kept: Entity[] = []
  const taken = new Uint8Array(ranked.reduce((last, { entity }) => Math.max(last, entity.end), 0))
  const order = ranked.toSorted((a, b) => a.rank - b.rank || lengthOf(b.entity) - lengthOf(a.entity) || a.entity.start - b.entity.start)
  for (const { entity } of order) {
    if (taken.subarray(entity.start, entity.end).includes(1)) continue
    taken.fill(1, entity.start, entity.end)
    kept.push(entity)
  }
  return kept.toSorted((a, b) => a.start - b.start)
}
