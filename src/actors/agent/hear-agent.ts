import { TroupeError, type Address, type Me } from '../../runtime/index.js'
import { outcomeIn } from './performer.js'
import { Agent, type AgentChunk, type AgentOutcome, type AgentTask } from './protocol.js'

export interface Hearing {
  readonly signal?: AbortSignal
  /** Whether its outcome alone is heard, and recorded; chunks are not. */
  readonly recorded: boolean
  /** How its chunks are told further. */
  readonly as: (chunk: AgentChunk) => AgentChunk
}

/** Another agent's run: its chunks but the last, and then its outcome. Of one that is recorded, its text in one piece. */
export async function* hearAgent(address: Address, task: AgentTask, { signal, recorded, as }: Hearing, me: Pick<Me, 'ask' | 'stream' | 'ref'>): AsyncGenerator<AgentChunk, AgentOutcome> {
  const ref = me.ref(Agent, address)
  const how = { timeout: 'none', ...(signal !== undefined && { signal }) } as const
  if (recorded) {
    const outcome = await me.ask(ref, { type: 'answer', ...task }, how)
    if (outcome.text !== '') yield as({ kind: 'text', speaker: outcome.speaker, text: outcome.text })
    return outcome
  }
  for await (const chunk of me.stream(ref, { type: 'run', ...task }, how)) {
    if (chunk.kind === 'done') return outcomeIn(chunk)
    // Who has the word is told by whoever gave it.
    if (chunk.kind !== 'turn' || chunk.speaker !== address) yield as(chunk)
  }
  throw new TroupeError('ActorFailed', `${address} ended its run without an outcome`, 'yield a chunk of kind done at the end', { address })
}
