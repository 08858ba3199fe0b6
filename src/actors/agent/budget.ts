/** What a run may cost at most. */
import { TroupeError } from '../../ground/errors.js'
import type { AgentBudget, AgentOutcome, AgentUsage } from './protocol.js'

/** A budget that ends a run. */
export type Spent = Exclude<AgentOutcome['finish'], 'stop' | 'length' | 'refused'>

/** The narrower of the two holds; Infinity where neither says anything. */
export function narrower(own: AgentBudget, given: AgentBudget): Required<AgentBudget> {
  const least = (of: keyof AgentBudget): number => Math.min(own[of] ?? Infinity, given[of] ?? Infinity)
  return { steps: least('steps'), tokens: least('tokens'), ms: least('ms'), money: least('money') }
}

/** Throws for one that never ends, or that allows nothing. */
export function checked(budget: AgentBudget): AgentBudget {
  const wrong = Object.entries(budget).find(([, value]) => typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
  if (wrong === undefined) return budget
  throw new TroupeError('InvalidDefinition', `a budget of ${String(wrong[1])} ${wrong[0]}`, 'give a finite number above zero, or leave it out')
}

export const NOTHING_SPENT: AgentUsage = { steps: 0, promptTokens: 0, completionTokens: 0, money: 0 }

export const sum = (a: AgentUsage, b: AgentUsage): AgentUsage => ({ steps: a.steps + b.steps, promptTokens: a.promptTokens + b.promptTokens, completionTokens: a.completionTokens + b.completionTokens, money: a.money + b.money })

/** As a task takes it: what has no bound is left out. */
export function bounded(budget: Required<AgentBudget>): AgentBudget | undefined {
  const bounds = Object.entries(budget).filter(([, value]) => value !== Infinity)
  return bounds.length === 0 ? undefined : Object.fromEntries(bounds)
}
