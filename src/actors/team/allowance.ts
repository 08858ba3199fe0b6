/**
 * What a team may spend in all, lent to its members: what those who speak side by side hold is set aside, so that together
 * they stay within it, and what one of them did not need is there for the next.
 */
import { bounded, narrower, NOTHING_SPENT, sum, type Spent } from '../agent/budget.js'
import type { AgentBudget, AgentUsage } from '../agent/protocol.js'

type Amount = Omit<Required<AgentBudget>, 'ms'>

const less = (a: Amount, { steps, promptTokens, completionTokens, money }: AgentUsage): Amount => ({ steps: a.steps - steps, tokens: a.tokens - promptTokens - completionTokens, money: a.money - money })

/** What one member may spend while it has the word. */
class Loan {
  readonly share: Amount
  readonly #back: () => void
  usage = NOTHING_SPENT

  constructor(share: Amount, back: () => void) {
    this.share = share
    this.#back = back
  }

  /** Of one model call. */
  pay(call: AgentUsage): void {
    this.usage = sum(this.usage, call)
  }

  /** Its own account at the end, which holds what no call told of. */
  settle(usage: AgentUsage): void {
    this.usage = usage
  }

  close(): void {
    this.#back()
  }
}

export class Allowance {
  readonly #budget: Amount
  readonly #deadline: number
  readonly #loans = new Set<Loan>()
  #closed = NOTHING_SPENT
  #tell: () => void = () => {}
  #returned = this.#next()

  /** The narrower of the team's own and the task's holds. */
  constructor(own: AgentBudget, given: AgentBudget, began: number) {
    const { ms, ...budget } = narrower(own, given)
    this.#budget = budget
    this.#deadline = began + ms
  }

  get usage(): AgentUsage {
    return [...this.#loans].reduce((all, { usage }) => sum(all, usage), this.#closed)
  }

  /**
   * For one more member, who speaks beside others up to `among` in all. Where these hold all that is left, it waits for
   * what they give back. `undefined` when the budget is spent.
   */
  async lend(now: () => number, among: number): Promise<{ readonly loan: Loan; readonly budget: AgentBudget | undefined } | undefined> {
    for (;;) {
      if (this.spent(now()) !== undefined) return undefined
      const free = [...this.#loans].reduce((left, { share, usage }) => less(left, heldOf(less(share, usage))), less(this.#budget, this.usage))
      if (free.steps >= 1 && free.tokens >= 1 && free.money > 0) return this.#open(free, Math.max(1, among - this.#loans.size), now())
      if (this.#loans.size === 0) return undefined
      await this.#returned
    }
  }

  /** The budget that is spent, if any. */
  spent(now: number): Spent | undefined {
    if (now >= this.#deadline) return 'time'
    const { steps, tokens, money } = less(this.#budget, this.usage)
    return steps < 1 ? 'steps' : tokens < 1 ? 'tokens' : money <= 0 ? 'money' : undefined
  }

  #open({ steps, tokens, money }: Amount, sharers: number, now: number): { loan: Loan; budget: AgentBudget | undefined } {
    const whole = (value: number): number => Math.max(1, Math.floor(value / sharers))
    const share = { steps: whole(steps), tokens: whole(tokens), money: money / sharers }
    const loan = new Loan(share, () => {
      if (!this.#loans.delete(loan)) return
      this.#closed = sum(this.#closed, loan.usage)
      this.#tell()
      this.#returned = this.#next()
    })
    this.#loans.add(loan)
    return { loan, budget: bounded({ ...share, ms: this.#deadline - now }) }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => (this.#tell = resolve))
  }
}

/** What is set aside of a share: nothing of one that is overdrawn, nor of what has no bound. */
function heldOf({ steps, tokens, money }: Amount): AgentUsage {
  const held = (value: number): number => (value === Infinity ? 0 : Math.max(0, value))
  return { steps: held(steps), promptTokens: held(tokens), completionTokens: 0, money: held(money) }
}
