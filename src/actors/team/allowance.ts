/** What a team may spend in all, and what is left of it for whoever has the word next. */
import type { AgentBudget, AgentOutcome, AgentUsage } from '../agent/protocol.js'

type Spent = Exclude<AgentOutcome['finish'], 'stop' | 'length' | 'refused'>

const NOTHING: AgentUsage = { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 }

export class Allowance {
  readonly #budget: AgentBudget
  readonly #deadline: number
  #usage = NOTHING

  /** The narrower of the team's own and the task's holds. */
  constructor(own: AgentBudget, given: AgentBudget, began: number) {
    const least = (a: number | undefined, b: number | undefined): number => Math.min(a ?? Infinity, b ?? Infinity)
    this.#budget = { steps: least(own.steps, given.steps), tokens: least(own.tokens, given.tokens), money: least(own.money, given.money) }
    this.#deadline = began + least(own.ms, given.ms)
  }

  get usage(): AgentUsage {
    return this.#usage
  }

  pay({ steps, promptTokens, completionTokens, money }: AgentUsage): void {
    const before = this.#usage
    this.#usage = { steps: before.steps + steps, promptTokens: before.promptTokens + promptTokens, completionTokens: before.completionTokens + completionTokens, money: before.money + money }
  }

  /** For one more member, who works beside others up to `among` in all; nothing where nothing is bounded. */
  left(now: number, among: number): AgentBudget | undefined {
    const { steps, tokens, money } = this.#left()
    const whole = (value: number): number => Math.max(1, Math.floor(value / among))
    const bounded = Object.entries({ steps: whole(steps), tokens: whole(tokens), money: money / among, ms: this.#deadline - now }).filter(([, value]) => value !== Infinity)
    return bounded.length === 0 ? undefined : Object.fromEntries(bounded)
  }

  /** The budget that is spent, if any. */
  spent(now: number): Spent | undefined {
    if (now >= this.#deadline) return 'time'
    const { steps, tokens, money } = this.#left()
    return steps <= 0 ? 'steps' : tokens <= 0 ? 'tokens' : money <= 0 ? 'money' : undefined
  }

  #left(): { readonly steps: number; readonly tokens: number; readonly money: number } {
    const { steps = Infinity, tokens = Infinity, money = Infinity } = this.#budget
    const { promptTokens, completionTokens } = this.#usage
    return { steps: steps - this.#usage.steps, tokens: tokens - promptTokens - completionTokens, money: money - this.#usage.money }
  }
}
