import type { Invocable } from '../../runtime/index.js'
import type { AgentChunk, AgentOutcome } from '../agent/protocol.js'
import { valueOf, type AgentSpecs, type Stage } from './stage.js'
import { team, type Members, type TeamOptions } from './team.js'

export interface Said {
  readonly name: string
  readonly text: string
}
/** Who speaks next; `undefined` ends the chat. `chance` is the actor's own, so that a seed repeats it. */
export type SpeakerPolicy = (said: readonly Said[], names: readonly string[], chance: () => number) => string | undefined

export interface GroupChatOptions extends TeamOptions {
  /** In turn (default), by chance, a rule of your own, or a member who chooses and does not speak. */
  readonly next?: 'in-turn' | 'chance' | SpeakerPolicy | { readonly chooser: string }
  /** Things said before the chat ends. Default 8. */
  readonly most?: number
  /** Ends it earlier. */
  readonly until?: (said: readonly Said[]) => boolean
}

const inTurn: SpeakerPolicy = (said, names) => names[said.length % names.length]
const byChance: SpeakerPolicy = (said, names, chance) => {
  const others = names.filter((name) => name !== said.at(-1)?.name)
  return others[Math.floor(chance() * others.length)] ?? names[0]
}

/** All speak in one room and hear everything; a policy says who is next. The last word is the answer. */
export function groupChat(members: Members, { next = 'in-turn', most = 8, until = () => false, ...options }: GroupChatOptions = {}): Invocable<AgentSpecs> {
  const names = Object.keys(members).filter((name) => typeof next !== 'object' || name !== next.chooser)

  async function* choose(stage: Stage, said: readonly Said[], input: string): AsyncGenerator<AgentChunk, string | undefined> {
    if (typeof next === 'function') return next(said, names, () => stage.me.random())
    if (typeof next === 'string') return (next === 'chance' ? byChance : inTurn)(said, names, () => stage.me.random())
    const chosen = yield* stage.speak(next.chooser, { input: `${input}\n\nWho speaks next? Nobody ends it.`, schema: { type: 'object', properties: { next: { type: 'string', enum: [...names, 'nobody'] } }, required: ['next'] } })
    return chosen && (valueOf(chosen)?.['next'] as string | undefined)
  }

  return team(members, options, async function* (stage) {
    const said: Said[] = []
    let last: AgentOutcome | undefined
    for (let turn = 0; turn < most && !until(said); turn++) {
      const input = [stage.task.input, ...said.map(({ name, text }) => `${name}: ${text}`)].join('\n\n')
      const name = yield* choose(stage, said, input)
      if (name === undefined || !names.includes(name)) break
      const outcome = yield* stage.speak(name, { input })
      last = outcome ?? last
      said.push({ name, text: outcome?.text ?? 'says nothing' })
    }
    const { text, speaker } = last ?? stage.nobody()
    return { ...(yield* stage.say(text)), speaker }
  })
}
