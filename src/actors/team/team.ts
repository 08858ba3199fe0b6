/** A team is an actor of the agent's protocol, so that it stands wherever an agent may, and teams nest. */
import { isDefinition } from '../../runtime/definition.js'
import { TroupeError, type Address, type Definition, type Invocable, type Me } from '../../runtime/index.js'
import { needs } from '../kernels.js'
import { performer } from '../agent/performer.js'
import { checked } from '../agent/budget.js'
import type { AgentBudget } from '../agent/protocol.js'
import { Stage, type AgentSpecs, type FailurePolicy, type Play } from './stage.js'

/** Somebody who speaks the agent's protocol: a definition, which the team starts as its child, or who is there already. */
export type Member = Definition<AgentSpecs> | { readonly address: Address } | Address
/** Members by the names that the team knows them by. */
export type Members = Readonly<Record<string, Member>>

export interface TeamOptions {
  /** What a member's failure means. Default `fail`. */
  readonly failures?: FailurePolicy
  /** Of all members together, and of one task; the narrower of this and the task's own holds. */
  readonly budget?: AgentBudget
  /** Records each member's outcome: after a crash the team goes on with the next. Default false. */
  readonly durable?: boolean
}

/** Tasks that one team has under way at once; the next wait in its mailbox. */
const TASKS_AT_ONCE = 16

/** A team out of its members and a pattern. */
export function team(members: Members, options: TeamOptions, play: (stage: Stage) => Play): Invocable<AgentSpecs> {
  const { failures = 'fail', durable = false, budget = {} } = options
  checked(budget)
  const named = Object.entries(members)
  if (named.length === 0) throw new TroupeError('InvalidDefinition', 'a team of nobody', 'name at least one member')
  if (typeof failures === 'object' && members[failures.fallback] === undefined) throw new TroupeError('InvalidDefinition', `the fallback ${failures.fallback} is no member`, 'name it among the members')
  return performer(
    async function* (task, me) {
      const stage = new Stage(task, me, new Map(named.map(([name, member]) => [name, addressOf(member, name, me)])), options)
      const outcome = yield* stage.perform(play)
      yield { ...outcome, kind: 'done', usage: stage.usage }
    },
    {
      needs,
      ...(durable ? { durable } : { concurrency: TASKS_AT_ONCE }),
      started: (me) => {
        for (const [name, member] of named) if (isDefinition(member)) me.spawn(name, member)
      },
    },
  )
}

const addressOf = (member: Member, name: string, me: Me<AgentSpecs>): Address => (isDefinition(member) ? `${me.id}>${name}` : typeof member === 'string' ? member : member.address)
