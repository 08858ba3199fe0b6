import type { Duration } from '../ground/duration.js'
import type { Address } from '../runtime/address.js'
import type { Protocol, Specs } from '../runtime/protocol.js'
import type { Ref } from '../runtime/ref.js'
import type { Troupe } from '../runtime/troupe.js'

/** What a script and its invariants hold. */
export interface Simulation<World = undefined> {
  /** What this try made with `world`. */
  readonly world: World
  /** The troupe of the present life. Throws while there is none, and among several nodes, where each has its own. */
  readonly troupe: Troupe
  /** How often a process was started. */
  readonly lives: number
  /** The nodes, in the order of their names in `nodes`; one, when it named none. */
  readonly nodes: readonly SimulatedNode[]
  /** A node by its name. Throws `InvalidDefinition` when there is none. */
  node(name: string): SimulatedNode
  /** The simulated time, as the troupe's clock tells it; among several nodes, as a clock tells it that nobody sets. */
  now(): number
  /** Chance from the seed, for the script. */
  random(): number
  sleep(duration: Duration): Promise<void>
  /**
   * A way to an actor that stays good over crashes: each call goes in through a node that is up and that the seed chooses.
   * What a crash of that node cuts off rejects with `Interrupted`; what is sent while no node is up waits until one is.
   */
  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S>
  /** Tries again for as long as the process crashes, or has no room on its disk. What is tried may be done more than once. */
  insist<T>(attempt: () => Promise<T>): Promise<T>
  /** A durable actor's state as it would be after a crash now; `undefined` when it never committed one. Throws when two nodes have one. */
  committed(address: Address): unknown
  /** Adds a line to the trace. */
  note(text: string): void
}

/** One node of a simulated troupe. */
export interface SimulatedNode {
  readonly name: string
  /** The troupe of its present life. Throws while there is none. */
  readonly troupe: Troupe
  /** How often it was started. */
  readonly lives: number
  /** The time that its clock shows. */
  now(): number
  /** As `sim.ref`, and each call goes in here. */
  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S>
  /** As `sim.committed`, on its disk alone. */
  committed(address: Address): unknown
}

/** Why a try failed. */
export interface Failure {
  /** What it was: an invariant's name, or `the script`, `an unhandled rejection`, `an uncaught error`, `standstill`, `too many steps`. */
  readonly what: string
  readonly error: unknown
}
