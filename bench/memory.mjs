// What actors cost in memory, how fast they start, and that keyed actors and streams stay flat.
// node --expose-gc bench/memory.mjs
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { actor, createTroupe, event, protocol, reply, request, stream } from 'troupe'
import { lmdb } from 'troupe/lmdb'
import { assign, createActor, createMachine } from 'xstate'
import { collect, header, median, show } from './side-by-side.mjs'

const anything = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } }
const Pings = protocol({ ping: event(anything) })
const one = createMachine({ context: { count: 0 }, on: { ping: { actions: assign({ count: ({ context }) => context.count + 1 }) } } })
const machine = actor(Pings, one)
const handlers = actor(Pings, { state: () => ({ count: 0 }), on: { ping: (_, me) => void me.state.count++ } })
const MB = 1024 * 1024

/** Makes `n` idle actors, and measures bytes of heap and microseconds for each. */
async function idle(make, n = 100_000) {
  const keep = Array.from({ length: n })
  for (let i = 0; i < 200; i++) make(`warm${i}`)
  collect()
  const before = process.memoryUsage().heapUsed
  const start = performance.now()
  for (let i = 0; i < n; i++) keep[i] = make(`a${i}`)
  const ms = performance.now() - start
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  const bytes = (process.memoryUsage().heapUsed - before) / n
  return { bytes, us: (ms / n) * 1_000, kept: keep.length }
}

/** Bytes of heap for each of `n` keyed actors whose handlers sleep for three days. */
async function asleep(options, durable, n = 100_000) {
  const troupe = await createTroupe(options)
  const sleeper = troupe.keyed('sleeper', actor(Pings, { durable, on: { ping: (_, me) => me.sleep('3d') } }))
  await sleeper('warm').tell({ type: 'ping' })
  collect()
  const before = process.memoryUsage().heapUsed
  const start = performance.now()
  for (let i = 0; i < n; i += 1_000) await Promise.all(Array.from({ length: 1_000 }, (_, k) => sleeper(String(i + k)).tell({ type: 'ping' })))
  const us = ((performance.now() - start) * 1_000) / n
  // Long enough for the last of them to leave.
  await new Promise((resolve) => setTimeout(resolve, 5_000))
  collect()
  return { bytes: (process.memoryUsage().heapUsed - before) / n, us }
}

const parts = {
  awake: () => asleep({}, false),
  asleep: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-memory-'))
    try {
      return await asleep({ store: lmdb(folder, { sync: false }) }, true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
  'bare-machine': async () => {
    const parent = createActor(one).start()
    return idle(() => createActor(one, { parent }).start())
  },
  machine: async () => {
    const troupe = await createTroupe()
    return idle((name) => troupe.spawn(name, machine))
  },
  handlers: async () => {
    const troupe = await createTroupe()
    return idle((name) => troupe.spawn(name, handlers))
  },
  keyed: async () => {
    const troupe = await createTroupe()
    const counter = troupe.keyed('counter', handlers, { passivateAfter: '50ms' })
    let most = 0
    const start = performance.now()
    for (let i = 0; i < 1_000_000; i++) {
      const accepted = counter(String(i)).tell({ type: 'ping' })
      if (i % 64 === 63) await accepted
      if (i % 50_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed)
    }
    const ms = performance.now() - start
    most = Math.max(most, process.memoryUsage().heapUsed)
    await troupe.stop()
    return { mostMB: most / MB, us: ms / 1_000 }
  },
  stream: async () => {
    const Numbers = protocol({ count: stream(anything, anything), ahead: request(null, anything) })
    let produced = 0
    const counting = actor(Numbers, { concurrency: 2, on: { ahead: () => produced, count: async function* ({ to }) { for (produced = 0; produced < to; ) yield produced++ } } })
    const troupe = await createTroupe()
    const ref = troupe.spawn('numbers', counting)
    collect()
    const before = process.memoryUsage().heapUsed
    let most = 0
    let ahead = 0
    let read = 0
    const start = performance.now()
    for await (const n of ref.stream({ type: 'count', to: 1_000_000 })) {
      if (n !== read++) throw new Error('out of order')
      ahead = Math.max(ahead, produced - read)
      // A slow reader: it lets the loop turn now and then, so that the producer could run ahead if nothing held it.
      if (read % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (read % 50_000 === 0) {
        collect()
        most = Math.max(most, process.memoryUsage().heapUsed - before)
      }
    }
    const ms = performance.now() - start
    await troupe.stop()
    return { read, ahead, grownMB: most / MB, us: (ms * 1_000) / read }
  },
}
void reply

if (process.argv[2] !== undefined) {
  console.log(JSON.stringify(await parts[process.argv[2]]()))
  process.exit(0)
}

const measure = (part) => JSON.parse(spawnSync(process.execPath, ['--expose-gc', fileURLToPath(import.meta.url), part], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
const several = (part) => Array.from({ length: 3 }, () => measure(part))
const middle = (runs, key) => median(runs.map((run) => run[key]))

header('Memory and start-up, each case in a process of its own, median of 3')
const [bare, behind, plain] = ['bare-machine', 'machine', 'handlers'].map(several)
const over = middle(behind, 'bytes') - middle(bare, 'bytes')
const spawnMs = middle(behind, 'us') * 100
const keyed = measure('keyed')
const flow = measure('stream')
const [sleeping, waiting] = [measure('asleep'), measure('awake')]
const rows = [
  ['idle one-assign machine, bare XState actor in a shared system', `${show(middle(bare, 'bytes'))} B`, ''],
  ['idle one-assign machine behind a mailbox', `${show(middle(behind, 'bytes'))} B, ${show(over)} B over the bare one`, 'at most 2,048 B over'],
  ['idle actor with handlers', `${show(middle(plain, 'bytes'))} B`, 'reported'],
  ['100,000 machine actors spawn', `${show(spawnMs / 1_000)} s`, 'under 3 s'],
  ['1,000,000 keyed actors touched one after another, passivated after 50 ms', `${show(keyed.mostMB)} MB of heap at most, ${show(keyed.us)} µs each`, 'under 1,024 MB'],
  ['100,000 durable actors whose handlers sleep for three days', `${show(sleeping.bytes)} B each, ${show(sleeping.us)} µs to accept one; volatile ones stay awake with ${show(waiting.bytes)} B`, 'under 1,024 B'],
  ['1,000,000 chunks to a slow reader', `producer ${flow.ahead} ahead at most, heap grew ${show(flow.grownMB)} MB, ${show(flow.us)} µs a chunk`, 'flat'],
]
console.log(`| case | measured | bar |\n| --- | --- | --- |\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`)
const met = over <= 2_048 && sleeping.bytes < 1_024 && spawnMs < 3_000 && keyed.mostMB < 1_024 && flow.ahead <= 64 && flow.grownMB < 32
if (!met) console.log('\nbelow a bar')
process.exit(met ? 0 : 1)
