import type { Address } from '../../runtime/index.js'
import type { Patience } from './approval.js'
import { toolOf, type Tool } from './tool.js'

export interface PersonToolOptions extends Patience {
  /** Default `ask_person`. */
  readonly name?: string
  /** For the model: who it is, and what to ask. */
  readonly description?: string
  /** What the answer is when it expires. Without it the model is told that nobody answered in time. */
  readonly otherwise?: string
}

/** A question of the model's own to a person, as a tool: it waits for the answer as long as that takes, or as `expiresIn` says. */
export function personTool(ref: { readonly address: Address }, { name = 'ask_person', description = 'Asks a person, who may take a while', ...patience }: PersonToolOptions = {}): Tool {
  const parameters = {
    type: 'object',
    properties: { question: { type: 'string' }, options: { type: 'array', items: { type: 'string' }, description: 'what the answer has to be one of, if anything' } },
    required: ['question'],
    additionalProperties: false,
  }
  return toolOf({ name, description, parameters }, wrong, { kind: 'ask', address: ref.address, request: 'answer', also: { ...patience }, gives: 'answer' }, { timeout: 'none' })
}

function wrong(input: unknown): string | undefined {
  const { question, options = [] } = (input ?? {}) as { readonly question?: unknown; readonly options?: unknown }
  if (typeof question !== 'string' || question === '') return 'question: expected text'
  return Array.isArray(options) && options.every((option) => typeof option === 'string') ? undefined : 'options: expected a list of texts'
}
