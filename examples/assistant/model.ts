/** Stands in for a model of a provider, so that the example runs offline: a few rules that call tools as a model would. */
import type { RemoteLanguageModel } from 'troupe/models'

interface Turn {
  readonly role: string
  readonly content: string | readonly { readonly type: string; readonly text?: string; readonly toolName?: string; readonly output?: { readonly value: string } }[]
}

/** In its place: `openai('gpt-…')` of @ai-sdk/openai, or any other AI SDK model. */
export const scriptedModel: RemoteLanguageModel = {
  provider: 'example',
  modelId: 'rules',
  doStream: async ({ prompt }) => {
    const parts = [...say(prompt as readonly Turn[]), { type: 'finish', finishReason: 'stop', usage: { inputTokens: 0, outputTokens: 0 } }]
    return { stream: ReadableStream.from(parts) as ReadableStream<unknown> }
  },
}

function say(turns: readonly Turn[]): object[] {
  const last = turns.at(-1)
  if (last?.role === 'tool') return text(turns.slice(turns.findLastIndex(({ role }) => role === 'assistant') + 1).map(told).join(' '))
  const asked = wordsOf(last)
  const [, euros, to] = /(?:send|pay|transfer) (\d+) euros? to (\w+)/i.exec(asked) ?? []
  if (euros !== undefined) return [...text('Let me see to that.\n'), call('bank_transfer', { to, euros: Number(euros) })]
  if (/balance|how much/i.test(asked)) return [call('bank_balance', {})]
  return text('I can tell you your balance, and send money: “Send 20 euros to Grace”.')
}

function told({ content }: Turn): string {
  if (typeof content === 'string') return content
  return content.map(({ toolName, output }) => (toolName === 'bank_balance' ? `You have ${output?.value} euros.` : /^\d+$/.test(output?.value ?? '') ? `Sent. You have ${output?.value} euros left.` : `I did not send it: ${output?.value}.`)).join(' ')
}

const wordsOf = (turn: Turn | undefined): string => (typeof turn?.content === 'string' ? turn.content : (turn?.content.map(({ text }) => text ?? '').join('') ?? ''))
const text = (words: string): object[] => words.split(/(?<= )/).map((delta) => ({ type: 'text-delta', id: '0', delta }))
const call = (toolName: string, input: object): object => ({ type: 'tool-call', toolCallId: `call-${toolName}`, toolName, input: JSON.stringify(input) })
