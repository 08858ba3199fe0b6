/** What a run has spent, and which of its budgets is used up first. */
import { TroupeError } from '../../ground/errors.js'
import { bounded, narrower, NOTHING_SPENT, sum, type Spent } from './budget.js'
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
  #usage = NOTHING_SPENT

  /** Throws `InvalidMessage` for a task with a budget of money where nobody knows what the model costs. */
  constructor(own: AgentBudget, given: AgentBudget, prices: Prices | undefined, began: number) {
    if (prices === undefined && given.money !== undefined) throw new TroupeError('InvalidMessage', 'a task with a budget of money, for an agent whose model has no known price', 'give agent({ prices }), or a budget of tokens')
    this.#budget = { ...narrower(own, given), steps: Math.min(own.steps ?? STEPS_USUAL, given.steps ?? Infinity) }
    this.#prices = prices ?? { prompt: 0, completion: 0 }
    this.#began = began
  }

  get usage(): AgentUsage {
    return this.#usage
  }

  costOf(promptTokens: number, completionTokens: number): number {
    return (promptTokens * this.#prices.prompt + completionTokens * this.#prices.completion) / 1_000_000
  }

  /** For a call of the agent's own model; `steps` is 0 for what is done on the side, such as a summary. */
  pay(promptTokens: number, completionTokens: number, steps = 1): void {
    this.share({ steps, promptTokens, completionTokens, money: this.costOf(promptTokens, completionTokens) })
  }

  /** What another spent for it. */
  share(usage: AgentUsage): void {
    this.#usage = sum(this.#usage, usage)
  }

  /** What one of so many may spend, who work for it side by side; nothing where it is too little for so many. */
  left(now: number, among: number): { readonly budget: AgentBudget | undefined } | undefined {
    const whole = (value: number): number => Math.floor(value / among)
    const share = { steps: whole(this.#budget.steps - this.#usage.steps), tokens: whole(this.tokensLeft), ms: this.deadline - now, money: (this.#budget.money - this.#usage.money) / among }
    return share.steps < 1 || share.tokens < 1 || share.ms <= 0 || share.money <= 0 ? undefined : { budget: bounded(share) }
  }

  /** The moment after which no work is begun, and running work ends. */
  get deadline(): number {
    return this.#began + this.#budget.ms
  }

  /** Tokens that one more answer may have. */
  get tokensLeft(): number {
    return this.#budget.tokens - this.#usage.promptTokens - this.#usage.completionTokens
  }

  /** The budget that is spent with so many more tokens, if any. */
  spentWith(promptTokens: number, completionTokens: number): 'tokens' | 'money' | undefined {
    if (promptTokens + completionTokens > this.tokensLeft) return 'tokens'
    return this.usage.money + this.costOf(promptTokens, completionTokens) > this.#budget.money ? 'money' : undefined
  }

  /** The budget that is spent, if any. */
  spent(now: number): Spent | undefined {
    if (now >= this.deadline) return 'time'
    if (this.#usage.steps >= this.#budget.steps) return 'steps'
    if (this.tokensLeft <= 0) return 'tokens'
    return this.usage.money >= this.#budget.money ? 'money' : undefined
  }
}
