// Mastra at ten-step workflows, in a process of its own: node mastra.mjs <runs> <at once>; prints steps a second.
import { createStep, createWorkflow } from '@mastra/core/workflows'
import { z } from 'zod'

const [runs, width] = process.argv.slice(2).map(Number)
const STEPS = 10
const state = z.object({ n: z.number() })
let workflow = createWorkflow({ id: 'ten-steps', inputSchema: state, outputSchema: state })
for (let i = 0; i < STEPS; i++) workflow = workflow.then(createStep({ id: `n${i}`, inputSchema: state, outputSchema: state, execute: async ({ inputData: { n } }) => ({ n: n + 1 }) }))
workflow.commit()
const all = async (count) => {
  let left = count
  const worker = async () => {
    while (left-- > 0) {
      const run = await workflow.createRunAsync()
      const { status, result } = await run.start({ inputData: { n: 0 } })
      if (status !== 'success' || result.n !== STEPS) throw new Error(`${status}: ${result?.n} steps of ${STEPS}`)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
}
await all(width)
const start = performance.now()
await all(runs)
console.log((runs * STEPS * 1_000) / (performance.now() - start))
process.exit(0)
