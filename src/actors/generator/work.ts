/** What `generator` does outside its chart: packs what the model reads, writes part by part, and checks what was written. */
import type { GeneratePart, GenerateRequest, GenerateResult } from '../../models/index.js'
import { streamOnce, TroupeError, type ReturnAddress, type Work } from '../../runtime/index.js'
import { answering, type Effect, type Settled } from '../settled.js'
import { checkCitations } from './citations.js'
import { costOf, pack, SUMMARY_TOKENS } from './packing.js'
import { chatPrompt, embeddedPrompt, PASSAGES_MAX, rulesFor, shortened } from './prompt.js'
import type { ChatBody, ChatSummary, ChatTurn, CompleteBody, GeneratorChunk, Source } from './protocol.js'
import { isRefusal, mayBecomeRefusal } from './refusals.js'
import { condensed, sum, translated, type Usage, type Writers } from './rewriting.js'
import { Verbatim } from './verbatim.js'

/** What is to be written. */
export type Wish = { readonly kind: 'chat'; readonly chat: ChatBody } | { readonly kind: 'complete'; readonly complete: CompleteBody }
export interface WriteInput {
  readonly wish: Wish
  readonly into: ReturnAddress
}
export interface SummariseInput {
  readonly text: string
  readonly maxTokens?: number | undefined
  readonly to: ReturnAddress
}
export interface TranslateInput {
  readonly text: string
  readonly targetLanguage: string
  readonly sourceLanguage?: string | undefined
  readonly maxTokens?: number | undefined
  readonly to: ReturnAddress
}
export interface GeneratorWork {
  readonly write: Effect<undefined, WriteInput>
  readonly summarise: Effect<Settled<{ text: string; how: 'written' | 'extracted' }>, SummariseInput>
  readonly translate: Effect<Settled<{ text: string }>, TranslateInput>
}
interface Settings extends Writers {
  readonly system: string
  readonly maxTokens: number
  readonly verbatim: boolean
}
type Chunks = AsyncGenerator<GeneratorChunk, undefined>

const SUMMARISED_TOKENS = 160

export const generatorWork = (settings: Settings): GeneratorWork => ({
  write: streamOnce('write', ({ wish }: WriteInput, work) => {
    switch (wish.kind) {
      case 'chat':
        return chat(wish.chat, settings, work)
      case 'complete':
        return write(requestOf(wish.complete, settings, { prompt: wish.complete.prompt }), { passages: [] }, settings, work)
    }
  }),
  summarise: answering('summarise', async ({ text, maxTokens = SUMMARISED_TOKENS }: SummariseInput, work): Promise<{ text: string; how: 'written' | 'extracted' }> => {
    const { text: summary, how } = await condensed(text, maxTokens, settings, work)
    return { text: summary, how }
  }),
  translate: answering('translate', async (input: TranslateInput, work): Promise<{ text: string }> => ({ text: await translated(input, settings, work) })),
})

async function* chat(body: ChatBody, settings: Settings, work: Work): Chunks {
  const { system = settings.system, summary } = body
  const given = settings.obeys ? (body.passages ?? []) : (body.passages ?? []).slice(0, PASSAGES_MAX)
  const asked = body.messages.slice(summary?.turns ?? 0)
  const turns = settings.obeys || given.length === 0 ? asked : asked.map(shortened)
  const known = summary?.text ?? ''
  const rules = settings.obeys ? rulesFor(given) : ''
  const budget = settings.contextTokens - (body.maxTokens ?? settings.maxTokens) - (known === '' ? 0 : costOf(known)) - (rules === '' ? 0 : costOf(rules))
  const packed = pack({ system, turns, passages: given }, budget)
  if (given.length > 0 && packed.passages.length === 0) throw tooNarrow(settings, given[0] as Source)
  const rolled = packed.older.length === 0 ? undefined : await rolledUp(known, packed.older, settings, work)
  const conversation = { system, summary: rolled?.text ?? known, turns: packed.turns, passages: packed.passages }
  const messages = settings.obeys ? chatPrompt(conversation) : embeddedPrompt(conversation)
  const covers = (summary?.turns ?? 0) + packed.older.length
  const after = { passages: packed.passages, ...(rolled !== undefined && { rolled: { usage: rolled.usage, summary: { text: rolled.text, turns: covers } } }) }
  yield* write(requestOf(body, settings, { messages }), after, settings, work)
  return undefined
}

/** The summary so far and the turns that fall out of sight, in one. */
const rolledUp = (known: string, older: readonly ChatTurn[], settings: Settings, work: Work): ReturnType<typeof condensed> =>
  condensed([...(known === '' ? [] : [known]), ...older.map(({ role, content }) => (settings.obeys ? `${role}: ${content}` : content))].join('\n'), SUMMARY_TOKENS, settings, work)

const tooNarrow = ({ model, contextTokens }: Settings, { title }: Source): TroupeError =>
  new TroupeError('InvalidMessage', `${model} reads some ${contextTokens} tokens, and the passage "${title}" finds no room beside the rest`, 'give shorter passages or fewer tokens to write, or set generator({ contextTokens }) to what the model can read', { model })

const requestOf = ({ maxTokens, temperature, topP, stop, seed, schema }: Omit<CompleteBody, 'prompt'>, settings: Settings, what: Pick<GenerateRequest, 'messages' | 'prompt'>): GenerateRequest => ({
  ...what,
  maxTokens: maxTokens ?? settings.maxTokens,
  ...(temperature !== undefined && { temperature }),
  ...(topP !== undefined && { topP }),
  ...(stop !== undefined && { stop }),
  ...(seed !== undefined && { seed }),
  ...(schema !== undefined && { schema }),
})

interface After {
  readonly passages: readonly Source[]
  readonly rolled?: { readonly usage: Usage; readonly summary: ChatSummary }
}

async function* write(request: GenerateRequest, { passages, rolled }: After, { model, verbatim }: Settings, work: Work): Chunks {
  const generation = work.infer<GenerateResult, GeneratePart>('generate', model, request, { signal: work.signal, urgency: 'interactive' })
  const grounded = passages.length > 0
  const editor = grounded && verbatim && request.schema === undefined ? new Verbatim(passages) : AS_WRITTEN
  let whole = ''
  let held = ''
  let said = ''
  for await (const { text } of generation) {
    whole += text
    held += text
    // What may be a refusal is held back, so that whoever shows text as it comes never has to take it back.
    if (grounded && mayBecomeRefusal(whole)) continue
    const shown = editor.push(held)
    held = ''
    said += shown
    if (shown !== '') yield { kind: 'text', text: shown }
  }
  const { usage, finishReason, value } = await generation
  const refused = grounded && isRefusal(whole)
  const rest = refused ? '' : editor.push(held) + editor.end()
  if (rest !== '') yield { kind: 'text', text: rest }
  said += rest
  if (said === '' && grounded) yield { kind: 'refusal', reason: refused ? 'refused' : 'ungrounded', text: whole.trim() }
  const checked = grounded ? checkCitations(said, passages) : { citations: [], grounded: false }
  const total = sum(usage, rolled?.usage ?? { promptTokens: 0, completionTokens: 0 })
  yield { kind: 'done', ...checked, usage: total, finishReason, ...(value !== undefined && { value }), ...(rolled !== undefined && { summary: rolled.summary }) }
  return undefined
}

/** For models that are trusted to write: their text as it is, checked at the end. */
const AS_WRITTEN = { push: (text: string): string => text, end: (): string => '' }
