import type { RemoteLanguageModel } from '../../models/index.js'
import { nameRemote } from '../../models/named-remote.js'
import { TroupeError, type Address, type Invocable, type Options, type Ref, type Schema } from '../../runtime/index.js'
import type { Blobs } from '../blobs.js'
import { jsonSchemaOf } from '../json-schema-of.js'
import { needs } from '../kernels.js'
import type { Perception } from '../perception/protocol.js'
import type { Patience } from './approval.js'
import { checked } from './budget.js'
import type { Guardrail } from './guardrail.js'
import { RUNS_AT_ONCE } from './limits.js'
import { nothingKept, type FactMemory, type Kept } from './memory.js'
import { performer } from './performer.js'
import type { Agent, AgentBudget, AgentTask } from './protocol.js'
import type { Prices } from './purse.js'
import { run, type Settings } from './run.js'
import type { Tool, ToolSource } from './tool.js'
import { Toolbox } from './toolbox.js'
import { CONSTRAINED, NATIVE } from './voice.js'

export interface AgentOptions extends Pick<Options, 'mailbox' | 'supervise' | 'retries' | 'durable'> {
  /** `embedded:generator` (default), a folder, a name on the hub, a name of your own from `createHost({ remote })`, or an AI SDK `LanguageModel`. */
  readonly model?: string | RemoteLanguageModel
  /** A function makes them of a task, such as of its `context`; the same of the same task. */
  readonly instructions?: string | ((task: AgentTask) => string)
  readonly tools?: readonly (Tool | ToolSource)[]
  /** What the answer has to be; it comes as `value`. */
  readonly output?: Schema<unknown>
  /** Keeps the conversation, so that one actor is one conversation. `facts`: lasting ones too, which the model itself decides to keep. Default none. */
  readonly memory?: boolean | { readonly facts?: FactMemory | boolean }
  readonly budget?: AgentBudget
  /** For `budget.money`, and told in `usage`. Unknown where it is left out, but for a model that runs here, which costs nothing. */
  readonly prices?: Prices
  /** Who looks at what comes in, at what tools bring, and at what goes out. With `output`, text is shown once it was seen in whole. */
  readonly guard?: { readonly input?: Guardrail; readonly passage?: Guardrail; readonly output?: Guardrail }
  /** Whom tools with `approve` ask: the ref of a human, or of any actor with an `approve` request. */
  readonly approver?: { readonly address: Address }
  /** Reminders, expiry and who is asked instead, for what the approver is asked. A `human` heeds them. Default it waits for ever. */
  readonly approval?: Patience
  /** Turns the images and sounds of a task into text. */
  readonly perception?: Ref<(typeof Perception)['specs']>
  /** Whether the model takes images as they are. Default yes for one of a provider, unless there is a perception. */
  readonly sees?: boolean
  /** Where the blobs are that a task's images refer to. */
  readonly blobs?: Blobs
  /** Most tokens of one model turn. Default 128 for the embedded model, otherwise 1,024. */
  readonly maxTokens?: number
  readonly temperature?: number
  /** What the model can read and write together; a longer conversation is summed up. Default 1,024 for the embedded model, otherwise 16,384. Counted by an estimate. */
  readonly contextTokens?: number
  /** How tools are called: by the provider's means, or by JSON that can be nothing else. Default by where the model runs. */
  readonly toolCalls?: 'native' | 'constrained'
}

/** A model with tools that works on tasks. Without a memory it works on several at once; with one, on one after the other. */
export function agent(options: AgentOptions = {}): Invocable<(typeof Agent)['specs']> {
  const { durable = false, memory = false, mailbox, supervise, retries } = options
  const settings = settingsOf(options)
  const keeps = durable || memory !== false
  return performer<Kept | undefined>((task, me) => run(task, me, settings), {
    needs,
    durable,
    ...(keeps ? { state: nothingKept } : { concurrency: RUNS_AT_ONCE }),
    ...(mailbox !== undefined && { mailbox }),
    ...(supervise !== undefined && { supervise }),
    ...(retries !== undefined && { retries }),
    stopped: (me) => void settings.toolbox.close(me.id),
  })
}

function settingsOf({ model = 'embedded:generator', instructions = '', tools = [], output, memory = false, budget = {}, guard = {}, approver, approval = {}, temperature, perception, blobs, durable = false, ...options }: AgentOptions): Settings {
  const name = typeof model === 'string' ? model : nameRemote(model)
  const embedded = name.startsWith('embedded:')
  const { maxTokens = embedded ? 128 : 1_024, contextTokens = embedded ? 1_024 : 16_384, toolCalls = runsHere(name) ? 'constrained' : 'native' } = options
  const facts = typeof memory === 'object' ? memory.facts : undefined
  const prices = options.prices ?? (runsHere(name) ? FREE : undefined)
  if (budget.money !== undefined && !costs(prices)) throw new TroupeError('InvalidDefinition', `a budget of money for ${name}, ${prices === undefined ? 'of which no price is known' : 'which costs nothing'}: it would never end a run`, 'give `prices`, or a budget of tokens, steps or ms')
  return {
    model: name,
    voice: toolCalls === 'native' ? NATIVE : CONSTRAINED,
    maxTokens,
    temperature,
    holdsText: guard.output !== undefined,
    instructions: typeof instructions === 'function' ? instructions : () => instructions,
    toolbox: new Toolbox(tools),
    writers: { model: name, obeys: !embedded, contextTokens, summariser: undefined, translator: undefined },
    output: output === undefined ? undefined : { check: output, schema: jsonSchemaOf(output, "an agent's output") },
    budget: checked(budget),
    prices,
    guard,
    approver: approver === undefined ? undefined : { address: approver.address, patience: approval },
    remembers: memory !== false,
    durable,
    senses: { sees: options.sees ?? (perception === undefined && !runsHere(name)), perception, blobs },
    facts: facts === true ? {} : facts === false ? undefined : facts,
  }
}

const FREE: Prices = { prompt: 0, completion: 0 }
const costs = (prices: Prices | undefined): boolean => prices !== undefined && prices.prompt >= 0 && prices.completion >= 0 && prices.prompt + prices.completion > 0

/** Names of providers' models are words of one's own; those of models that run here say where they lie. */
const runsHere = (name: string): boolean => !name.startsWith('remote:') && /[:/\\]/.test(name)
