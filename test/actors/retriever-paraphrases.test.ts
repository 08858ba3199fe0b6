import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { termsOf } from '../../src/actors/words.js'

interface Pair {
  readonly question: string
  readonly passage: string
}
const pairs = gunzipSync(readFileSync(new URL('../../bench/data/paraphrases.jsonl.gz', import.meta.url))).toString().trim().split('\n').map((line) => JSON.parse(line) as Pair)

/** So many letters at the beginning make two words look like forms of one. */
const ALIKE = 5
const alike = (a: string, b: string): boolean => a === b || (a.length >= ALIKE && b.length >= ALIKE && a.slice(0, ALIKE) === b.slice(0, ALIKE))
const shared = ({ question, passage }: Pair): string[] => termsOf(question).filter((term) => termsOf(passage).some((other) => alike(term, other)))

test('the questions of the paraphrase set share no content word with their passage, nor a form of one', () => {
  expect(pairs).toHaveLength(100)
  expect(new Set(pairs.flatMap(({ question, passage }) => [question, passage])).size).toBe(200)
  expect(pairs.filter((pair) => shared(pair).length > 0)).toEqual([])
  expect(pairs.filter(({ question, passage }) => termsOf(question).length === 0 || termsOf(passage).length === 0)).toEqual([])
})

test('the check finds a word that is shared, and a form of one', () => {
  expect(shared({ question: 'Who repairs the lamp?', passage: 'The lamp hangs.' })).toEqual(['lamp'])
  expect(shared({ question: 'Who repairs it?', passage: 'A repairman comes.' })).toHaveLength(1)
})
