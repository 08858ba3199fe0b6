import type { Protocol, Ref, Schema, Specs } from '../../runtime/index.js'
import { jsonSchemaOf } from '../json-schema-of.js'
import { issuesOf, toolOf, type Tool, type ToolManner } from './tool.js'

export interface ActorToolsOptions extends ToolManner {
  /** Which requests; all of the protocol otherwise. */
  readonly only?: readonly string[]
  /** What each does, for the model to read. */
  readonly describe?: Readonly<Record<string, string>>
  /** Before the name of each, so that two actors' requests do not clash. Default the actor's kind and `_`. */
  readonly prefix?: string
}

/** An actor's requests as tools: its protocol says what they take, and an agent that is durable has their replies on record. */
export function actorTools<S extends Specs>(ref: Ref<S> | { readonly protocol: Protocol<S>; readonly address: string }, { only, describe = {}, prefix = `${kindOf(ref.address)}_`, ...manner }: ActorToolsOptions = {}): Tool[] {
  return Object.entries(ref.protocol.specs)
    .filter(([type, { kind }]) => kind === 'request' && (only?.includes(type) ?? true))
    .map(([type, { body }]) => {
      const schema: Schema<object> | undefined = body
      const description = describe[type]
      const spec = { name: `${prefix}${type}`, parameters: jsonSchemaOf(schema, `${ref.address} ${type}`), ...(description !== undefined && { description }) }
      return toolOf(spec, (input) => issuesOf(schema, input), { kind: 'ask', address: ref.address, request: type }, manner)
    })
}

const kindOf = (address: string): string => address.replace(/\/.*$/, '').replaceAll(/[^A-Za-z0-9_-]/g, '_')
