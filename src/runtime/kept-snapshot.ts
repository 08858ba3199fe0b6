/** A chart's snapshot as it is kept: lean, plain data, and expanded only when it is restored. */
import { TroupeError } from '../ground/errors.js'
import type { AnyMachineSnapshot } from './xstate.js'

export interface KeptSnapshot {
  readonly status: string
  readonly value: unknown
  readonly context: unknown
  readonly output: unknown
  readonly error: undefined
  /** State ids, by the history they belong to. */
  readonly history: Readonly<Record<string, readonly { readonly id: string }[]>>
  readonly children: Readonly<Record<string, { readonly src: string; readonly input: unknown; readonly shows: boolean }>>
}

/** What a child keeps of itself in its chart's snapshot: it stands for something that a cell runs. */
interface StandIn {
  readonly src: unknown
  readonly _syncSnapshot?: boolean
  getSnapshot(): { readonly input?: unknown } | undefined
}

/** Throws `InvalidDefinition` for a child whose logic has no name: nothing could find it again. */
export function keepSnapshot({ status, value, context, output, historyValue, children }: AnyMachineSnapshot): KeptSnapshot {
  const history = Object.fromEntries(Object.entries(historyValue as Record<string, readonly { readonly id: string }[]>).map(([key, nodes]) => [key, nodes.map(({ id }) => ({ id }))]))
  const kept = Object.entries(children as unknown as Record<string, StandIn | undefined>).flatMap(([id, child]) => (child === undefined ? [] : [[id, keepChild(id, child)] as const]))
  return { status, value, context, output, error: undefined, history, children: Object.fromEntries(kept) }
}

function keepChild(id: string, child: StandIn): KeptSnapshot['children'][string] {
  if (typeof child.src === 'string') return { src: child.src, input: child.getSnapshot()?.input, shows: child._syncSnapshot === true }
  throw new TroupeError('InvalidDefinition', `the child ${id} of a durable chart has logic without a name`, 'name it in setup({ actors }) and start it by that name')
}
