// How well the guard keeps a desk to its topics: what is allowed, what is denied, and what is about neither. The least
// likeness was fitted on the desks of `calibration`, whose figures by likeness --calibration shows; the figures are those
// of other desks. Exits with 1 below the bar.
//   nice -n 15 node bench/topics.mjs [--calibration] [--show]
import { readFileSync } from 'node:fs'
import { createTroupe } from 'troupe'
import { guard } from 'troupe/actors'

const ROLES = ['allowed', 'denied', 'off topic']
/** The least mean of the shares of each role that are judged rightly. */
const MEAN_MIN = 0.8

const calibrates = process.argv.includes('--calibration')
const rows = readFileSync(new URL('data/topics.jsonl', import.meta.url), 'utf8').trim().split('\n').map((line) => JSON.parse(line)).filter(({ split }) => split === (calibrates ? 'calibration' : 'test'))
const desks = [...new Set(rows.map(({ desk }) => desk))]
const troupe = await createTroupe()

const examplesOf = (of, role) => {
  const topics = {}
  for (const { topic, text } of of.filter((row) => row.role === role)) (topics[topic] ??= []).push(text)
  return topics
}

/** Every text with whether it was refused, by the desk's own guard. */
async function judged(min) {
  const all = []
  for (const desk of desks) {
    const of = rows.filter((row) => row.desk === desk)
    const topics = { allowed: examplesOf(of, 'allowed example'), denied: examplesOf(of, 'denied example'), ...(min !== undefined && { min }) }
    const watch = troupe.spawn(`guard-${desks.indexOf(desk)}-${min ?? 'usual'}`, guard({ personal: false, secrets: false, injection: false, topics }))
    for (const row of of.filter(({ role }) => ROLES.includes(role))) {
      const { reasons } = await watch.ask({ type: 'check', text: row.text, direction: 'input' })
      all.push({ ...row, refused: reasons.some(({ rule }) => rule === 'topic') })
    }
    await watch.stop()
  }
  return all
}

function sharesOf(all) {
  const share = (role) => ((of) => of.filter(({ refused }) => refused === (role !== 'allowed')).length / of.length)(all.filter((row) => row.role === role))
  return Object.fromEntries(ROLES.map((role) => [role, share(role)]))
}
const meanOf = (shares) => Object.values(shares).reduce((sum, share) => sum + share, 0) / ROLES.length
const line = (name, shares) => console.log(`| ${name} | ${[...Object.values(shares), meanOf(shares)].map((share) => share.toFixed(3)).join(' | ')} |`)

console.log(`${calibrates ? 'calibration' : 'test'}: ${desks.length} desks, ${rows.filter(({ role }) => ROLES.includes(role)).length} texts\n\n| | allowed and let through | denied and refused | off topic and refused | mean |\n| --- | --- | --- | --- | --- |`)
if (calibrates) for (const min of [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6]) line(`at least ${min}`, sharesOf(await judged(min)))
const usual = await judged()
for (const desk of desks) line(desk, sharesOf(usual.filter((row) => row.desk === desk)))
const shares = sharesOf(usual)
line('all', shares)
await troupe.stop()
if (process.argv.includes('--show')) for (const { role, refused, desk, text } of usual) if (refused === (role === 'allowed')) console.log(`${desk}, ${role}: ${text}`)
if (meanOf(shares) < MEAN_MIN) process.exitCode = 1
