// What language understanding is measured beside, and the measures.
import { createRequire } from 'node:module'
import nlp from 'compromise'

const require = createRequire(import.meta.url)

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
export const spread = (values) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)))

function chanceFrom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
  }
}

/** So many of them, drawn and ordered by a seed. */
export function sampled(items, count, seed) {
  const chance = chanceFrom(seed)
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = Math.floor(chance() * (at + 1))
    ;[mixed[at], mixed[other]] = [mixed[other], mixed[at]]
  }
  return mixed.slice(0, count)
}

/** So many examples of each intent. */
export function bySeed(rows, shots, seed) {
  const seen = new Map()
  return sampled(rows, Infinity, seed).filter(({ intent }) => {
    seen.set(intent, (seen.get(intent) ?? 0) + 1)
    return seen.get(intent) <= shots
  })
}

/** The share of pairs in which the first kind scores higher. */
export function rocArea(higher, lower) {
  const all = [...higher.map((score) => ({ score, high: true })), ...lower.map((score) => ({ score, high: false }))].sort((a, b) => a.score - b.score)
  let ranks = 0
  for (let at = 0; at < all.length; ) {
    let end = at
    while (end < all.length && all[end].score === all[at].score) end++
    for (let same = at; same < end; same++) if (all[same].high) ranks += (at + end + 1) / 2
    at = end
  }
  return (ranks - (higher.length * (higher.length + 1)) / 2) / (higher.length * lower.length)
}

export function majority(train, test) {
  const counts = new Map()
  for (const { intent } of train) counts.set(intent, (counts.get(intent) ?? 0) + 1)
  const [most] = [...counts].sort((a, b) => b[1] - a[1])[0]
  return test.filter(({ intent }) => intent === most).length / test.length
}

/** nlp.js with its defaults, but for the class `None`, which would only cost it answers. */
export async function nlpJs(train, test, language) {
  const { NlpManager } = require('node-nlp')
  const manager = new NlpManager({ languages: [language], forceNER: false, autoSave: false, nlu: { log: false, useNoneFeature: false } })
  for (const { text, intent } of train) manager.addDocument(language, text, intent)
  await manager.train()
  let right = 0
  for (const { text, intent } of test) if ((await manager.process(language, text)).intent === intent) right++
  return right / test.length
}

const offsets = (found, type) => found.json({ offset: true }).flatMap(({ terms, offset }) => {
  const first = terms[0]?.offset
  const last = terms.at(-1)?.offset
  return first === undefined || last === undefined || offset === undefined ? [] : [[first.start, last.start + last.length, type]]
})

/** compromise, a rule-based tagger for English. */
export function people(text) {
  const doc = nlp(text)
  return [...offsets(doc.people(), 'person'), ...offsets(doc.places(), 'place'), ...offsets(doc.organizations(), 'organization')]
}

export const capitals = (text) => Array.from(text.matchAll(/(?<!^)(?<![.!?] )\b\p{Lu}[\p{L}'-]+(?: \p{Lu}[\p{L}'-]+)*/gu), (match) => [match.index, match.index + match[0].length, 'person'])
