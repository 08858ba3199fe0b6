import type { ToolCall } from '../../models/index.js'
import { describe } from '../../ground/errors.js'
import { INPUT_CHARS_MAX } from './limits.js'
import type { Tool } from './tool.js'

/** A call as the model wrote it: the tool and its input, or what is wrong with it, for the model to read. */
export function readCall({ name, input: text }: ToolCall, tools: ReadonlyMap<string, Tool>): { readonly tool: Tool; readonly input: unknown } | { readonly wrong: string; readonly input: unknown } {
  const tool = tools.get(name)
  if (text.length > INPUT_CHARS_MAX) return { wrong: `the input has ${text.length} characters: give at most ${INPUT_CHARS_MAX}`, input: shortened(text) }
  let input: unknown
  try {
    input = text.trim() === '' ? {} : JSON.parse(text)
  } catch (error) {
    return { wrong: `the input is not JSON: ${describe(error)}`, input: text }
  }
  if (tool === undefined) return { wrong: `there is no tool ${name}; there are: ${[...tools.keys()].join(', ') || 'none'}`, input }
  const wrong = wrongWith(tool, input)
  return wrong === undefined ? { tool, input } : { wrong: `the input is not as ${name} takes it: ${wrong}`, input }
}

/** A check that throws says no more than that it is wrong. */
function wrongWith(tool: Tool, input: unknown): string | undefined {
  try {
    return tool.wrong(input)
  } catch (error) {
    return describe(error)
  }
}

const SHOWN = 200
const shortened = (text: string): string => `${text.slice(0, SHOWN)} …`

/** As it is kept for the model to read again: what is too long to be used is not read a second time. */
export const kept = (call: ToolCall): ToolCall => (call.input.length <= INPUT_CHARS_MAX ? call : { ...call, input: JSON.stringify({ cut: shortened(call.input) }) })
