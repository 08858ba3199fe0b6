import type { AgentOutcome } from '../agent/protocol.js'
import type { Invocable } from '../../runtime/index.js'
import type { AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface SequenceOptions extends TeamOptions {
  /** What the next member is told. Default what the one before said. */
  readonly pass?: (before: AgentOutcome, task: string) => string
}

/** One after the other: each gets what the one before said, and the last one's word is the team's. */
export function sequence(members: Members, { pass = ({ text }) => text, ...options }: SequenceOptions = {}): Invocable<AgentSpecs> {
  const names = Object.keys(members)
  return team(members, options, async function* (stage) {
    let last: AgentOutcome | undefined
    for (const [at, name] of names.entries()) {
      const input = last === undefined ? stage.task.input : pass(last, stage.task.input)
      last = (yield* stage.speak(name, { input, answers: at === names.length - 1 })) ?? last
    }
    return last ?? stage.nobody()
  })
}
