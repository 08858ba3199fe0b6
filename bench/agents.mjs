// An agent with a stub in its model's place, three tool calls one after the other, then an answer; beside the OpenAI Agents SDK, Mastra
// and LangGraph.js, which run in processes of their own. 16 runs at once. node --expose-gc bench/agents.mjs
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createTroupe } from 'troupe'
import { agent, tool } from 'troupe/actors'
import { lmdb } from 'troupe/lmdb'
import { z } from 'zod'
import { ANSWER, INSTRUCTIONS, QUESTION, TOOL, TURNS, callAfter, look, timed } from './agent-script.mjs'
import { collect, compare, header } from './side-by-side.mjs'

const WIDTH = 16
const ROUNDS = 5
/** As a provider's model comes, part by part. */
const model = {
  provider: 'stub',
  modelId: 'stub',
  doStream: async ({ prompt }) => {
    const call = callAfter(prompt.filter(({ role }) => role === 'tool').length)
    const said = call === undefined ? { type: 'text-delta', id: '0', delta: ANSWER } : { type: 'tool-call', toolCallId: call.id, toolName: TOOL.name, input: JSON.stringify(call.input) }
    return { stream: ReadableStream.from([said, { type: 'finish', finishReason: call === undefined ? 'stop' : 'tool-calls', usage: { inputTokens: 40, outputTokens: 8 } }]) }
  },
}
const options = { model, instructions: INSTRUCTIONS, tools: [tool({ ...TOOL, input: z.object({ city: z.string() }), run: look })] }

const folder = mkdtempSync(join(tmpdir(), 'troupe-bench-'))
const troupe = await createTroupe({ store: lmdb(folder), check: 'boundary' })
const volatile = troupe.spawn('assistant', agent(options))
const durableAt = troupe.keyed('assistants', agent({ ...options, durable: true }))
const ask = (refOf) => async (w) => (await refOf(w).ask({ type: 'answer', input: QUESTION }, { timeout: 'none' })).text
const ours = (runs, refOf) => {
  collect()
  return timed(runs, WIDTH, ask(refOf))
}
/** A rival stays between rounds, as warm as we are. */
async function rival(name) {
  const child = fork(fileURLToPath(new URL('agent-rivals.mjs', import.meta.url)), [name, String(WIDTH)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  child.once('exit', () => process.exit(1))
  await once(child, 'message')
  return async (runs) => {
    child.send(runs)
    const [rate] = await once(child, 'message')
    return rate
  }
}
const [openai, mastra, langgraph] = [await rival('openai'), await rival('mastra'), await rival('langgraph')]
const cases = {
  'an agent': () => ours(2_000, () => volatile),
  'a durable agent, each call fsynced': () => ours(500, (w) => durableAt(String(w))),
  'OpenAI Agents SDK': () => openai(400),
  Mastra: () => mastra(200),
  "LangGraph.js's ReAct agent": () => langgraph(200),
}
header(`Agents of ${TURNS} turns with a stub for a model, ${WIDTH} runs at once; runs`)
const rates = Object.fromEntries(Object.keys(cases).map((name) => [name, []]))
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(cases)) {
    const rate = await run()
    if (round >= 0) rates[name].push(rate)
  }
}
compare(
  rates,
  ['an agent', 'a durable agent, each call fsynced'].flatMap((name) => ['OpenAI Agents SDK', 'Mastra', "LangGraph.js's ReAct agent"].map((peer) => [name, peer])),
)
await troupe.stop()
rmSync(folder, { recursive: true, force: true })
process.exit(0)
