/**
 * One run of a team: who has the word, what it cost, and what happens when a member fails.
 * Does not own: who speaks when. That is the pattern's, each in a file of its own.
 */
import { TroupeError, type Address, type Me } from '../../runtime/index.js'
import { describe } from '../../ground/errors.js'
import { hearAgent } from '../agent/hear-agent.js'
import type { Agent, AgentBudget, AgentChunk, AgentOutcome, AgentTask, AgentUsage } from '../agent/protocol.js'
import { waitBefore } from '../agent/passing.js'
import { unlessAborted } from '../agent/unless-aborted.js'
import { Allowance } from './allowance.js'

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
  readonly schema?: Readonly<Record<string, unknown>> | undefined
  readonly signal?: AbortSignal
  /** How many speak at the same time, this one included: each may spend its share of what is left. Default 1. */
  readonly among?: number
}

/** The team's budget is spent: nobody has the word any more. */
class NothingLeft extends Error {}

export class Stage {
  readonly task: AgentTask
  readonly me: Me<AgentSpecs>
  readonly #addresses: ReadonlyMap<string, Address>
  readonly #policy: FailurePolicy
  readonly #recorded: boolean
  readonly #allowance: Allowance
  /** What there is when the budget is spent. Default what was said last. */
  unfinished: (() => string) | undefined
  #lastSaid: Pick<AgentOutcome, 'speaker' | 'text'> | undefined
  #cues = 0

  constructor(task: AgentTask, me: Me<AgentSpecs>, addresses: ReadonlyMap<string, Address>, { failures = 'fail', durable = false, budget = {} }: { readonly failures?: FailurePolicy; readonly durable?: boolean; readonly budget?: AgentBudget }) {
    this.task = task
    this.me = me
    this.#addresses = addresses
    this.#policy = failures
    this.#recorded = durable
    this.#allowance = new Allowance(budget, task.budget ?? {}, me.clock.now())
  }

  /** The whole of the members' work. */
  get usage(): AgentUsage {
    return this.#allowance.usage
  }

  /** Plays to the end, or until the budget of the whole team is spent. */
  async *perform(play: (stage: Stage) => Play): Play {
    try {
      return this.#asWanted(yield* play(this))
    } catch (error) {
      const spent = this.#allowance.spent(this.me.clock.now())
      if (!(error instanceof NothingLeft) || spent === undefined) throw error
      const said = this.unfinished === undefined ? this.#lastSaid : { text: this.unfinished() }
      return { speaker: this.me.id, text: '', ...said, finish: spent, usage: this.usage }
    }
  }

  /** Gives a member the word. Its outcome, or `undefined` when it failed and the team is to go on without it. */
  async *speak(name: string, cue: Cue): AsyncGenerator<AgentChunk, AgentOutcome | undefined> {
    const shown = new Set<Address>()
    try {
      return yield* this.#give(name, cue, shown)
    } catch (error) {
      // Who is called off has not failed.
      if (cue.signal?.aborted === true || this.me.signal.aborted || this.#policy === 'fail' || error instanceof NothingLeft) throw error
      // What was shown of an answer is no part of the one that comes in its place.
      for (const speaker of shown) yield { kind: 'retry', speaker, reason: describe(error) }
      yield { kind: 'failed', speaker: this.#address(name), code: error instanceof TroupeError ? error.code : 'ActorFailed', message: describe(error) }
      if (this.#policy === 'keep' || this.#policy.fallback === name) return undefined
      return yield* this.#give(this.#policy.fallback, cue, shown)
    }
  }

  /** The same, for a member without whom there is no outcome. */
  async *need(name: string, cue: Cue): Play {
    return (yield* this.speak(name, cue)) ?? this.nobody()
  }

  /** `shown` gathers whose words have come as the team's answer. */
  async *#give(name: string, cue: Cue, shown: Set<Address>): Play {
    const speaker = this.#address(name)
    const lent = await this.#allowance.lend(() => this.me.clock.now(), cue.among ?? 1)
    if (lent === undefined) throw new NothingLeft()
    try {
      yield { kind: 'turn', speaker }
      const task = this.#taskFor(cue, lent.budget)
      const outcome = yield* this.#patiently(cue, () => this.#hear(speaker, task, cue, shown, lent.loan))
      lent.loan.settle(outcome.usage)
      this.#lastSaid = { speaker: outcome.speaker, text: outcome.text }
      return outcome
    } finally {
      lent.loan.close()
    }
  }

  /** A member with no room for the task is asked again after a while. */
  async *#patiently(cue: Cue, play: () => Play): Play {
    for (let tried = 0; ; tried++) {
      try {
        return yield* play()
      } catch (error) {
        const waitMs = error instanceof TroupeError && error.code === 'Overloaded' ? waitBefore(error, tried) : undefined
        if (waitMs === undefined) throw error
        await unlessAborted(cue.signal ?? this.me.signal, () => this.me.sleep(waitMs))
      }
    }
  }

  /** A durable team gets outcomes in whole: those are recorded, chunks are not. */
  #hear(speaker: Address, task: AgentTask, { answers, signal }: Cue, shown: Set<Address>, loan: { pay(call: AgentUsage): void }): Play {
    const as = (chunk: AgentChunk): AgentChunk => {
      // One that fails, or is called off, has spent what it told of.
      if (chunk.kind === 'usage') loan.pay({ ...chunk, steps: 1 })
      if (chunk.kind !== 'text') return chunk
      if (answers !== true) return { ...chunk, kind: 'thought' }
      shown.add(chunk.speaker)
      return chunk
    }
    return hearAgent(speaker, task, { recorded: this.#recorded, as, ...(signal !== undefined && { signal }) }, this.me)
  }

  #taskFor({ input, schema, answers }: Cue, budget: AgentBudget | undefined): AgentTask {
    const { run, schema: wanted, budget: _, ...rest } = this.task
    const asked = schema ?? (answers === true ? wanted : undefined)
    return { ...rest, input, ...(budget !== undefined && { budget }), ...(asked !== undefined && { schema: asked }), ...(run !== undefined && { run: `${run}/${++this.#cues}` }) }
  }

  #address(name: string): Address {
    const address = this.#addresses.get(name)
    if (address !== undefined) return address
    throw new TroupeError('InvalidDefinition', `the team has no member ${JSON.stringify(name)}`, `name one of ${[...this.#addresses.keys()].join(', ')}`)
  }

  nobody(): never {
    throw new TroupeError('ActorFailed', 'no member of the team brought an outcome', 'the failed chunks say why')
  }

  /** What an answer has to be, for a member that may answer or do something else. */
  get answer(): Readonly<Record<string, unknown>> {
    return this.task.schema ?? { type: 'string' }
  }

  /** The team itself has the word. */
  *say(answer: unknown): Generator<AgentChunk, AgentOutcome> {
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
    yield { kind: 'turn', speaker: this.me.id }
    yield { kind: 'text', speaker: this.me.id, text }
    return { speaker: this.me.id, text, finish: 'stop', usage: this.usage, ...(typeof answer !== 'string' && { value: answer }) }
  }

  /** Where a task wants a value, an answer that is JSON is read as one. */
  #asWanted(outcome: AgentOutcome): AgentOutcome {
    const value = this.task.schema === undefined ? undefined : valueOf(outcome)
    return value === undefined ? outcome : { ...outcome, value }
  }
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
