/**
 * One run of a team: who has the word, what it cost, and what happens when a member fails.
 * Does not own: who speaks when. That is the pattern's, each in a file of its own.
 */
import { TroupeError, type Address, type Me, type Ref } from '../../runtime/index.js'
import { describe } from '../../ground/errors.js'
import { Agent, type AgentChunk, type AgentOutcome, type AgentTask } from '../agent/protocol.js'

export type AgentSpecs = (typeof Agent)['specs']
/** What a pattern is, once it has a stage: chunks, and the outcome that is the team's. */
export type Play = AsyncGenerator<AgentChunk, AgentOutcome>

/**
 * What a member's failure means. `fail`: the team fails, and calls the others off. `keep`: a `failed` chunk tells of it,
 * and the team goes on with what the others bring. `fallback`: the member of this name is asked instead.
 */
export type FailurePolicy = 'fail' | 'keep' | { readonly fallback: string }

/** How a member is asked. */
export interface Cue {
  readonly input: string
  /** What this member says is the team's answer; otherwise its text is shown as a thought. */
  readonly answers?: boolean
  /** What its value has to be, as a JSON schema. */
  readonly schema?: Readonly<Record<string, unknown>>
  readonly signal?: AbortSignal
}

const NO_USAGE: AgentOutcome['usage'] = { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 }
const plus = (a: AgentOutcome['usage'], b: AgentOutcome['usage']): AgentOutcome['usage'] => ({ steps: a.steps + b.steps, promptTokens: a.promptTokens + b.promptTokens, completionTokens: a.completionTokens + b.completionTokens, money: a.money + b.money })

export class Stage {
  readonly task: AgentTask
  readonly me: Me<AgentSpecs>
  readonly #addresses: ReadonlyMap<string, Address>
  readonly #policy: FailurePolicy
  readonly #recorded: boolean
  #usage = NO_USAGE
  #cues = 0

  constructor(task: AgentTask, me: Me<AgentSpecs>, addresses: ReadonlyMap<string, Address>, policy: FailurePolicy, recorded: boolean) {
    this.task = task
    this.me = me
    this.#addresses = addresses
    this.#policy = policy
    this.#recorded = recorded
  }

  /** The whole of the members' work. */
  get usage(): AgentOutcome['usage'] {
    return this.#usage
  }

  /** Gives a member the word. Its outcome, or `undefined` when it failed and the team is to go on without it. */
  async *speak(name: string, cue: Cue): AsyncGenerator<AgentChunk, AgentOutcome | undefined> {
    try {
      return yield* this.#give(name, cue)
    } catch (error) {
      // Who is called off has not failed.
      if (cue.signal?.aborted === true || this.me.signal.aborted || this.#policy === 'fail') throw error
      yield { kind: 'failed', speaker: this.#address(name), code: error instanceof TroupeError ? error.code : 'ActorFailed', message: describe(error) }
      if (this.#policy === 'keep' || this.#policy.fallback === name) return undefined
      return yield* this.#give(this.#policy.fallback, cue)
    }
  }

  /** The same, for a member without whom there is no outcome. */
  async *need(name: string, cue: Cue): Play {
    return (yield* this.speak(name, cue)) ?? this.nobody()
  }

  async *#give(name: string, cue: Cue): Play {
    const speaker = this.#address(name)
    const ref = this.me.ref(Agent, speaker)
    yield { kind: 'turn', speaker }
    const outcome = yield* this.#recorded ? this.#ask(ref, cue) : this.#read(ref, cue)
    this.#usage = plus(this.#usage, outcome.usage)
    return outcome
  }

  async *#read(ref: Ref<AgentSpecs>, cue: Cue): Play {
    for await (const chunk of this.me.stream(ref, { type: 'run', ...this.#taskFor(cue) }, this.#how(cue))) {
      if (chunk.kind === 'done') return outcomeIn(chunk)
      if (chunk.kind === 'text' && cue.answers !== true) yield { ...chunk, kind: 'thought' }
      else if (chunk.kind !== 'turn' || chunk.speaker !== ref.address) yield chunk
    }
    throw new TroupeError('ActorFailed', `${ref.address} ended its run without an outcome`, 'yield a chunk of kind done at the end', { address: ref.address })
  }

  /** A durable team gets outcomes in whole: those are recorded, chunks are not. */
  async *#ask(ref: Ref<AgentSpecs>, cue: Cue): Play {
    const outcome = await this.me.ask(ref, { type: 'answer', ...this.#taskFor(cue) }, this.#how(cue))
    if (outcome.text !== '') yield { kind: cue.answers === true ? 'text' : 'thought', speaker: outcome.speaker, text: outcome.text }
    return outcome
  }

  #how({ signal }: Cue): { readonly timeout: 'none'; readonly signal?: AbortSignal } {
    return signal === undefined ? { timeout: 'none' } : { timeout: 'none', signal }
  }

  #taskFor({ input, schema, answers }: Cue): AgentTask {
    const { run, schema: wanted, ...rest } = this.task
    const asked = schema ?? (answers === true ? wanted : undefined)
    return { ...rest, input, ...(asked !== undefined && { schema: asked }), ...(run !== undefined && { run: `${run}/${++this.#cues}` }) }
  }

  #address(name: string): Address {
    const address = this.#addresses.get(name)
    if (address !== undefined) return address
    throw new TroupeError('InvalidDefinition', `the team has no member ${JSON.stringify(name)}`, `name one of ${[...this.#addresses.keys()].join(', ')}`)
  }

  nobody(): never {
    throw new TroupeError('ActorFailed', 'no member of the team brought an outcome', 'the failed chunks say why')
  }

  /** The team itself has the word. */
  *say(text: string): Generator<AgentChunk, AgentOutcome> {
    yield { kind: 'turn', speaker: this.me.id }
    yield { kind: 'text', speaker: this.me.id, text }
    return { speaker: this.me.id, text, finish: 'stop', usage: this.#usage }
  }
}

function outcomeIn(chunk: AgentChunk & { readonly kind: 'done' }): AgentOutcome {
  const outcome: AgentOutcome & { kind?: 'done' } = { ...chunk }
  delete outcome.kind
  return outcome
}

/** What a member was to decide: its value, or its text read as one. `undefined` when it is neither. */
export function valueOf(outcome: AgentOutcome): Readonly<Record<string, unknown>> | undefined {
  if (outcome.value !== undefined) return outcome.value as Readonly<Record<string, unknown>>
  try {
    return JSON.parse(outcome.text) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
