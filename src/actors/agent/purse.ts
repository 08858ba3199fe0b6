/** What a run has spent, and which of its budgets is used up first. */
import type { AgentBudget, AgentOutcome, AgentUsage } from './protocol.js'
import { STEPS_USUAL } from './limits.js'

/** For a million tokens each, in any currency. */
export interface Prices {
  readonly prompt: number
  readonly completion: number
}

export class Purse {
  readonly #budget: AgentBudget
  readonly #prices: Prices
  readonly #began: number
  #steps = 0
  #promptTokens = 0
  #completionTokens = 0

  constructor(own: AgentBudget, given: AgentBudget, prices: Prices, began: number) {
    const least = (a: number | undefined, b: number | undefined): number => Math.min(a ?? Infinity, b ?? Infinity)
    this.#budget = { steps: Math.min(least(own.steps, given.steps), own.steps ?? STEPS_USUAL), tokens: least(own.tokens, given.tokens), ms: least(own.ms, given.ms), money: least(own.money, given.money) }
    this.#prices = prices
    this.#began = began
  }

  get usage(): AgentUsage {
    return { steps: this.#steps, promptTokens: this.#promptTokens, completionTokens: this.#completionTokens, money: this.costOf(this.#promptTokens, this.#completionTokens) }
  }

  costOf(promptTokens: number, completionTokens: number): number {
    return (promptTokens * this.#prices.prompt + completionTokens * this.#prices.completion) / 1_000_000
  }

  /** `steps` is 0 for what is done on the side, such as a summary. */
  pay(promptTokens: number, completionTokens: number, steps = 1): void {
    this.#steps += steps
    this.#promptTokens += promptTokens
    this.#completionTokens += completionTokens
  }

  /** The moment after which no work is begun, and running work ends. */
  get deadline(): number {
    return this.#began + (this.#budget.ms ?? Infinity)
  }

  /** Tokens that one more answer may have. */
  get tokensLeft(): number {
    return (this.#budget.tokens ?? Infinity) - this.#promptTokens - this.#completionTokens
  }

  /** The budget that is spent with so many more tokens, if any. */
  spentWith(promptTokens: number, completionTokens: number): 'tokens' | 'money' | undefined {
    if (promptTokens + completionTokens > this.tokensLeft) return 'tokens'
    return this.usage.money + this.costOf(promptTokens, completionTokens) > (this.#budget.money ?? Infinity) ? 'money' : undefined
  }

  /** The budget that is spent, if any. */
  spent(now: number): Exclude<AgentOutcome['finish'], 'stop' | 'length' | 'refused'> | undefined {
    const { steps = Infinity, money = Infinity } = this.#budget
    if (now >= this.deadline) return 'time'
    if (this.#steps >= steps) return 'steps'
    if (this.tokensLeft <= 0) return 'tokens'
    if (this.usage.money >= money && money !== Infinity) return 'money'
    return undefined
  }
}
