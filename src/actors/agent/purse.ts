/** What a run has spent, and which of its budgets is used up first. */
import { TroupeError } from '../../ground/errors.js'
import { narrower, type Spent } from './budget.js'
import type { AgentBudget, AgentUsage } from './protocol.js'
import { STEPS_USUAL } from './limits.js'

/** For a million tokens each, in any currency. */
export interface Prices {
  readonly prompt: number
  readonly completion: number
}

export class Purse {
  readonly #budget: Required<AgentBudget>
  readonly #prices: Prices
  readonly #began: number
  #steps = 0
  #promptTokens = 0
  #completionTokens = 0

  /** Throws `InvalidMessage` for a task with a budget of money where nobody knows what the model costs. */
  constructor(own: AgentBudget, given: AgentBudget, prices: Prices | undefined, began: number) {
    if (prices === undefined && given.money !== undefined) throw new TroupeError('InvalidMessage', 'a task with a budget of money, for an agent whose model has no known price', 'give agent({ prices }), or a budget of tokens')
    this.#budget = { ...narrower(own, given), steps: Math.min(own.steps ?? STEPS_USUAL, given.steps ?? Infinity) }
    this.#prices = prices ?? { prompt: 0, completion: 0 }
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
    return this.#began + this.#budget.ms
  }

  /** Tokens that one more answer may have. */
  get tokensLeft(): number {
    return this.#budget.tokens - this.#promptTokens - this.#completionTokens
  }

  /** The budget that is spent with so many more tokens, if any. */
  spentWith(promptTokens: number, completionTokens: number): 'tokens' | 'money' | undefined {
    if (promptTokens + completionTokens > this.tokensLeft) return 'tokens'
    return this.usage.money + this.costOf(promptTokens, completionTokens) > this.#budget.money ? 'money' : undefined
  }

  /** The budget that is spent, if any. */
  spent(now: number): Spent | undefined {
    if (now >= this.deadline) return 'time'
    if (this.#steps >= this.#budget.steps) return 'steps'
    if (this.tokensLeft <= 0) return 'tokens'
    return this.usage.money >= this.#budget.money ? 'money' : undefined
  }
}
