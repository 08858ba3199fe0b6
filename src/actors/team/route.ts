import { TroupeError, type Invocable } from '../../runtime/index.js'
import type { AgentChunk } from '../agent/protocol.js'
import { cosine } from '../cosine.js'
import { valueOf, type AgentSpecs, type Stage } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface RouteOptions extends TeamOptions {
  /** What each member is for, in a few examples of what people say. Who has none is never chosen, unless as `otherwise`. */
  readonly when: Readonly<Record<string, readonly string[]>>
  /** Who chooses: a member, who is told the names and their examples. Default the meaning of the words, by vectors. */
  readonly by?: string
  /** The model of the vectors. Default `embedded:encoder`. */
  readonly model?: string
  /** Who gets what is like none of the examples, and what the chosen one failed at. Default whoever is the least unlike. */
  readonly otherwise?: string
  /** How like an example a task has to be, from 0 to 1, where there is an `otherwise`. Default 0.3. */
  readonly least?: number
}

/** One of many: whoever the task is for gets it, and answers. */
export function route(members: Members, { when, by, model = 'embedded:encoder', otherwise, least = 0.3, ...options }: RouteOptions): Invocable<AgentSpecs> {
  const examples = Object.entries(when).flatMap(([name, texts]) => texts.map((text) => ({ name, text })))
  const unknown = [...Object.keys(when), ...(otherwise === undefined ? [] : [otherwise])].find((name) => members[name] === undefined)
  if (unknown !== undefined || examples.length === 0) throw new TroupeError('InvalidDefinition', unknown === undefined ? 'a route without examples' : `${unknown} is no member`, 'give `when` examples for each member that may be chosen')

  async function byMeaning({ me, task }: Stage): Promise<string> {
    const [asked, ...vectors] = await me.infer<Float32Array[]>('embed', model, [task.input, ...examples.map(({ text }) => text)])
    const scored = vectors.map((vector, at) => ({ name: (examples[at] as { name: string }).name, score: cosine(asked as Float32Array, vector) }))
    const best = scored.reduce((a, b) => (b.score > a.score ? b : a))
    return otherwise !== undefined && best.score < least ? otherwise : best.name
  }

  async function* byWord(stage: Stage, chooser: string): AsyncGenerator<AgentChunk, string | undefined> {
    const names = Object.keys(when)
    const question = `Who is this for? Choose one.\n${names.map((name) => `${name}: ${(when[name] ?? []).join('; ')}`).join('\n')}\n\n${stage.task.input}`
    const chosen = yield* stage.speak(chooser, { input: question, schema: { type: 'object', properties: { to: { type: 'string', enum: names } }, required: ['to'] } })
    const to = chosen === undefined ? undefined : (valueOf(chosen)?.['to'] ?? names.find((name) => chosen.text.includes(name)))
    return names.find((name) => name === to)
  }

  return team(members, options, async function* (stage) {
    const cue = { input: stage.task.input, answers: true }
    const to = by === undefined ? await byMeaning(stage) : yield* byWord(stage, by)
    const outcome = to === undefined ? undefined : yield* stage.speak(to, cue)
    if (outcome !== undefined) return outcome
    return yield* stage.need(otherwise === undefined || otherwise === to ? stage.nobody() : otherwise, cue)
  })
}
