import type { Invocable } from '../../runtime/index.js'
import type { AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'
import { together } from './together.js'

export interface DebateOptions extends TeamOptions {
  /** Who hears all sides and decides. */
  readonly judge: string
  /** How often each side speaks. Default 2. */
  readonly rounds?: number
}

/** All other members argue, each having heard what all said in the round before; then the judge decides. */
export function debate(members: Members, { judge, rounds = 2, ...options }: DebateOptions): Invocable<AgentSpecs> {
  const sides = Object.keys(members).filter((name) => name !== judge)
  return team(members, options, async function* (stage) {
    const said: string[] = []
    for (let round = 1; round <= rounds; round++) {
      const input = [stage.task.input, ...said].join('\n\n')
      const outcomes = yield* together(sides.map((name) => (signal) => stage.speak(name, { input, signal, among: sides.length })))
      for (const [at, outcome] of outcomes.entries()) if (outcome !== undefined) said.push(`${sides[at]}, round ${round}: ${outcome.text}`)
    }
    if (said.length === 0) return stage.nobody()
    return yield* stage.need(judge, { input: [stage.task.input, ...said, 'Decide.'].join('\n\n'), answers: true })
  })
}
