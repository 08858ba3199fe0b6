/**
 * A simulated process: one life after another over one disk.
 * Owns: its lives, its disk, what its clock shows, the faults that strike it.
 * Does not own: what can happen next (loop), what is between processes (network).
 */
import { describe, TroupeError } from '../ground/errors.js'
import type { Address } from '../runtime/address.js'
import { unpack } from '../runtime/codec.js'
import type { Kernels } from '../runtime/effects.js'
import type { Fact } from '../runtime/inspection.js'
import type { ActorRecord } from '../runtime/actor-record.js'
import type { Protocol, Specs } from '../runtime/protocol.js'
import type { Ref } from '../runtime/ref.js'
import { isShutdown } from '../runtime/replies.js'
import { unseal } from '../runtime/store/sealed.js'
import type { Store } from '../runtime/store/store.js'
import { createTroupe, type Troupe, type TroupeOptions } from '../runtime/troupe.js'
import { Disk } from './disk.js'
import { refThrough, type Door } from './entrance.js'
import type { NodeFault } from './faults.js'
import { FaultyKernels } from './faulty-kernels.js'
import { Life } from './life.js'
import { LifeClock, type Loop } from './loop.js'
import type { SimulatedNode } from './simulation.js'

/** What a process has around it. */
export interface Surroundings {
  readonly name: string
  readonly loop: Loop
  /** When the simulation begins. */
  readonly started: number
  readonly kernels: Kernels | undefined
  /** Whether its troupe has a store. */
  readonly stores: boolean
  /** Chance for one life. */
  readonly chance: (life: number) => () => number
  /** Its way to the other nodes, for one life. */
  readonly connect: () => { readonly options: Pick<TroupeOptions, 'node'>; end(): void }
  readonly cast: (troupe: Troupe) => void | Promise<void>
  /** Goes on while the process is down. */
  readonly later: (ms: number, run: () => void) => void
  readonly line: (text: string) => void
  readonly fail: (what: string, error: unknown) => void
}

/** How long the process stays down after its start failed. */
const START_RETRY_MS = 1_000

export class Process implements SimulatedNode, Door {
  readonly name: string
  readonly kernels: FaultyKernels | undefined
  lives = 0
  readonly #around: Surroundings
  readonly #disk: Disk
  #jumped = 0
  #life: Life | undefined
  /** Who waits for it to be up. */
  readonly #waiting: ((life: Life) => void)[] = []

  constructor(around: Surroundings) {
    this.name = around.name
    this.#around = around
    this.#disk = new Disk(around.loop)
    this.#disk.onSync = (batches, full) => around.line(full ? `disk full, ${batches} refused` : `disk synced ${batches}`)
    this.kernels = around.kernels === undefined ? undefined : new FaultyKernels(around.kernels)
  }

  start(): void {
    const n = ++this.lives
    const { loop, line, fail, later, chance, connect } = this.#around
    const disk = this.#disk.open()
    const way = connect()
    const life = new Life(new LifeClock(loop, () => this.now(), chance(n)), () => {
      disk.end()
      way.end()
    })
    this.#life = life
    line(`life ${n}`)
    this.#begin(life, disk.store, way.options).catch((error: unknown) => {
      if (life.over) return
      line(`could not start: ${describe(error)}`)
      // A service that finds no room on its disk is started again; any other reason is the caller's to hear.
      if (!isPassing(error)) return fail('the start', error)
      this.end()
      later(START_RETRY_MS, () => this.start())
    })
  }

  async #begin(life: Life, store: Store, options: Pick<TroupeOptions, 'node'>): Promise<void> {
    const log = (address: Address, words: readonly unknown[]): void => this.#around.line(`[${address}] ${words.map(String).join(' ')}`)
    const troupe = await createTroupe({ ...options, clock: life.clock, log, ...(this.#around.stores && { store: () => Promise.resolve(store) }), ...(this.kernels !== undefined && { host: this.kernels }) })
    if (life.over) return
    troupe.inspect((fact) => life.over || this.#fact(fact))
    await this.#around.cast(troupe)
    if (life.over) return
    life.troupe = troupe
    for (const resolve of this.#waiting.splice(0)) resolve(life)
  }

  #fact({ kind, id, type, from, to, cause, reason }: Fact): void {
    this.#around.line(`${kind} ${id} ${type} ${from} > ${to}${cause === 0 ? '' : ` by ${cause}`}${reason === undefined ? '' : ` (${reason})`}`)
  }

  suffer(fault: NodeFault): void {
    switch (fault.kind) {
      case 'crash': {
        // It is down already.
        if (this.#life === undefined) return
        const { kept, lost } = this.#disk.crash(fault.kept)
        this.#around.line(`crashed; of what was not synced ${kept} kept, ${lost} lost`)
        this.end()
        return this.#around.later(fault.downMs, () => this.start())
      }
      case 'slow-disk':
        return this.#disk.slow(fault.ms, fault.forMs)
      case 'full-disk':
        return this.#disk.full(fault.forMs)
      case 'clock-jump':
        this.#jumped += fault.ms
        return
      case 'failing-model':
        return this.kernels?.fail(fault.calls)
      case 'restart':
        return void this.#restart(fault.downMs)
    }
  }

  async #restart(downMs: number): Promise<void> {
    const life = this.open
    // It is down already, or about to be.
    if (life === undefined) return
    life.leaving = true
    await life.troupe?.stop()
    if (life.over) return
    this.#around.line('stopped, to start again')
    this.end()
    this.#around.later(downMs, () => this.start())
  }

  /** The present life is over. */
  end(): void {
    this.#life?.cutOff()
    this.#life = undefined
  }

  /** Ends as a process does that is asked to. */
  async stop(): Promise<void> {
    const life = await this.up()
    await life.troupe?.stop()
  }

  get open(): Life | undefined {
    return this.#life?.troupe === undefined || this.#life.leaving ? undefined : this.#life
  }

  up(): Promise<Life> {
    const life = this.open
    return life === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(life)
  }

  get troupe(): Troupe {
    if (this.#life?.troupe !== undefined) return this.#life.troupe
    throw new TroupeError('NoSuchActor', 'the simulated process is down', 'await sim.ref(…).ask(…), which waits until it is up')
  }

  now(): number {
    return this.#around.started + this.#around.loop.elapsed + this.#jumped
  }

  has(address: Address): boolean {
    return this.#disk.get(['actor', address]) !== undefined
  }

  committed(address: Address): unknown {
    const value = this.#disk.get(['actor', address])
    const state = value === undefined ? undefined : (unpack(unseal(value).bytes) as ActorRecord).state
    return state === undefined ? undefined : unpack(state)
  }

  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S> {
    return refThrough(this, protocol, address)
  }
}

/** What a service gets over by itself: it crashed or is started again, or its disk had no room. */
export const isPassing = (error: unknown): error is TroupeError => isShutdown(error) || (error instanceof TroupeError && (error.code === 'Interrupted' || (error.code === 'Overloaded' && error.details['store'] === true)))
