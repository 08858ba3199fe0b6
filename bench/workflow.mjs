// Ten-step workflows beside LangGraph.js and Mastra, in memory and durable, 64 runs at once. node --expose-gc bench/workflow.mjs
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { assign, createActor, fromPromise, setup, toPromise } from 'xstate'
import { actor, createTroupe, protocol, reply, request, stepOnce } from 'troupe'
import { lmdb } from 'troupe/lmdb'
import { collect, compare, header } from './side-by-side.mjs'

const STEPS = 10
const WIDTH = 64
const ROUNDS = 5
const anything = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } }
const Work = protocol({ add: request(anything, anything) })
const Flow = protocol({ run: request(anything, anything) })
const worker = actor(Work, { on: { add: ({ n }) => n + 1 } })
/** Each step is an ask to another actor. */
const asking = actor(Flow, {
  on: {
    run: async ({ n }, me) => {
      for (let i = 0; i < STEPS; i++) n = await me.ask(me.ref(Work, `work${i}`), { type: 'add', n })
      return n
    },
  },
})
/** Each step is recorded before the next begins. */
const stepping = actor(Flow, {
  durable: true,
  on: {
    run: async ({ n }, me) => {
      for (let i = 0; i < STEPS; i++) n = await me.step(`step ${i}`, async () => n + 1)
      return n
    },
  },
})
const stateOf = (i, done) => (i === STEPS ? done : { invoke: { src: 'add', input: ({ context }) => context.n, onDone: { target: `s${i + 1}`, actions: assign({ n: ({ event }) => event.output }) } } })
const statesTo = (done) => Object.fromEntries(Array.from({ length: STEPS + 1 }, (_, i) => [`s${i}`, stateOf(i, done)]))
const charted = actor(
  Flow,
  setup({ actors: { add: stepOnce('add', async (n) => n + 1) } }).createMachine({
    context: { n: 0, from: undefined },
    initial: 'idle',
    states: { idle: { on: { run: { target: 's0', actions: assign({ n: ({ event }) => event.n, from: ({ event }) => event.from }) } } }, ...statesTo({ entry: reply(({ context }) => context.n, { to: ({ context }) => context.from }), always: 'idle' }) },
  }),
)
const bare = setup({ actors: { add: fromPromise(async ({ input }) => input + 1) } }).createMachine({ context: { n: 0 }, initial: 's0', states: statesTo({ type: 'final' }), output: ({ context }) => context.n })

const atOnce = async (runs, run) => {
  let left = runs
  const one = async (w) => {
    while (left-- > 0) if ((await run(w)) !== STEPS) throw new Error('a run did not take its ten steps')
  }
  await Promise.all(Array.from({ length: WIDTH }, (_, w) => one(w)))
}
const timed = async (runs, run) => {
  collect()
  const start = performance.now()
  await atOnce(runs, run)
  return (runs * STEPS * 1_000) / (performance.now() - start)
}
/** Rivals run in processes of their own; what they print is their steps a second. */
const rival = async (file, ...args) => Number((await promisify(execFile)(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), ...args.map(String)])).stdout)
const langgraph = (kind, runs) => rival('langgraph.mjs', kind, runs, WIDTH)

const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'))
const volatile = await createTroupe({ check: 'boundary' })
for (let i = 0; i < STEPS; i++) volatile.spawn(`work${i}`, worker)
const [flowAt, chartAt] = [volatile.keyed('flow', asking), volatile.keyed('chart', charted)]
const durable = await createTroupe({ store: lmdb(folder), check: 'boundary' })
const stepAt = durable.keyed('flow', stepping)
// As far as SQLite's checkpointer goes: its WAL is not synced with each commit (better-sqlite3 is built with synchronous = NORMAL).
const unsynced = await createTroupe({ store: lmdb(join(folder, 'unsynced'), { sync: false }), check: 'boundary' })
const unsyncedAt = unsynced.keyed('flow', stepping)
const ask = (refOf) => (w) => refOf(String(w)).ask({ type: 'run', n: 0 }, { timeout: 'none' })
const cases = {
  'handler actors, in memory': () => timed(4_000, ask(flowAt)),
  'an XState machine with invokes, in memory': () => timed(2_000, ask(chartAt)),
  'bare XState promises': () => timed(1_000, () => toPromise(createActor(bare).start())),
  'LangGraph.js, in memory': () => langgraph('memory', 300),
  'Mastra, in memory': () => rival('mastra.mjs', 1_000, WIDTH),
  'durable handlers, each step fsynced': () => timed(1_000, ask(stepAt)),
  'durable handlers, not synced': () => timed(1_000, ask(unsyncedAt)),
  'LangGraph.js with SQLite': () => langgraph('sqlite', 128),
}
header(`Ten-step workflows, ${WIDTH} runs at once; steps`)
const rates = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
for (let round = -1; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const rate = await run()
    if (round >= 0) rates[name].push(rate)
  }
}
compare(rates, [
  ['handler actors, in memory', 'LangGraph.js, in memory', 50],
  ['an XState machine with invokes, in memory', 'LangGraph.js, in memory', 20],
  ['bare XState promises', 'LangGraph.js, in memory'],
  ['handler actors, in memory', 'Mastra, in memory'],
  ['an XState machine with invokes, in memory', 'Mastra, in memory'],
  ['durable handlers, each step fsynced', 'LangGraph.js with SQLite', 20],
  ['durable handlers, not synced', 'LangGraph.js with SQLite'],
])
await volatile.stop()
await durable.stop()
await unsynced.stop()
rmSync(folder, { recursive: true, force: true })
process.exit(0)
