/** Where an address leads: to another node, a cell that is here, a keyed one to wake, a pool, or nobody. Decided here and nowhere else. */
import { TroupeError } from '../ground/errors.js'
import { isChild, kindOf, rootOf, type Address } from './address.js'
import type { Cell } from './cell.js'
import type { Dozing } from './dozing.js'
import type { Keyed } from './keyed.js'
import type { Definition } from './definition.js'
import type { Pool } from './pool.js'
import type { Receiver, Target } from './receiver.js'
import type { Nodes } from './transport/nodes.js'
import type { Watches } from './watches.js'
import type { Ref } from './ref.js'

export class Router {
  readonly #cells = new Map<Address, Cell>()
  readonly #keyed = new Map<string, Keyed>()
  readonly #pools = new Map<Address, Pool>()
  readonly #dozing: () => Dozing
  readonly #nodes: Nodes | undefined

  constructor(dozing: () => Dozing, nodes?: Nodes) {
    this.#dozing = dozing
    this.#nodes = nodes
  }

  /** Where a ref leads now. Throws `Overloaded` when a keyed actor cannot be woken. */
  find(ref: Ref): Target | undefined {
    const known = ref.target as Target | undefined
    if (known?.alive === true) return known
    const pool = this.#pools.get(ref.address)
    const found = this.#nodes?.remote(ref.address, ref.protocol) ?? (pool === undefined ? this.cell(ref.address) : pool.alive ? pool : undefined)
    ref.target = found
    return found
  }

  /** Whom an envelope for an address is handed to. Throws `Overloaded` when a keyed actor cannot be woken. */
  receiver(address: Address): Receiver | undefined {
    return this.#nodes?.remote(address) ?? this.cell(address)
  }

  /** The cell at an address here, woken when it is keyed and asleep. Throws `Overloaded` when it cannot be woken. */
  cell(address: Address): Cell | undefined {
    if (this.#nodes?.isAway(address) === true) return undefined
    return this.#cells.get(address) ?? (isChild(address) ? this.#child(address) : (this.#dozing().wake(address) ?? this.#keyed.get(kindOf(address))?.wake(address)))
  }

  /** A durable keyed actor that is asleep brings its children to life with it. */
  #child(address: Address): Cell | undefined {
    const root = rootOf(address)
    if (this.#cells.has(root) || this.#keyed.get(kindOf(root))?.definition.options.durable !== true) return undefined
    return this.cell(root) && this.#cells.get(address)
  }

  /** The cell of somebody who is here, or who left memory in the middle of a handler and is woken. */
  present(address: Address): Cell | undefined {
    return this.#dozing().has(address) ? this.cell(address) : this.#cells.get(address)
  }

  /** The cell at an address, if it is awake. */
  awake(address: Address): Cell | undefined {
    return this.#cells.get(address)
  }

  /** Where the end of whoever is at an address is told; nothing where nobody is. */
  watches(address: Address): Pick<Watches, 'add'> | undefined {
    return this.#nodes?.isAway(address) === true ? { add: (told) => (this.#nodes as Nodes).watch(address, told) } : this.cell(address)?.watches
  }

  /** The definition of whoever is at an address here, or would wake there. */
  definition(address: Address): Definition | undefined {
    return this.#cells.get(address)?.definition ?? (isChild(address) ? undefined : this.#keyed.get(kindOf(address))?.definition)
  }

  /** Whether somebody is at an address, or would wake there. */
  has(address: Address): boolean {
    return this.#nodes?.isAway(address) === true || this.#cells.has(address) || this.#dozing().has(address) || this.#pools.has(address) || this.#keyed.has(kindOf(address))
  }

  pool(address: Address): Pool | undefined {
    return this.#pools.get(address)
  }

  get cells(): Iterable<Cell> {
    return this.#cells.values()
  }

  add(cell: Cell): void {
    this.claim(cell.address)
    this.#cells.set(cell.address, cell)
  }

  addKeyed(kind: string, keyed: Keyed): void {
    this.claim(kind)
    this.#keyed.set(kind, keyed)
  }

  addPool(address: Address, pool: Pool): void {
    this.claim(address)
    this.#pools.set(address, pool)
  }

  remove(cell: Cell): void {
    if (this.#cells.get(cell.address) !== cell) return
    this.#cells.delete(cell.address)
    if (this.#keyed.size > 0) this.#keyed.get(kindOf(cell.address))?.left(cell)
  }

  removePool(address: Address): void {
    this.#pools.delete(address)
  }

  /** Throws `InvalidDefinition` when somebody has the address. */
  claim(address: Address): void {
    if (!this.#cells.has(address) && !this.#dozing().holds(address) && !this.#keyed.has(address) && !this.#pools.has(address)) return
    throw new TroupeError('InvalidDefinition', `${address} is taken`, 'choose another name, or stop the actor that has it first', { address })
  }
}
