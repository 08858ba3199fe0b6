/** Requests of chosen actors, as the tools that an MCP server lists. */
import type { Ref } from '../../runtime/index.js'
import { TroupeError } from '../../ground/errors.js'
import { actorTools, type ActorToolsOptions } from '../agent/actor-tools.js'
import type { JsonObject } from '../json-schema-of.js'

export interface OfferedActor extends Pick<ActorToolsOptions, 'only' | 'describe' | 'prefix'> {
  readonly ref: Ref
}

export interface Offered {
  readonly name: string
  readonly description: string | undefined
  readonly parameters: JsonObject
  readonly ask: (input: JsonObject, signal: AbortSignal) => Promise<unknown>
}

/** Throws `InvalidDefinition` for two tools of one name, and for a schema that cannot be written as a JSON schema. */
export function offersOf(actors: readonly OfferedActor[]): ReadonlyMap<string, Offered> {
  const offers = new Map<string, Offered>()
  for (const { ref, ...options } of actors) {
    for (const tool of actorTools(ref, options)) {
      if (tool.doing.kind !== 'ask') continue
      const { request } = tool.doing
      if (offers.has(tool.name)) throw new TroupeError('InvalidDefinition', `two tools are called ${tool.name}`, 'give one of their actors another prefix', { tool: tool.name })
      offers.set(tool.name, { name: tool.name, description: tool.description, parameters: tool.parameters, ask: (input, signal) => ref.ask({ ...input, type: request } as never, { signal }) })
    }
  }
  return offers
}
