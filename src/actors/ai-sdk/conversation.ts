/** What the AI SDK asks, in the words of our protocols. */
import { TroupeError } from '../../ground/errors.js'
import type { ChatTurn } from '../generator/protocol.js'
import type { Part } from '../parts.js'
import { filePart } from './file-part.js'
import type { SdkCall, SdkMessage, SdkWarning } from './specification.js'

export interface Conversation {
  /** What the application says before anybody speaks; empty when it says nothing. */
  readonly system: string
  readonly turns: readonly ChatTurn[]
  /** The files of all its messages, in their order. */
  readonly parts: readonly Part[]
  readonly schema: Readonly<Record<string, unknown>> | undefined
  readonly warnings: SdkWarning[]
}

/** Throws `InvalidMessage` for a file that is not taken: an actor must not answer as if it had seen a picture. */
export function conversationOf(call: SdkCall, settings: { readonly taken: readonly Setting[]; readonly insteadOfTools: string; readonly files: boolean }): Conversation {
  const system: string[] = []
  const turns: ChatTurn[] = []
  const parts: Part[] = []
  for (const message of call.prompt) {
    if (message.role === 'tool') continue
    const text = textOf(message)
    parts.push(...filesOf(message, settings.files))
    if (message.role === 'system') system.push(text)
    else turns.push({ role: message.role, content: text })
  }
  const format = call.responseFormat
  const schema = format?.type === 'json' ? ((format.schema ?? {}) as Readonly<Record<string, unknown>>) : undefined
  return { system: system.join('\n\n'), turns, parts, schema, warnings: warningsOf(call, settings) }
}

function textOf({ content }: SdkMessage): string {
  if (typeof content === 'string') return content
  return content
    .filter(({ type }) => type === 'text')
    .map(({ text }) => text ?? '')
    .join('')
}

function filesOf({ role, content }: SdkMessage, taken: boolean): Part[] {
  const files = typeof content === 'string' ? [] : content.filter(({ type }) => type === 'file')
  if (files[0] !== undefined && !taken) throw new TroupeError('InvalidMessage', `a message of the ${role} holds a file (${files[0].mediaType ?? 'of no type'}), and this actor takes text`, 'turn it into text first: the image and audio actors do', { role, mediaType: files[0].mediaType })
  return files.map(filePart)
}

const SETTINGS = ['maxOutputTokens', 'temperature', 'seed', 'stopSequences', 'topP', 'topK', 'presencePenalty', 'frequencyPenalty'] as const
export type Setting = (typeof SETTINGS)[number]

function warningsOf(call: SdkCall, { taken, insteadOfTools }: { readonly taken: readonly Setting[]; readonly insteadOfTools: string }): SdkWarning[] {
  const lost = SETTINGS.filter((setting) => call[setting] !== undefined && !taken.includes(setting))
  const warnings: SdkWarning[] = lost.map((feature) => ({ type: 'unsupported', feature, details: 'the actor decides on this itself' }))
  if ((call.tools?.length ?? 0) > 0) warnings.push({ type: 'unsupported', feature: 'tools', details: insteadOfTools })
  return warnings
}
