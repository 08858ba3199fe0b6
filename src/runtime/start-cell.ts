import type { Charted } from './charted.js'
import { Cell } from './cell.js'
import type { Cause } from './envelope.js'
import type { SupervisionPolicy } from './supervision.js'
import type { AnyActorRef } from './xstate.js'

/** What a cell is started with, beside its definition. */
export interface CellOptions {
  readonly supervise?: SupervisionPolicy
  readonly input?: unknown
  readonly parent?: Cell
  /** For a durable child: it has nothing from a life at its address before this one. */
  readonly isNew?: boolean
  /** For a chart's child: who it is there. */
  readonly childOf?: { readonly chart: Charted; readonly ref: AnyActorRef; readonly cause: Cause | undefined }
}

/** A cell that is in the router, and begins. Throws `InvalidDefinition` when somebody has its address. */
export function startCell(...is: ConstructorParameters<typeof Cell>): Cell {
  const cell = new Cell(...is)
  cell.parts.router.add(cell)
  cell.start()
  return cell
}
