import type { Invocable } from '../../runtime/index.js'
import type { AgentOutcome } from '../agent/protocol.js'
import type { AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'
import { together } from './together.js'

/** What the members said, by name; those who failed are missing. */
export type Gathered = Readonly<Record<string, AgentOutcome>>

export interface ParallelOptions extends TeamOptions {
  /** Makes one answer of many: a function, or the member of this name, who is told all of them. Default all, one below the other. */
  readonly gather?: string | ((gathered: Gathered, task: string) => string)
}

const oneBelowTheOther = (gathered: Gathered): string => Object.entries(gathered).map(([name, { text }]) => `${name}: ${text}`).join('\n\n')

/** All at once, on the same task; then their answers are gathered into one. */
export function parallel(members: Members, { gather = oneBelowTheOther, ...options }: ParallelOptions = {}): Invocable<AgentSpecs> {
  const names = Object.keys(members).filter((name) => name !== gather)
  return team(members, options, async function* (stage) {
    const { input } = stage.task
    const outcomes = yield* together(names.map((name) => (signal) => stage.speak(name, { input, signal, among: names.length })))
    const gathered = Object.fromEntries(outcomes.flatMap((outcome, at) => (outcome === undefined ? [] : [[names[at] as string, outcome]])))
    if (Object.keys(gathered).length === 0) return stage.nobody()
    if (typeof gather === 'function') return yield* stage.say(gather(gathered, input))
    return yield* stage.need(gather, { input: `${input}\n\n${oneBelowTheOther(gathered)}`, answers: true })
  })
}
