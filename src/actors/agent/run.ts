/**
 * One run of an agent: the model speaks, tools are used, until there is an answer or a budget is spent.
 * Every model call, tool call and question to a person is an effect of the handler, so that a durable agent that is cut
 * off goes on after the last of them that is on record.
 */
import type { ChatMessage } from '../../models/index.js'
import { TroupeError, type Me, type Schema } from '../../runtime/index.js'
import type { JsonObject } from '../json-schema-of.js'
import type { Writers } from '../generator/rewriting.js'
import { askModel, type Manner, type Turn } from './ask-model.js'
import { fitted } from './fitted.js'
import { judged, type Guardrail } from './guardrail.js'
import { FINISHED_MAX, MISTAKES_MAX, PICTURE_TOKENS } from './limits.js'
import { costOfTools, opening, memoryTools, type FactMemory, type Kept } from './memory.js'
import type { Agent, AgentBudget, AgentChunk, AgentOutcome, AgentTask } from './protocol.js'
import { Purse, type Prices } from './purse.js'
import { seen, type Picture, type Senses } from './seen.js'
import { issuesOf, specOf, type Tool } from './tool.js'
import { readable } from './told.js'
import type { Toolbox } from './toolbox.js'
import { useTools, type Bench } from './use-tools.js'

export interface Settings extends Manner {
  readonly instructions: (task: AgentTask) => string
  readonly toolbox: Toolbox
  readonly writers: Writers
  readonly output: { readonly check: Schema<unknown> | undefined; readonly schema: JsonObject } | undefined
  readonly budget: AgentBudget
  /** Undefined where nobody knows them. */
  readonly prices: Prices | undefined
  readonly guard: { readonly input?: Guardrail; readonly passage?: Guardrail; readonly output?: Guardrail }
  readonly approver: Bench['approver']
  readonly facts: FactMemory | undefined
  readonly senses: Senses
  /** Whether the conversation is kept. */
  readonly remembers: boolean
  readonly durable: boolean
}
export type AgentMe = Me<(typeof Agent)['specs'], Kept | undefined>
type Ending = Pick<AgentOutcome, 'text' | 'finish'> & { readonly value?: unknown }

export async function* run(task: AgentTask, me: AgentMe, settings: Settings): AsyncGenerator<AgentChunk, undefined> {
  const known = task.run === undefined ? undefined : me.state?.finished.find((each) => each.run === task.run)
  if (known !== undefined) {
    yield { kind: 'done', ...known.outcome }
    return undefined
  }
  const purse = new Purse(settings.budget, task.budget ?? {}, settings.prices, me.clock.now())
  const { input: words, pictures } = await seen(task, settings.senses, me)
  const input = await judged(settings.guard.input, words, 'input', me)
  const ending: Ending = input.verdict === 'refuse' ? { text: input.reason, finish: 'refused' } : yield* new Run({ ...task, input: input.text }, pictures, me, settings, purse).work()
  const { value, ...rest } = ending
  const outcome: AgentOutcome = { speaker: me.id, ...rest, usage: purse.usage, ...(value !== undefined && { value }) }
  keep({ ...task, input: input.verdict === 'refuse' ? words : input.text }, outcome, me, settings)
  yield { kind: 'done', ...outcome }
  return undefined
}

/** What is remembered is part of the step that the run is: with it, or not at all. */
function keep(task: AgentTask, outcome: AgentOutcome, { state }: AgentMe, { remembers }: Settings): void {
  if (state === undefined) return
  if (remembers && outcome.finish !== 'refused' && outcome.text !== '') state.turns = [...state.turns, { role: 'user', content: task.input }, { role: 'assistant', content: outcome.text }]
  if (task.run !== undefined) state.finished = [...state.finished, { run: task.run, outcome }].slice(-FINISHED_MAX)
}

class Run {
  readonly #task: AgentTask
  readonly #pictures: readonly Picture[]
  readonly #me: AgentMe
  readonly #settings: Settings
  readonly #purse: Purse
  readonly #schema: JsonObject | undefined
  #mistakes = 0

  constructor(task: AgentTask, pictures: readonly Picture[], me: AgentMe, settings: Settings, purse: Purse) {
    this.#task = task
    this.#pictures = pictures
    this.#me = me
    this.#settings = settings
    this.#purse = purse
    this.#schema = task.schema ?? settings.output?.schema
  }

  async *work(): AsyncGenerator<AgentChunk, Ending> {
    const me = this.#me
    const { guard, approver } = this.#settings
    const tools = await this.#tools()
    const messages = await this.#opening(tools)
    const bench = { tools, approver, guardrail: guard.passage, context: this.#task.context ?? {}, purse: this.#purse, durable: this.#settings.durable }
    for (let text = ''; ; ) {
      const spent = this.#purse.spent(me.clock.now())
      if (spent !== undefined) return { text, finish: spent }
      const heard = yield* askModel({ messages: fitted(messages, this.#room(tools)), tools: [...tools.values()].map(specOf), schema: this.#schema }, this.#settings, this.#purse, me)
      if (typeof heard === 'string') return { text, finish: heard }
      text = heard.text
      if (heard.spent !== undefined) return { finish: heard.spent, ...(yield* this.#unfinished(heard)) }
      messages.push(heard.turn)
      if (heard.calls.length > 0) {
        const used = yield* useTools(heard.calls, { ...bench, turn: this.#purse.usage.steps }, me)
        messages.push(...used.turns)
        this.#count(used.mistaken, used.turns.at(-1)?.content ?? '')
        if (used.answer !== undefined) return yield* this.#answer(answerOf(used.answer, heard, this.#schema))
        continue
      }
      const wrong = heard.wrong ?? (heard.cut ? undefined : this.#wrong(heard.value))
      if (wrong === undefined) return yield* this.#answer(heard)
      this.#count(true, wrong)
      yield { kind: 'retry', speaker: me.id, reason: wrong }
      messages.push({ role: 'user', content: `Your answer is not as it must be: ${wrong}. Answer again, with nothing else.` })
    }
  }

  async #tools(): Promise<Map<string, Tool>> {
    const { toolbox, facts } = this.#settings
    const tools = await toolbox.open(this.#me)
    const { state } = this.#me
    if (facts !== undefined && state !== undefined) for (const each of memoryTools(state, facts, this.#me)) if (!tools.has(each.name)) tools.set(each.name, each)
    return tools
  }

  async #opening(tools: ReadonlyMap<string, Tool>): Promise<ChatMessage[]> {
    const { instructions, writers, facts } = this.#settings
    const pictures = this.#pictures
    const room = this.#room(tools) - PICTURE_TOKENS * pictures.length
    const { messages, usage } = await opening(this.#task, this.#me.state, { instructions: instructions(this.#task), writers, room, facts }, this.#me)
    if (usage !== undefined) this.#purse.pay(usage.promptTokens, usage.completionTokens, 0)
    const last = messages.at(-1)
    return pictures.length === 0 || last === undefined ? messages : [...messages.slice(0, -1), { ...last, images: pictures }]
  }

  /** For all that the model reads beside its tools. */
  #room(tools: ReadonlyMap<string, Tool>): number {
    const { writers, maxTokens } = this.#settings
    return writers.contextTokens - maxTokens - costOfTools(tools.values())
  }

  #wrong(value: unknown): string | undefined {
    if (this.#schema === undefined) return undefined
    if (value === undefined) return 'it is not JSON'
    return this.#task.schema === undefined ? issuesOf(this.#settings.output?.check, value) : undefined
  }

  /** What there is of an answer that was cut off goes through the same hands as a whole one. */
  async *#unfinished(heard: Turn): AsyncGenerator<AgentChunk, Pick<Ending, 'text'> & Partial<Ending>> {
    const { text, finish } = yield* this.#answer(heard)
    return finish === 'refused' ? { text, finish } : { text }
  }

  /** Text that could not be shown as it came, such as text under a guardrail, is shown now in whole. */
  async *#answer({ text, value, cut, streamed }: Turn): AsyncGenerator<AgentChunk, Ending> {
    const verdict = await judged(this.#settings.guard.output, text, 'output', this.#me)
    if (verdict.verdict === 'refuse') return { text: verdict.reason, finish: 'refused' }
    if (!streamed && verdict.text !== '') yield { kind: 'text', speaker: this.#me.id, text: verdict.text }
    const left = verdict.verdict === 'allow' ? value : value === undefined ? undefined : valueIn(verdict.text)
    return { text: verdict.text, finish: cut ? 'length' : 'stop', ...(left !== undefined && { value: left }) }
  }

  #count(mistaken: boolean, wrong: string): void {
    this.#mistakes = mistaken ? this.#mistakes + 1 : 0
    if (this.#mistakes < MISTAKES_MAX) return
    throw new TroupeError('ModelFailed', `${this.#settings.model} erred ${this.#mistakes} times in a row, the last time: ${wrong}`, 'choose a model that calls tools, or make the tools and the output simpler', { model: this.#settings.model, reason: 'mistakes' })
  }
}

/** What a tool has the last word with. */
function answerOf({ output }: { readonly output: unknown }, heard: Turn, schema: JsonObject | undefined): Turn {
  return { ...heard, text: readable(output), value: schema === undefined ? undefined : output, streamed: false }
}

/** What a guardrail took out of the text is not in the value either. */
function valueIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
