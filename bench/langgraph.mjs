// LangGraph.js at ten-step workflows, in a process of its own: node langgraph.mjs <memory|sqlite> <runs> <at once>; prints steps a second.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Annotation, END, START, StateGraph } from '@langchain/langgraph'

const [kind, runs, width] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const STEPS = 10
const State = Annotation.Root({ n: Annotation() })
let graph = new StateGraph(State)
for (let i = 0; i < STEPS; i++) graph = graph.addNode(`n${i}`, async (state) => ({ n: state.n + 1 }))
graph = graph.addEdge(START, 'n0')
for (let i = 1; i < STEPS; i++) graph = graph.addEdge(`n${i - 1}`, `n${i}`)
graph = graph.addEdge(`n${STEPS - 1}`, END)
const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-langgraph-'))
const checkpointer = kind === 'sqlite' ? (await import('@langchain/langgraph-checkpoint-sqlite')).SqliteSaver.fromConnString(join(folder, 'checkpoints.sqlite')) : undefined
const workflow = graph.compile(checkpointer === undefined ? {} : { checkpointer })
let thread = 0
const all = async (count) => {
  let left = count
  const worker = async () => {
    while (left-- > 0) {
      const { n } = await workflow.invoke({ n: 0 }, { recursionLimit: 50, configurable: { thread_id: `t${thread++}` } })
      if (n !== STEPS) throw new Error(`${String(n)} steps of ${STEPS}`)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
}
await all(width)
const start = performance.now()
await all(runs)
console.log((runs * STEPS * 1_000) / (performance.now() - start))
rmSync(folder, { recursive: true, force: true })
process.exit(0)
