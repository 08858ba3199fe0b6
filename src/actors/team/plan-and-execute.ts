import type { Invocable } from '../../runtime/index.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface PlanOptions extends TeamOptions {
  readonly planner: string
  readonly executor: string
  /** Steps that are done; a longer plan is cut. Default 8. */
  readonly most?: number
  /** After each step the planner says anew what is left to do; no steps end it. Default false. */
  readonly replan?: boolean
}

const stepsIn = (steps: unknown, text: string): string[] => (Array.isArray(steps) ? steps.filter((step) => typeof step === 'string') : text.split('\n').map((line) => line.replace(/^\s*(?:[-*]|\d+[.)])\s*/, '').trim()).filter((line) => line !== ''))

/** A planner lists the steps, an executor does one after the other, and the planner answers from what came of them. */
export function planAndExecute(members: Members, { planner, executor, most = 8, replan = false, ...options }: PlanOptions): Invocable<AgentSpecs> {
  const schema = { type: 'object', properties: { steps: { type: 'array', items: { type: 'string' }, maxItems: most } }, required: ['steps'] }
  return team(members, options, async function* (stage) {
    const plan = yield* stage.need(planner, { input: `${stage.task.input}\n\nList the steps.`, schema })
    let steps = stepsIn(valueOf(plan)?.['steps'], plan.text)
    const done: string[] = []
    while (steps.length > 0 && done.length < most) {
      const [step = '', ...left] = steps
      const outcome = yield* stage.speak(executor, { input: [...done, step].join('\n\n') })
      done.push(`${step}: ${outcome === undefined ? 'failed' : outcome.text}`)
      steps = left
      if (!replan) continue
      const next = yield* stage.speak(planner, { input: [stage.task.input, ...done, `Planned next: ${left.join('; ') || 'nothing'}.`, 'List the steps that are left to do.'].join('\n\n'), schema })
      if (next !== undefined) steps = stepsIn(valueOf(next)?.['steps'], next.text)
    }
    return yield* stage.need(planner, { input: [stage.task.input, ...done, 'Answer from this.'].join('\n\n'), answers: true })
  })
}
