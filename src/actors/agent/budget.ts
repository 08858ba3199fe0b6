/** What a run may cost at most. */
import { TroupeError } from '../../ground/errors.js'
import type { AgentBudget, AgentOutcome } from './protocol.js'

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
