import type { Address } from '../../runtime/index.js'
import { toolOf, type Tool, type ToolManner } from './tool.js'

export interface AgentToolOptions extends Omit<ToolManner<{ readonly task: string }>, 'timeout'> {
  readonly name: string
  /** For the model: what the other agent is for. */
  readonly description?: string
}

/**
 * Another agent, or a team, as a tool: it is given a task in words, and what it answers is the result. What it says on the
 * way is told as thoughts; what it spends counts, and it gets no more than is left; it is called off with the run.
 */
export function agentTool(ref: { readonly address: Address }, { name, description, approve, ...manner }: AgentToolOptions): Tool {
  const parameters = { type: 'object', properties: { task: { type: 'string', description: 'all that it has to know' } }, required: ['task'], additionalProperties: false }
  return toolOf({ name, parameters, ...(description !== undefined && { description }) }, wrong, { kind: 'agent', address: ref.address }, { ...manner, ...(approve !== undefined && { approve: approve as NonNullable<ToolManner['approve']> }) })
}

const wrong = (input: unknown): string | undefined => (typeof (input as { readonly task?: unknown } | null)?.task === 'string' ? undefined : 'task: expected text')
