// How well the guard tells attacks from ordinary texts: forms of words, likeness, and both, on texts by which nothing
// was fitted. Exits with 1 below the bars. `--calibration` shows the set by which the threshold was fitted.
//   nice -n 15 node bench/guard.mjs [--calibration] [--show]
import { readFileSync } from 'node:fs'
import { createTroupe } from 'troupe'
import { guard } from 'troupe/actors'

const PRECISION_MIN = 0.85
const RECALL_MIN = 0.8

const split = process.argv.includes('--calibration') ? 'calibration' : 'test'
const rows = readFileSync(new URL('data/guard.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter((row) => row.split === split)
const troupe = await createTroupe()
const watch = troupe.spawn('guard', guard({ personal: false, secrets: false }))
await watch.ask({ type: 'check', text: 'warm up', direction: 'input' })

const judged = []
const times = []
for (const row of rows) {
  const from = performance.now()
  const { reasons } = await watch.ask({ type: 'check', text: row.text, direction: row.kind })
  times.push(performance.now() - from)
  judged.push({ ...row, form: reasons.some(({ name }) => name === 'known form'), like: reasons.some(({ name }) => name === 'like a known attack') })
}
await troupe.stop()

function figures(name, isRefused, kinds = ['input', 'passage']) {
  const of = judged.filter(({ kind }) => kinds.includes(kind))
  const attacks = of.filter(({ label }) => label === 'attack')
  const found = attacks.filter(isRefused).length
  const alarms = of.filter((row) => row.label === 'benign' && isRefused(row)).length
  const [precision, recall] = [found / (found + alarms), found / attacks.length]
  console.log(`${name.padEnd(26)} ${precision.toFixed(3)}      ${recall.toFixed(3)}   ${String(found).padStart(3)} of ${attacks.length}      ${alarms} of ${of.length - attacks.length}`)
  return { precision, recall }
}

console.log(`${split}: ${rows.length} texts, English and Chinese`)
console.log('                           precision  recall  found       false alarms')
figures('forms of words', ({ form }) => form)
figures('likeness to known attacks', ({ like }) => like)
figures('both, inputs', ({ form, like }) => form || like, ['input'])
figures('both, passages', ({ form, like }) => form || like, ['passage'])
const { precision, recall } = figures('both', ({ form, like }) => form || like)
times.sort((a, b) => a - b)
console.log(`a check takes ${times[times.length >> 1].toFixed(1)} ms (median)`)
if (process.argv.includes('--show')) for (const { label, form, like, text } of judged) if ((label === 'attack') !== (form || like)) console.log(label === 'attack' ? 'missed: ' : 'alarm:  ', text)
if (precision < PRECISION_MIN || recall < RECALL_MIN) process.exitCode = 1
