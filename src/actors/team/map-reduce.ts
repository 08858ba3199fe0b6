import { TroupeError, type Invocable } from '../../runtime/index.js'
import type { AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'
import { together } from './together.js'

export interface MapReduceOptions extends TeamOptions {
  /** The items of a task. Default its lines. */
  readonly split?: (task: string) => readonly string[]
  /** Who works on each item. */
  readonly map: string
  /** Makes one answer of all results, those of failed items left out: a function, or a member. Default one below the other. */
  readonly reduce?: string | ((results: readonly string[], task: string) => string)
  /** Items under way at once. Default 4. */
  readonly atOnce?: number
  /** Items of one task, more are refused. Default 1,000. */
  readonly most?: number
}

const lines = (task: string): string[] => task.split('\n').filter((line) => line.trim() !== '')
const oneBelowTheOther = (results: readonly string[]): string => results.join('\n')

/** The same work on many items, some at once; then one answer out of all. */
export function mapReduce(members: Members, { split = lines, map, reduce = oneBelowTheOther, atOnce = 4, most = 1_000, ...options }: MapReduceOptions): Invocable<AgentSpecs> {
  return team(members, options, async function* (stage) {
    const { input } = stage.task
    const items = split(input)
    if (items.length > most) throw new TroupeError('InvalidMessage', `${items.length} items in one task`, `give at most ${most}, or raise { most }`)
    const done: string[] = []
    const results = (): string[] => Object.values(done)
    stage.unfinished = () => (typeof reduce === 'function' ? reduce(results(), input) : oneBelowTheOther(results()))
    const work = (item: string, at: number) =>
      async function* (signal: AbortSignal) {
        const outcome = yield* stage.speak(map, { input: item, signal, among: Math.min(atOnce, items.length) })
        if (outcome !== undefined) done[at] = outcome.text
      }
    yield* together(items.map(work), atOnce)
    if (items.length > 0 && results().length === 0) return stage.nobody()
    if (typeof reduce === 'function') return yield* stage.say(reduce(results(), input))
    return yield* stage.need(reduce, { input: oneBelowTheOther(results()), answers: true })
  })
}
