import type { Cell } from './cell.js'
import { Charted } from './charted.js'
import { DurableCharted } from './durable-charted.js'
import { DurableHandlers } from './durable-handlers.js'
import { Handlers } from './handlers.js'
import type { CancelReason, Envelope } from './envelope.js'
import type { Asked } from './replies.js'

/** How a cell runs its actor's logic. */
export interface Behaviour {
  /** Starts from the initial state; calls `cell.began` once mail may come. */
  start(): void
  /** Whether the logic takes a message of this type now, later, never, or only trying tells. */
  takes(type: string): 'now' | 'try' | 'later' | 'never'
  handle(envelope: Envelope): void
  /** Handles one event from within, such as a timer's; false when there is none. */
  work(): boolean
  readonly hasWork: boolean
  /** Whether it can take mail now. */
  readonly free: boolean
  /** Whether a handler or an effect is under way. */
  readonly working: boolean
  /** Whether nothing is open: no handler, ask, timer or effect. */
  readonly restful: boolean
  /** Whether an arriving envelope is taken past the mailbox, by a handler that waits for it. */
  takesAside(envelope: Envelope): boolean
  /** Whom its handlers wait for, while all other mail waits for them. */
  awaits(): Iterable<Asked>
  /** Calls off what handles the envelope; false when nothing does, since nobody has begun with it; `later` when that is on its way back to where it was. */
  cancel(envelope: Envelope, reason: CancelReason): boolean | 'later' | void
  /** The ask is settled: it is no longer owed an answer. With the reason, when its asker called it off. */
  forget(ask: number, calledOff: CancelReason | undefined): void
  /** Calls off all that runs, and resolves when it has settled. */
  quit(reason: CancelReason): Promise<void> | undefined
  /** Lets go of timers, effects and whatever still runs; `why` ends their envelopes. */
  dispose(why: 'failed' | 'stopped', error?: unknown): void
}

/** The behaviour that a cell's definition calls for. */
export function behaviourOf(cell: Cell): Behaviour {
  const { logic } = cell.definition
  if (logic.kind === 'machine') return cell.ledger === undefined ? new Charted(cell, logic) : new DurableCharted(cell, logic, cell.ledger)
  return cell.ledger === undefined ? new Handlers(cell, logic.handlers) : new DurableHandlers(cell, logic.handlers, cell.ledger)
}
