import type { Invocable } from '../../runtime/index.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface HandoffOptions extends TeamOptions {
  /** Who gets the task first. Default the first member. */
  readonly first?: string
  /** How often it may be handed on; whoever has it then answers. Default 4. */
  readonly most?: number
}

const text = (description: string) => ({ type: 'string', description })
const isText = (value: unknown): value is string => typeof value === 'string'

/**
 * Whoever has the task answers it, or hands it on to another by name, with a word about why and what is known by then,
 * which all who have it later read. From one who fails it goes back to whom it came from.
 */
export function handoff(members: Members, { first = Object.keys(members)[0] ?? '', most = 4, ...options }: HandoffOptions = {}): Invocable<AgentSpecs> {
  const names = Object.keys(members)
  return team(members, options, async function* (stage) {
    const told: string[] = []
    const failed = new Set<string>()
    const before: string[] = []
    let name = first
    for (let handed = 0; ; handed++) {
      const input = [stage.task.input, ...told].join('\n\n')
      if (handed >= most) return yield* stage.need(name, { input, answers: true })
      const others = names.filter((other) => other !== name && !failed.has(other))
      const schema = { type: 'object', properties: { answer: stage.answer, handTo: { type: 'string', enum: others }, because: text('why it is handed on'), known: text('what the next has to know, such as what was found out') } }
      const outcome = yield* stage.speak(name, { input, schema })
      if (outcome === undefined) {
        failed.add(name)
        told.push(`${name} failed at this.`)
        name = before.pop() ?? stage.nobody()
        continue
      }
      const { handTo, because, known, answer } = valueOf(outcome) ?? {}
      const next = others.find((other) => other === handTo)
      if (next === undefined) return { ...(yield* stage.say(answer ?? outcome.text)), speaker: outcome.speaker }
      told.push([`${name} handed this on: ${isText(because) ? because : 'it is for another'}`, known].filter(isText).join('\n'))
      before.push(name)
      name = next
    }
  })
}
