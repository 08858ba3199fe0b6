// Runs cases in one process, alternating, and prints medians and ratios: the machines are shared, so only ratios mean much.
import { cpus, loadavg } from 'node:os'

export const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

export const collect = () => {
  globalThis.gc?.()
  globalThis.gc?.()
}

export const show = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)} M` : n >= 1e4 ? `${(n / 1e3).toFixed(0)} k` : n >= 100 ? n.toFixed(0) : n.toFixed(2))

/** `cases`: name → { n, run(n) }; each round visits all, in turn and back. Gives name → operations a second, per round. */
export async function alternate(cases, { rounds = 7, warm = 2 } = {}) {
  const rates = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
  for (let round = -warm; round < rounds; round++) {
    const order = round % 2 === 0 ? Object.entries(cases) : Object.entries(cases).reverse()
    for (const [name, { n, run }] of order) {
      collect()
      const start = performance.now()
      await run(n)
      if (round >= 0) rates[name].push((n / (performance.now() - start)) * 1_000)
    }
  }
  return rates
}

export function header(title) {
  console.log(`## ${title}`)
  console.log(`node ${process.version}, ${cpus().length} × ${cpus()[0].model}, load ${loadavg()[0].toFixed(2)}\n`)
}

/** Prints one row for each claim: [case, peer, bar]. The ratio is the median over the rounds of the ratio within a round. */
export function compare(rates, claims) {
  console.log('| case | a second | beside | a second | ratio (min..max) | bar |\n| --- | --- | --- | --- | --- | --- |')
  let met = true
  for (const [name, peer, bar] of claims) {
    const ratios = rates[name].map((rate, round) => rate / rates[peer][round])
    const ratio = median(ratios)
    if (bar !== undefined && ratio < bar) met = false
    console.log(`| ${name} | ${show(median(rates[name]))} | ${peer} | ${show(median(rates[peer]))} | ${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)}..${Math.max(...ratios).toFixed(2)}) | ${bar ?? 'reported'} |`)
  }
  console.log(met ? '' : '\nbelow a bar')
  return met
}
