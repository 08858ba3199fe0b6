import type { Invocable } from '../../runtime/index.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface SuperviseOptions extends TeamOptions {
  /** Who gives out the work; all other members do it. */
  readonly supervisor: string
  /** Pieces of work before the supervisor has to answer. Default 8. */
  readonly most?: number
}

/** A supervisor gives one piece of work after the other to its workers, sees what comes back, and answers. */
export function supervise(members: Members, { supervisor, most = 8, ...options }: SuperviseOptions): Invocable<AgentSpecs> {
  const workers = Object.keys(members).filter((name) => name !== supervisor)
  return team(members, options, async function* (stage) {
    const schema = { type: 'object', properties: { worker: { type: 'string', enum: workers }, work: { type: 'string' }, answer: stage.answer } }
    const done: string[] = []
    for (let piece = 0; piece < most; piece++) {
      const told = [stage.task.input, ...done, `Give work to one of ${workers.join(', ')}, or answer.`].join('\n\n')
      const outcome = yield* stage.need(supervisor, { input: told, schema })
      const { worker, work, answer } = valueOf(outcome) ?? {}
      const name = workers.find((each) => each === worker)
      if (name === undefined || typeof work !== 'string') return { ...(yield* stage.say(answer ?? outcome.text)), speaker: outcome.speaker }
      const brought = yield* stage.speak(name, { input: work })
      done.push(`${name}, asked to ${work}: ${brought === undefined ? 'failed, and brought nothing' : brought.text}`)
    }
    return yield* stage.need(supervisor, { input: [stage.task.input, ...done, 'Answer now.'].join('\n\n'), answers: true })
  })
}
