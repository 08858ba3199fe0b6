/** An utterance as a command: its intent is a request of a protocol, its entities fill the body. */
import { TroupeError, type MessageOf, type Protocol, type RequestKey, type Specs } from '../../runtime/index.js'
import type { Entity, Parsed } from './protocol.js'

/** One field of a request, read from what was understood. */
export interface Slot<T> {
  /** The entity types that may fill it. */
  readonly types: readonly string[]
  readonly read: (entity: Entity) => T | undefined
  /** What it is when nothing fills it; a field without it is asked for. */
  readonly otherwise?: { readonly value: T }
}

const slotOf = <T>(types: readonly string[], read: Slot<T>['read']): Slot<T> => ({ types, read })

/** Readers of entities by the type of the field. `or` gives a value for when nothing is said. */
export const slot = {
  /** The text as it was said. */
  text: (...types: string[]): Slot<string> => slotOf(types, ({ value }) => value),
  /** The name under which it was declared, or its form without marks. */
  name: (...types: string[]): Slot<string> => slotOf(types, ({ canonical, value }) => canonical ?? value),
  number: (...types: string[]): Slot<number> => slotOf(types.length === 0 ? ['number'] : types, ({ number }) => number),
  /** A day or an instant, as ISO 8601. */
  at: (...types: string[]): Slot<string> => slotOf(types.length === 0 ? ['time', 'date'] : types, ({ at }) => at),
  money: (): Slot<{ amount: number; currency: string }> => slotOf(['money'], ({ number, unit }) => (number === undefined || unit === undefined ? undefined : { amount: number, currency: unit })),
  or: <T, D extends T | undefined>(of: Slot<T>, value: D): Slot<T | D> => ({ ...of, otherwise: { value } }),
} as const

type BodyOf<S extends Specs, K extends RequestKey<S>> = Omit<MessageOf<S, K>, 'type'>
/** Which request an intent stands for, and what fills each of its fields. */
export type Reading<S extends Specs> = { [K in RequestKey<S>]: { readonly request: K; readonly slots: { readonly [F in keyof BodyOf<S, K>]-?: Slot<BodyOf<S, K>[F]> } } }[RequestKey<S>]

export type Command<S extends Specs> =
  | { readonly kind: 'command'; readonly intent: string; readonly score: number; readonly message: MessageOf<S, RequestKey<S>> }
  /** The intent is clear, but something it needs was not said. */
  | { readonly kind: 'incomplete'; readonly intent: string; readonly request: RequestKey<S>; readonly missing: readonly string[] }
  | { readonly kind: 'none'; readonly reason: 'out-of-scope' | 'no-such-intent' }

/** Turns what `nlu` understood into a message that `ask` takes; each entity fills one field, in the order of the slots. */
export function commands<S extends Specs>(protocol: Protocol<S>, readings: Readonly<Record<string, Reading<S>>>): (parsed: Pick<Parsed, 'entities' | 'intents' | 'outOfScope'>) => Command<S> {
  for (const [intent, { request }] of Object.entries(readings)) {
    if (protocol.specs[request]?.kind !== 'request') throw new TroupeError('InvalidDefinition', `intent ${JSON.stringify(intent)} stands for ${JSON.stringify(request)}, which is no request of the protocol`, 'name one of its requests')
  }
  return ({ entities, intents, outOfScope }) => {
    const [best] = intents
    if (best === undefined || outOfScope) return { kind: 'none', reason: 'out-of-scope' }
    const reading = Object.hasOwn(readings, best.name) ? readings[best.name] : undefined
    if (reading === undefined) return { kind: 'none', reason: 'no-such-intent' }
    const { body, missing } = fill(reading.slots, entities)
    if (missing.length > 0) return { kind: 'incomplete', intent: best.name, request: reading.request, missing }
    const issues = issuesOf(protocol, reading.request, body)
    if (issues.length > 0) return { kind: 'incomplete', intent: best.name, request: reading.request, missing: issues }
    return { kind: 'command', intent: best.name, score: best.score, message: { type: reading.request, ...body } as MessageOf<S, RequestKey<S>> }
  }
}

function fill(slots: Readonly<Record<string, Slot<unknown>>>, entities: readonly Entity[]): { body: Record<string, unknown>; missing: string[] } {
  const free = new Set(entities)
  const body: Record<string, unknown> = {}
  const missing: string[] = []
  for (const [field, { types, read, otherwise }] of Object.entries(slots)) {
    const found = types.flatMap((type) => [...free].filter((entity) => entity.type === type && read(entity) !== undefined))[0]
    if (found !== undefined) {
      free.delete(found)
      body[field] = read(found)
    } else if (otherwise === undefined) missing.push(field)
    else if (otherwise.value !== undefined) body[field] = otherwise.value
  }
  return { body, missing }
}

/** Fields that the protocol's schema refuses, such as an amount beyond its bounds. */
function issuesOf<S extends Specs>(protocol: Protocol<S>, request: string, body: object): string[] {
  const result = protocol.specs[request]?.body?.['~standard'].validate(body)
  if (result === undefined || result instanceof Promise || result.issues === undefined) return []
  return [...new Set(result.issues.map(({ path }) => String(typeof path?.[0] === 'object' ? path[0].key : (path?.[0] ?? ''))))]
}
