/** An agent that is served, and how it is introduced. */
import type { Ref } from '../../runtime/index.js'
import type { Agent } from '../agent/protocol.js'

export type AgentRef = Ref<(typeof Agent)['specs']>
/** The agent that works on a conversation of a caller. */
export type AgentFor = (conversation: string) => AgentRef

export interface Introduction {
  readonly name: string
  readonly description: string
  /** Default 1.0.0. */
  readonly version?: string
  /** What it is good at; one skill, its description, when left out. */
  readonly skills?: readonly { readonly id: string; readonly name: string; readonly description: string; readonly tags?: readonly string[]; readonly examples?: readonly string[] }[]
}
