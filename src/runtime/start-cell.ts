import { Cell } from './cell.js'

/** A cell that is in the router, and begins. Throws `InvalidDefinition` when somebody has its address. */
export function startCell(...is: ConstructorParameters<typeof Cell>): Cell {
  const cell = new Cell(...is)
  cell.parts.router.add(cell)
  cell.start()
  return cell
}
