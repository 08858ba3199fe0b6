/** Who waits for whom: handlers that run one at a time and await each other in a ring would wait for ever. */
import type { Address } from './address.js'
import type { Cell } from './cell.js'
import type { Receiver } from './receiver.js'

/** The ring that `asker` would close by asking `asked`, or `undefined`. */
export function findCycle(asker: Cell, asked: Receiver): readonly Address[] | undefined {
  // Who awaits whom on another node is not known here: a deadline ends a ring over nodes.
  const path = 'behaviour' in asked ? pathTo(asker, asked as Cell, new Set()) : undefined
  return path === undefined ? undefined : [asker.address, ...path]
}

function pathTo(goal: Cell, at: Cell, seen: Set<Cell>): readonly Address[] | undefined {
  if (at === goal) return [at.address]
  if (seen.has(at)) return undefined
  seen.add(at)
  for (const asked of at.behaviour.awaits()) {
    // One that left memory awaits nobody.
    const rest = 'behaviour' in asked ? pathTo(goal, asked as Cell, seen) : undefined
    if (rest !== undefined) return [at.address, ...rest]
  }
  return undefined
}
