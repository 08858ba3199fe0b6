import type { StandardSchemaV1 } from '@standard-schema/spec'
import { TroupeError } from '../ground/errors.js'
import type { ReturnAddress } from './envelope.js'

/**
 * Any Standard Schema (zod, valibot, arktype …) that checks without transforming: what comes out is what went in.
 * A schema with defaults or coercion is a compile error, so that switching checks off changes nothing a handler sees.
 */
export type Schema<T> = StandardSchemaV1<T, T>

/** A schema as it is given: the compiler would infer one type that suits what goes in and what comes out, so both are compared. */
type Given<Sc extends StandardSchemaV1> = Sc & ([StandardSchemaV1.InferInput<Sc>] extends [StandardSchemaV1.InferOutput<Sc>] ? ([StandardSchemaV1.InferOutput<Sc>] extends [StandardSchemaV1.InferInput<Sc>] ? unknown : Changes) : Changes)
interface Changes {
  readonly 'this schema changes what it checks, by a default, a coercion or a transform': never
}
type BodySchema = StandardSchemaV1<unknown, object>
type Out<Sc extends StandardSchemaV1> = StandardSchemaV1.InferOutput<Sc>
type BodyOut<Sc extends StandardSchemaV1> = Out<Sc> extends object ? Out<Sc> : object

/** A body without fields. */
export type NoBody = Record<never, never>

export interface EventSpec<Body extends object = object> {
  readonly kind: 'event'
  readonly body: Schema<Body> | undefined
}
export interface RequestSpec<Body extends object = object, Reply = unknown> {
  readonly kind: 'request'
  readonly body: Schema<Body> | undefined
  readonly reply: Schema<Reply>
}
export interface StreamSpec<Body extends object = object, Chunk = unknown> {
  readonly kind: 'stream'
  readonly body: Schema<Body> | undefined
  readonly chunk: Schema<Chunk>
}
export type Spec = EventSpec | RequestSpec | StreamSpec
export type Specs = Readonly<Record<string, Spec>>

/** The typed messages that an actor takes. */
export interface Protocol<S extends Specs = Specs> {
  readonly specs: S
}

/** A message that wants no answer. */
export function event(): EventSpec<NoBody>
export function event<Body extends BodySchema>(body: Given<Body>): EventSpec<BodyOut<Body>>
export function event(body?: Schema<object>): EventSpec {
  return { kind: 'event', body }
}

/** A message that wants one reply; `null` as its body schema where it has no fields. */
export function request<Reply extends StandardSchemaV1>(body: null, reply: Given<Reply>): RequestSpec<NoBody, Out<Reply>>
export function request<Body extends BodySchema, Reply extends StandardSchemaV1>(body: Given<Body>, reply: Given<Reply>): RequestSpec<BodyOut<Body>, Out<Reply>>
export function request(body: Schema<object> | null, reply: Schema<unknown>): RequestSpec {
  return { kind: 'request', body: body ?? undefined, reply }
}

/** A message that wants many chunks, then an end; `null` as its body schema where it has no fields. */
export function stream<Chunk extends StandardSchemaV1>(body: null, chunk: Given<Chunk>): StreamSpec<NoBody, Out<Chunk>>
export function stream<Body extends BodySchema, Chunk extends StandardSchemaV1>(body: Given<Body>, chunk: Given<Chunk>): StreamSpec<BodyOut<Body>, Out<Chunk>>
export function stream(body: Schema<object> | null, chunk: Schema<unknown>): StreamSpec {
  return { kind: 'stream', body: body ?? undefined, chunk }
}

/**
 * Declares what an actor takes: a name for each message, made with `event`, `request` or `stream`.
 * Throws `InvalidDefinition` for a name that XState keeps to itself (`xstate.…`, `*`) or an empty one.
 */
export function protocol<const S extends Specs>(specs: S): Protocol<S> {
  for (const type of Object.keys(specs)) {
    if (type === '' || type.startsWith('xstate.') || type.includes('*')) {
      throw new TroupeError('InvalidDefinition', `a protocol cannot name a message ${JSON.stringify(type)}`, "choose a name without '*' that does not start with 'xstate.'")
    }
  }
  // Without a prototype, so that a message typed `constructor` or `__proto__` finds nothing it should not.
  return { specs: Object.freeze(Object.assign(Object.create(null) as S, specs)) }
}

export type BodyOf<Sp extends Spec> = Sp extends { readonly body: Schema<infer Body> | undefined } ? Body : never
type Named<K, Body> = { readonly type: K } & Body
type KeysOf<S extends Specs, Kind extends Spec['kind']> = { [K in keyof S & string]: S[K]['kind'] extends Kind ? K : never }[keyof S & string]

export type EventKey<S extends Specs> = KeysOf<S, 'event'>
export type RequestKey<S extends Specs> = KeysOf<S, 'request'>
export type StreamKey<S extends Specs> = KeysOf<S, 'stream'>

/** The message of one name, as a sender writes it. */
export type MessageOf<S extends Specs, K extends keyof S & string> = { [T in K]: Named<T, BodyOf<S[T]>> }[K]
/** The reply to one request. */
export type ReplyOf<S extends Specs, K extends keyof S> = S[K] extends RequestSpec<object, infer Reply> ? Reply : never
/** One chunk of one stream. */
export type ChunkOf<S extends Specs, K extends keyof S> = S[K] extends StreamSpec<object, infer Chunk> ? Chunk : never

/** The union of events that a statechart behind this protocol receives: each message, with where it came `from`. */
export type EventsOf<P extends Protocol> = P extends Protocol<infer S> ? { [K in keyof S & string]: Named<K, BodyOf<S[K]>> & { readonly from: ReturnAddress<AnswerTo<S[K]>> } }[keyof S & string] : never
/** A stream is answered with its end; an event with nothing at all. */
type AnswerTo<Sp extends Spec> = Sp extends RequestSpec<object, infer Reply> ? Reply : Sp extends StreamSpec ? undefined : never

/** A message as the runtime sees it. */
export type Message = { readonly type: string } & Readonly<Record<string, unknown>>

/** Checks a message's body against its protocol; `InvalidMessage` carries the schema's issues. */
export function checkBody(spec: Spec, message: Message): void {
  if (spec.body === undefined) return
  const { type, ...body } = message
  check(spec.body, body, type)
}

/** Checks one value against one schema; `InvalidMessage` carries the schema's issues. */
export function check(schema: Schema<unknown>, value: unknown, what: string): void {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    throw new TroupeError('InvalidDefinition', `the schema of ${what} answers with a promise`, 'use a schema that checks synchronously, and check the rest in the handler')
  }
  if (result.issues === undefined) return
  const issues = result.issues.map(({ message, path }) => ({ message, path: path?.map((part) => (typeof part === 'object' ? part.key : part)).join('.') ?? '' }))
  const first = issues[0]
  throw new TroupeError('InvalidMessage', `${what} is not as its protocol says: ${first?.path ? `${first.path}: ` : ''}${first?.message ?? 'no reason given'}`, "see details.issues for each field, and the actor's protocol for what it takes", { issues })
}
