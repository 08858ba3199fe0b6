/** What an agent can do besides talking: typed functions, requests of actors, and whatever a source lists. */
import type { ToolSpec } from '../../models/index.js'
import { TroupeError, type Address, type Duration, type Schema } from '../../runtime/index.js'
import { jsonSchemaOf, type JsonObject } from '../json-schema-of.js'

/** What a tool is given beside its input. */
export interface ToolWork {
  /** Fires when nobody wants the outcome: the run was cancelled, its time is over, or a sibling failed for good. */
  readonly signal: AbortSignal
  /** The same for each try of the same call, also after a crash. */
  readonly idempotencyKey: string
  /** The task's own, which no model reads. */
  readonly context: JsonObject
}

/** How the work is done: as a recorded step, by the agent on itself, by asking an actor, or by another agent. */
export type Doing =
  | { readonly kind: 'run'; readonly run: (input: unknown, work: ToolWork) => unknown }
  | { readonly kind: 'own'; readonly run: (input: unknown) => Promise<unknown> }
  | { readonly kind: 'ask'; readonly address: Address; readonly request: string; /** Beside the input. */ readonly also?: object; /** The field of the reply that is the result; all of it otherwise. */ readonly gives?: string }
  | { readonly kind: 'agent'; readonly address: Address }

export interface ToolManner<Input = unknown> {
  /** A person is asked first: always, or when this says so. The agent needs an `approver`. */
  readonly approve?: boolean | ((input: Input) => boolean)
  /** How long one call may take; with `none` as long as the run. Default 60 s; for an actor's request 30 s. */
  readonly timeout?: Duration | 'none'
  /** `tell` (default): the model is told and may try otherwise. `fail`: the run fails, and calls beside it are cancelled. */
  readonly onError?: 'tell' | 'fail'
  /** What it gives is the answer of the run, and the model is not asked again. Default false. */
  readonly answers?: boolean
}

export interface Tool extends ToolSpec, Omit<ToolManner, 'approve'> {
  /** What is wrong with an input, for the model to read; nothing when it is right. */
  readonly wrong: (input: unknown) => string | undefined
  readonly approve: (input: unknown) => boolean
  readonly doing: Doing
}

/** Tools that somebody else lists, such as an MCP server; opened on first use, closed with the agent. */
export interface ToolSource {
  readonly name: string
  /** `user` is whose tools they become: one source may serve several agents. */
  open(signal: AbortSignal, user: object): Promise<readonly Tool[]>
  close(user: object): Promise<void>
}

export interface ToolOptions<Input> extends ToolManner<Input> {
  readonly name: string
  /** For the model: what it does, and when to use it. */
  readonly description?: string
  readonly input: Schema<Input>
  /** The JSON schema of the input, where its library gives none. */
  readonly parameters?: JsonObject
  readonly run: (input: Input, work: ToolWork) => unknown
}

/** A typed function as a tool. Throws `InvalidDefinition` for a schema that cannot be written as a JSON schema. */
export function tool<Input>({ name, description, input, parameters = jsonSchemaOf(input, `tool ${name}`), run, ...manner }: ToolOptions<Input>): Tool {
  return toolOf({ name, parameters, ...(description !== undefined && { description }) }, (value) => issuesOf(input, value), { kind: 'run', run: run as (input: unknown, work: ToolWork) => unknown }, manner as ToolManner)
}

export function toolOf(spec: ToolSpec, wrong: Tool['wrong'], doing: Doing, { approve = false, ...manner }: ToolManner): Tool {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(spec.name)) {
    throw new TroupeError('InvalidDefinition', `a tool cannot be called ${JSON.stringify(spec.name)}`, 'use letters, digits, _ and -, at most 64 of them: more the models of providers do not take')
  }
  return { ...spec, ...manner, wrong, doing, approve: typeof approve === 'function' ? approve : () => approve }
}

/** As much of it as a model is told, and a record holds. */
export const specOf = ({ name, description, parameters }: ToolSpec): ToolSpec => ({ name, parameters, ...(description !== undefined && { description }) })

/** What is wrong with a value, each field with its place. */
export function issuesOf(schema: Schema<unknown> | undefined, value: unknown): string | undefined {
  if (schema === undefined) return undefined
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) throw new TroupeError('InvalidDefinition', 'a schema of a tool answers with a promise', 'use a schema that checks synchronously, and check the rest in the tool')
  return result.issues?.map(({ message, path = [] }) => `${path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.') || 'input'}: ${message}`).join('; ')
}
