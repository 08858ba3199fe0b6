// A durable agent that is killed: `node agent.mjs <folder> <model url> <till url>` goes on with its one run and prints the outcome.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { createTroupe } from 'troupe'
import { agent, tool } from 'troupe/actors'
import { lmdb } from 'troupe/lmdb'
import { z } from 'zod'

const [folder, modelUrl, tillUrl] = process.argv.slice(2)
const model = createOpenAICompatible({ name: 'scripted', baseURL: modelUrl, includeUsage: true })('scripted-1')
const pay = tool({
  name: 'pay',
  input: z.object({ bill: z.number() }),
  run: async ({ bill }, { signal, idempotencyKey }) => (await fetch(`${tillUrl}/?bill=${bill}&key=${encodeURIComponent(idempotencyKey)}`, { signal })).text(),
})
const troupe = await createTroupe({ store: lmdb(folder) })
const clerk = troupe.keyed('clerk', agent({ model, tools: [pay], durable: true, memory: true, budget: { steps: 20 } }))('ada')
const task = { input: 'Pay all my bills.', run: 'bills of May' }
if (troupe.resumed.length === 0) for await (const chunk of clerk.stream({ type: 'run', ...task })) void chunk
process.stdout.write(JSON.stringify(await clerk.ask({ type: 'answer', ...task }, { timeout: '60s' })))
await troupe.stop()
