import type { Invocable } from '../../runtime/index.js'
import type { AgentOutcome } from '../agent/protocol.js'
import { valueOf, type AgentSpecs } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

/** `true`: it will do. Otherwise what is wrong with it. */
export type Check = (outcome: AgentOutcome, task: string) => true | string

export interface LoopOptions extends TeamOptions {
  readonly worker: string
  /** A function, or a member who is shown the work and says `{ ok, because }`. */
  readonly check: string | Check
  /** Tries before the last one is the answer as it is. Default 3. */
  readonly most?: number
}

const VERDICT = { type: 'object', properties: { ok: { type: 'boolean' }, because: { type: 'string' } }, required: ['ok'] }

/** A worker tries until a check passes, each time told what was wrong. The last try is the answer, passed or not. */
export function loopUntil(members: Members, { worker, check, most = 3, ...options }: LoopOptions): Invocable<AgentSpecs> {
  return team(members, options, async function* (stage) {
    const { input } = stage.task
    let told = input
    let last: AgentOutcome | undefined
    for (let tries = 1; tries <= most; tries++) {
      last = (yield* stage.speak(worker, { input: told, schema: stage.task.schema })) ?? last
      if (last === undefined) continue
      let wrong: string | true
      if (typeof check === 'function') wrong = check(last, input)
      else {
        const verdict = yield* stage.speak(check, { input: `${input}\n\n${last.text}\n\nWill this do?`, schema: VERDICT })
        const { ok, because } = (verdict && valueOf(verdict)) ?? {}
        wrong = ok === true || (typeof because === 'string' ? because : (verdict?.text ?? 'nobody could check it'))
      }
      if (wrong === true) break
      told = `${input}\n\n${last.text}\n\nThis will not do: ${wrong}`
    }
    const { speaker, text, finish, value } = last ?? stage.nobody()
    return { ...(yield* stage.say(text)), speaker, finish, ...(value !== undefined && { value }) }
  })
}
