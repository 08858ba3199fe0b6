// Other agents at the work of agent-script.mjs, each in a process of its own that stays warm between rounds: forked with
// <openai|mastra|langgraph> <at once>, it answers a number of runs with how many it made a second.
import { z } from 'zod'
import { ANSWER, INSTRUCTIONS, QUESTION, TOOL, callAfter, look, timed } from './agent-script.mjs'

const parameters = z.object({ city: z.string() })

async function openai() {
  const { Agent, Runner, Usage, tool } = await import('@openai/agents')
  const usage = () => new Usage({ inputTokens: 40, outputTokens: 8, totalTokens: 48 })
  const model = {
    getResponse: async ({ input }) => {
      const call = callAfter(input.filter(({ type }) => type === 'function_call_result').length)
      const said = call === undefined ? { type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: ANSWER }] } : { type: 'function_call', callId: call.id, name: TOOL.name, status: 'completed', arguments: JSON.stringify(call.input) }
      return { usage: usage(), output: [said] }
    },
  }
  // Its traces would go to a service.
  const runner = new Runner({ tracingDisabled: true })
  const agent = new Agent({ name: 'assistant', instructions: INSTRUCTIONS, model, tools: [tool({ ...TOOL, parameters, execute: look })] })
  return async () => (await runner.run(agent, QUESTION)).finalOutput
}

async function mastra() {
  const [{ Agent }, { createTool }] = await Promise.all([import('@mastra/core/agent'), import('@mastra/core/tools')])
  const usage = { inputTokens: 40, outputTokens: 8, totalTokens: 48 }
  const doGenerate = async ({ prompt }) => {
    const call = callAfter(prompt.flatMap(({ role, content }) => (role === 'tool' ? content : [])).length)
    const said = call === undefined ? { type: 'text', text: ANSWER } : { type: 'tool-call', toolCallId: call.id, toolName: TOOL.name, input: JSON.stringify(call.input) }
    return { content: [said], finishReason: call === undefined ? 'stop' : 'tool-calls', usage, warnings: [] }
  }
  const model = { specificationVersion: 'v2', provider: 'stub', modelId: 'stub', supportedUrls: {}, doGenerate }
  const weather = createTool({ id: TOOL.name, description: TOOL.description, inputSchema: parameters, execute: ({ context }) => look(context) })
  const agent = new Agent({ name: 'assistant', instructions: INSTRUCTIONS, model, tools: { [TOOL.name]: weather } })
  return async () => (await agent.generate(QUESTION, { maxSteps: 12 })).text
}

async function langgraph() {
  const [{ createReactAgent }, { BaseChatModel }, { AIMessage }, { tool }] = await Promise.all([import('@langchain/langgraph/prebuilt'), import('@langchain/core/language_models/chat_models'), import('@langchain/core/messages'), import('@langchain/core/tools')])
  class Stub extends BaseChatModel {
    _llmType() {
      return 'stub'
    }
    bindTools() {
      return this
    }
    async _generate(messages) {
      const call = callAfter(messages.filter((message) => message.getType() === 'tool').length)
      const usage_metadata = { input_tokens: 40, output_tokens: 8, total_tokens: 48 }
      const message = call === undefined ? new AIMessage({ content: ANSWER, usage_metadata }) : new AIMessage({ content: '', tool_calls: [{ id: call.id, name: TOOL.name, args: call.input, type: 'tool_call' }], usage_metadata })
      return { generations: [{ text: '', message }] }
    }
  }
  const weather = tool(async (input) => JSON.stringify(await look(input)), { ...TOOL, schema: parameters })
  const agent = createReactAgent({ llm: new Stub({}), tools: [weather], prompt: INSTRUCTIONS })
  return async () => (await agent.invoke({ messages: [{ role: 'user', content: QUESTION }] })).messages.at(-1).content
}

const [name, width] = [process.argv[2], Number(process.argv[3])]
const run = await { openai, mastra, langgraph }[name]()
const measure = async (runs) => process.send(await timed(runs, width, run))
process.on('message', (runs) => void measure(runs))
process.send('ready')
