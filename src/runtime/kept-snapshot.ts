/** A chart's snapshot as it is kept: lean, plain data, and expanded only when it is restored. */
import { TroupeError } from '../ground/errors.js'
import type { Address } from './address.js'
import { pack } from './codec.js'
import { Envelope } from './envelope.js'
import type { AnyEventObject, AnyMachineSnapshot } from './xstate.js'

export interface KeptSnapshot {
  readonly status: string
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
  readonly error: undefined
  /** State ids, by the history they belong to. */
  readonly history: Readonly<Record<string, readonly { readonly id: string }[]>>
  /** By id; `name` is that of a durable cell, whose own record has the rest. */
  readonly children: Readonly<Record<string, { readonly src: string; readonly input: unknown; readonly shows: boolean; readonly name?: string }>>
}

/** A timer as it is kept. */
export interface Due {
  readonly at: number
  readonly event: AnyEventObject
  /** The child that a delayed send was for. */
  readonly child?: string
}

/** A chart's whole state as it is kept. */
export interface KeptChart {
  readonly snapshot: KeptSnapshot
  readonly due: readonly (readonly [name: string, due: Due])[]
  /** Requests that were taken and not answered: ask, who asked, for which of its mail, type. */
  readonly owed: readonly (readonly [ask: number, from: Address, of: number, type: string])[]
}

/** Mail that stands for an effect under way: its type is this and the child's id. */
export const EFFECT = 'xstate.effect.'
export const NOTHING = pack(null)

/** Mail for the effect that a child stands for, from the actor to itself. */
export const effectMail = (address: Address, child: string): Envelope => new Envelope(0, address, address, `${EFFECT}${child}`, NOTHING, 0, 0, 0, 1, 0, 0, 0)

/** What a child keeps of itself in its chart's snapshot: it stands for something that a cell runs. */
interface StandIn {
  readonly src: unknown
  readonly _syncSnapshot?: boolean
  getSnapshot(): { readonly input?: unknown } | undefined
}

/** `names` are those of the children that are durable cells. Throws `InvalidDefinition` for a child whose logic has no name: nothing could find it again. */
export function keepSnapshot({ status, value, context, output, historyValue, children }: AnyMachineSnapshot, names: ReadonlyMap<string, string>): KeptSnapshot {
  const history = Object.fromEntries(Object.entries(historyValue as Record<string, readonly { readonly id: string }[]>).map(([key, nodes]) => [key, nodes.map(({ id }) => ({ id }))]))
  const kept = Object.entries(children as unknown as Record<string, StandIn | undefined>).flatMap(([id, child]) => (child === undefined ? [] : [[id, keepChild(id, child, names.get(id))] as const]))
  return { status, value, context, output, error: undefined, history, children: Object.fromEntries(kept) }
}

function keepChild(id: string, child: StandIn, name: string | undefined): KeptSnapshot['children'][string] {
  if (typeof child.src === 'string') return { src: child.src, input: child.getSnapshot()?.input, shows: child._syncSnapshot === true, ...(name !== undefined && { name }) }
  throw new TroupeError('InvalidDefinition', `the child ${id} of a durable chart has logic without a name`, 'name it in setup({ actors }) and start it by that name')
}
