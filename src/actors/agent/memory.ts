/** What an agent remembers: the conversation, the beginning of it in short, and facts that are found again by what they mean. */
import type { ChatMessage, ToolSpec } from '../../models/index.js'
import type { Me } from '../../runtime/index.js'
import { cosine } from '../cosine.js'
import { pack } from '../generator/packing.js'
import { condensed, type Usage, type Writers } from '../generator/rewriting.js'
import { SUMMARY_TOKENS } from '../generator/packing.js'
import { tokensIn } from '../tokens.js'
import { FACTS_USUAL } from './limits.js'
import type { AgentOutcome, AgentTask, AgentTurn } from './protocol.js'
import { toolOf, type Tool } from './tool.js'

export interface FactMemory {
  /** The encoder that tells what is alike. Default `embedded:encoder`. */
  readonly model?: string
  /** How many are kept; the oldest is forgotten. Default 256. */
  readonly most?: number
  /** How many are recalled for one task. Default 4. */
  readonly recalled?: number
}

export interface Kept {
  turns: AgentTurn[]
  summary: string
  facts: { readonly text: string; readonly vector: Float32Array }[]
  finished: { readonly run: string; readonly outcome: AgentOutcome }[]
}
export const nothingKept = (): Kept => ({ turns: [], summary: '', facts: [], finished: [] })

type Mind = Pick<Me, 'infer' | 'signal'>

interface Opening {
  readonly instructions: string
  readonly writers: Writers
  /** For all that is read before the answer. */
  readonly room: number
  readonly facts: FactMemory | undefined
}

/** What the model reads first: as much of the conversation as there is room for, and a summary of the rest. */
export async function opening(task: AgentTask, kept: Kept | undefined, { instructions, writers, room, facts }: Opening, me: Mind): Promise<{ readonly messages: ChatMessage[]; readonly usage: Usage | undefined }> {
  const known = facts === undefined || kept === undefined ? [] : await recalled(task.input, kept, facts, me)
  const turns = [...(kept?.turns ?? []), ...(task.messages ?? []), { role: 'user', content: task.input } as const]
  const head = (summary: string): string =>
    [instructions, summary === '' ? '' : `Earlier in this conversation: ${summary}`, known.length === 0 ? '' : ['What you remember:', ...known.map((fact) => `- ${fact}`)].join('\n')].filter((part) => part !== '').join('\n\n')
  const before = kept?.summary ?? ''
  const packed = pack({ system: head(before), turns, passages: [] }, room)
  const rolled = packed.older.length === 0 ? undefined : await condensed([before, ...packed.older.map(({ role, content }) => `${role}: ${content}`)].filter((part) => part !== '').join('\n'), SUMMARY_TOKENS, writers, me)
  if (kept !== undefined && rolled !== undefined) {
    kept.turns = kept.turns.slice(packed.older.length)
    kept.summary = rolled.text
  }
  const system = head(rolled?.text ?? before)
  return { messages: [...(system === '' ? [] : [{ role: 'system', content: system }]), ...packed.turns], usage: rolled?.usage }
}

async function recalled(text: string, { facts }: Kept, { model = 'embedded:encoder', recalled: most = 4 }: FactMemory, me: Mind): Promise<string[]> {
  if (facts.length === 0) return []
  const [sought] = await me.infer<Float32Array[]>('embed', model, [text], { urgency: 'interactive' })
  if (sought === undefined) return []
  const ranked = facts.map((fact) => ({ text: fact.text, likeness: cosine(fact.vector, sought) }))
  return ranked.sort((a, b) => b.likeness - a.likeness).slice(0, most).map((fact) => fact.text)
}

const FACT_CHARS_MAX = 500

function noFact(input: unknown): string | undefined {
  const { fact } = (input ?? {}) as { fact?: unknown }
  return typeof fact === 'string' && fact !== '' && fact.length <= FACT_CHARS_MAX ? undefined : `fact: expected text of 1 to ${FACT_CHARS_MAX} characters`
}

/** The tools by which the model itself decides what is worth keeping, and what no longer holds. */
export function memoryTools(kept: Kept, { model = 'embedded:encoder', most = FACTS_USUAL }: FactMemory, me: Mind): Tool[] {
  const own = (name: string, description: string, of: string, run: (fact: string) => Promise<string>): Tool => {
    const parameters = { type: 'object', properties: { fact: { type: 'string', description: of } }, required: ['fact'], additionalProperties: false }
    return toolOf({ name, description, parameters }, noFact, { kind: 'own', run: (input) => run((input as { fact: string }).fact) }, {})
  }
  const remember = async (text: string): Promise<string> => {
    const [vector] = await me.infer<Float32Array[]>('embed', model, [text])
    if (vector === undefined) return 'not remembered'
    kept.facts = [...kept.facts.filter((fact) => fact.text !== text), { text, vector }].slice(-most)
    return 'remembered'
  }
  const forget = (text: string): Promise<string> => {
    const before = kept.facts.length
    kept.facts = kept.facts.filter((fact) => fact.text !== text)
    return Promise.resolve(kept.facts.length < before ? 'forgotten' : 'there is no such fact: give it as you remember it, word for word')
  }
  return [
    own('remember', 'Keeps a lasting fact about the user or the matter, for later conversations', 'one sentence that stands for itself', remember),
    own('forget', 'Forgets a fact that no longer holds', 'the fact, word for word', forget),
  ]
}

/** What the list of tools takes of the room. */
export const costOfTools = (tools: Iterable<ToolSpec>): number => [...tools].reduce((sum, { name, description = '', parameters }) => sum + tokensIn(`${name} ${description} ${JSON.stringify(parameters)}`), 0)
