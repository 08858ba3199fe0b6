import type { Invocable } from '../../runtime/index.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'
import { together } from './together.js'

export interface SuperviseOptions extends TeamOptions {
  /** Who gives out the work; all other members do it. */
  readonly supervisor: string
  /** Pieces of work before the supervisor has to answer. Default 8. */
  readonly most?: number
}

interface Piece {
  readonly worker: string
  readonly work: string
}

/** A supervisor gives work to its workers, one piece or several at once, sees what comes back, and answers. */
export function supervise(members: Members, { supervisor, most = 8, ...options }: SuperviseOptions): Invocable<AgentSpecs> {
  const workers = Object.keys(members).filter((name) => name !== supervisor)
  const isPiece = (given: unknown): given is Piece => workers.includes((given as Piece | null)?.worker ?? '') && typeof (given as Piece).work === 'string'
  return team(members, options, async function* (stage) {
    const properties = { worker: { type: 'string', enum: workers }, work: { type: 'string' } }
    const pile = { type: 'array', items: { type: 'object', properties, required: ['worker', 'work'] }, description: 'work for several at once' }
    const schema = { type: 'object', properties: { ...properties, several: pile, answer: stage.answer } }
    const done: string[] = []
    for (let given = 0; given < most; ) {
      const told = [stage.task.input, ...done, `Give work to one or several of ${workers.join(', ')}, or answer.`].join('\n\n')
      const outcome = yield* stage.need(supervisor, { input: told, schema })
      const said = valueOf(outcome) ?? {}
      const several: readonly unknown[] = Array.isArray(said['several']) ? said['several'] : []
      const pieces = [said, ...several].filter(isPiece).slice(0, most - given)
      if (pieces.length === 0) return { ...(yield* stage.say(said['answer'] ?? outcome.text)), speaker: outcome.speaker }
      given += pieces.length
      const brought = yield* together(pieces.map(({ worker, work }) => (signal) => stage.speak(worker, { input: work, signal, among: pieces.length })))
      for (const [at, { worker, work }] of pieces.entries()) done.push(`${worker}, asked to ${work}: ${brought[at]?.text ?? 'failed, and brought nothing'}`)
    }
    return yield* stage.need(supervisor, { input: [stage.task.input, ...done, 'Answer now.'].join('\n\n'), answers: true })
  })
}
