import type { Invocable } from '../../runtime/index.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface HandoffOptions extends TeamOptions {
  /** Who gets the task first. Default the first member. */
  readonly first?: string
  /** How often it may be handed on; whoever has it then answers. Default 4. */
  readonly most?: number
}

/** Whoever has the task answers it, or hands it on to another by name, with a word about why. */
export function handoff(members: Members, { first = Object.keys(members)[0] ?? '', most = 4, ...options }: HandoffOptions = {}): Invocable<AgentSpecs> {
  const names = Object.keys(members)
  return team(members, options, async function* (stage) {
    let [name, input] = [first, stage.task.input]
    for (let handed = 0; ; handed++) {
      if (handed === most) return yield* stage.need(name, { input, answers: true })
      const others = names.filter((other) => other !== name)
      const schema = { type: 'object', properties: { answer: { type: 'string' }, handTo: { type: 'string', enum: others }, because: { type: 'string' } } }
      const outcome = yield* stage.need(name, { input, schema })
      const { handTo, because, answer } = valueOf(outcome) ?? {}
      const next = others.find((other) => other === handTo)
      if (next === undefined) return { ...(yield* stage.say(typeof answer === 'string' ? answer : outcome.text)), speaker: outcome.speaker }
      input = typeof because === 'string' ? `${stage.task.input}\n\n${name} handed this on: ${because}` : stage.task.input
      name = next
    }
  })
}
