/**
 * One try of a simulation: a whole troupe under virtual time and a seed, from its first life to its last.
 * Owns: the lives of the troupe, the faults, the checks between two steps.
 * Does not own: what can happen next (loop), what survives a crash (disk), what the tries are for (simulate).
 */
import { realClock } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import { describe, TroupeError } from '../ground/errors.js'
import type { Address } from '../runtime/address.js'
import { unpack } from '../runtime/codec.js'
import { fingerprint } from '../runtime/fingerprint.js'
import type { Fact } from '../runtime/inspection.js'
import type { ActorRecord } from '../runtime/journal.js'
import type { Protocol, Specs } from '../runtime/protocol.js'
import { Ref, type RefPort } from '../runtime/ref.js'
import { unseal } from '../runtime/store/sealed.js'
import type { Store } from '../runtime/store/store.js'
import { createTroupe, type Troupe } from '../runtime/troupe.js'
import { chance } from './chance.js'
import { Disk } from './disk.js'
import type { Fault } from './faults.js'
import { FaultyKernels } from './faulty-kernels.js'
import { LifeClock, Loop } from './loop.js'
import type { SimulationOptions } from './simulate.js'
import { Trace } from './trace.js'

/** What a script and its invariants hold. */
export interface Simulation<World = undefined> {
  /** What this try made with `world`. */
  readonly world: World
  /** The troupe of the present life. Throws while there is none. */
  readonly troupe: Troupe
  /** How often the process was started. */
  readonly lives: number
  /** The simulated time, as the troupe's clock tells it. */
  now(): number
  /** Chance from the seed, for the script. */
  random(): number
  sleep(duration: Duration): Promise<void>
  /** A way to an actor that stays good over crashes. What a crash cuts off rejects with `Interrupted`; what is sent while the process is down waits until it is up. */
  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S>
  /** Tries again for as long as the process crashes, or has no room on its disk. What is tried may be done more than once. */
  insist<T>(attempt: () => Promise<T>): Promise<T>
  /** A durable actor's state as it would be after a crash now; `undefined` when it never committed one. */
  committed(address: Address): unknown
  /** Adds a line to the trace. */
  note(text: string): void
}

/** Why a try failed. */
export interface Failure {
  /** What it was: an invariant's name, or `the script`, `an unhandled rejection`, `standstill`, `too many steps`. */
  readonly what: string
  readonly error: unknown
}

interface Life {
  readonly clock: LifeClock
  readonly calls: Set<(error: TroupeError) => void>
  readonly cutOff: () => void
  troupe: Troupe | undefined
  over: boolean
}

/** How long the process stays down after its start failed. */
const START_RETRY_MS = 1_000

export class Try<World> implements Simulation<World> {
  readonly trace = new Trace()
  readonly world: World
  steps = 0
  lives = 0
  readonly #options: SimulationOptions<World>
  readonly #faults: Fault[]
  readonly #loop: Loop
  readonly #disk: Disk
  readonly #outside: LifeClock
  readonly #kernels: FaultyKernels | undefined
  readonly #chance: () => number
  readonly #seed: number
  readonly #started: number
  #jumped = 0
  #life: Life | undefined
  /** Who waits for the process to be up. */
  readonly #waiting: ((life: Life) => void)[] = []
  #failure: Failure | undefined
  #done = false

  constructor(options: SimulationOptions<World>, seed: number, faults: readonly Fault[]) {
    this.#options = options
    this.#seed = seed
    this.#faults = [...faults]
    this.#loop = new Loop(this.#stream('order'))
    this.#disk = new Disk(this.#loop)
    this.#disk.onSync = (batches, full) => this.#line(full ? `disk full, ${batches} refused` : `disk synced ${batches}`)
    this.#started = options.start ?? Date.UTC(2026, 0, 1)
    this.#outside = new LifeClock(this.#loop, () => this.now(), this.#stream('outside'))
    this.#chance = this.#stream('script')
    this.#kernels = options.kernels === undefined ? undefined : new FaultyKernels(options.kernels)
    this.world = options.world?.() as World
  }

  /** Chance of its own for each use, so that one more draw here changes nothing there. */
  #stream(use: string): () => number {
    return chance(fingerprint(`${this.#seed}/${use}`))
  }

  async play(): Promise<Failure | undefined> {
    const onRejection = (error: unknown): void => this.#fail('an unhandled rejection', error)
    process.on('unhandledRejection', onRejection)
    try {
      this.#start()
      void this.#script().then(
        () => (this.#done = true),
        (error: unknown) => this.#fail('the script', error),
      )
      await this.#drive()
    } finally {
      process.off('unhandledRejection', onRejection)
      this.#end()
    }
    return this.#failure
  }

  async #script(): Promise<void> {
    await this.#options.run(this)
    this.#faults.length = 0
    const life = await this.#up()
    await life.troupe?.stop()
    this.#line('stopped')
  }

  async #drive(): Promise<void> {
    const most = this.#options.steps ?? 1_000_000
    for (;;) {
      // All microtasks run before the real loop turns: nothing of a step is left when it has.
      await new Promise<void>((resolve) => realClock.nextTurn(resolve))
      this.#check()
      if (this.#done || this.#failure !== undefined) return
      if (++this.steps > most) return this.#fail('too many steps', new Error(`the script has not ended after ${most} steps`))
      this.#strike()
      const thinking = this.#kernels?.pending ?? 0
      if (this.#loop.step(thinking === 0)) continue
      if (thinking > 0) await this.#kernels?.settled()
      else return this.#fail('standstill', new Error('nothing is left to happen, and the script still waits'))
    }
  }

  #check(): void {
    for (const [name, holds] of Object.entries(this.#options.invariants ?? {})) {
      try {
        holds(this)
      } catch (error) {
        return this.#fail(name, error)
      }
    }
  }

  #fail(what: string, error: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = { what, error }
    this.#line(`FAILED ${what}: ${describe(error)}`)
  }

  // ── lives ─────────────────────────────────────────────────────────────────────────────────────

  #start(): void {
    const n = ++this.lives
    const disk = this.#disk.open()
    const clock = new LifeClock(this.#loop, () => this.now(), this.#stream(`life ${n}`))
    const life: Life = { clock, calls: new Set(), troupe: undefined, over: false, cutOff: () => disk.end() }
    this.#life = life
    this.#line(`life ${n}`)
    this.#begin(life, disk.store).catch((error: unknown) => {
      if (life.over) return
      this.#line(`could not start: ${describe(error)}`)
      // A service that finds no room on its disk is started again; any other reason is the caller's to hear.
      if (!isPassing(error)) return this.#fail('the start', error)
      this.#cutOff(life)
      this.#outside.timer(START_RETRY_MS, () => this.#start())
    })
  }

  async #begin(life: Life, store: Store): Promise<void> {
    const log = (address: Address, words: readonly unknown[]): void => this.#line(`[${address}] ${words.map(String).join(' ')}`)
    const troupe = await createTroupe({ clock: life.clock, store: () => Promise.resolve(store), log, ...(this.#kernels !== undefined && { host: this.#kernels }) })
    if (life.over) return
    troupe.inspect((fact) => life.over || this.#fact(fact))
    await this.#options.cast(troupe, this)
    if (life.over) return
    life.troupe = troupe
    for (const resolve of this.#waiting.splice(0)) resolve(life)
  }

  #fact({ kind, id, type, from, to, cause, reason }: Fact): void {
    this.#line(`${kind} ${id} ${type} ${from} > ${to}${cause === 0 ? '' : ` by ${cause}`}${reason === undefined ? '' : ` (${reason})`}`)
  }

  /** Nothing of this life happens any more; whoever called it is told. */
  #cutOff(life: Life): void {
    life.over = true
    life.clock.end()
    life.cutOff()
    if (this.#life === life) this.#life = undefined
    const error = new TroupeError('Interrupted', 'the simulated process crashed', 'try again once it is back, as a client of a real one would')
    for (const reject of life.calls) reject(error)
    life.calls.clear()
  }

  #end(): void {
    if (this.#life !== undefined) this.#cutOff(this.#life)
    this.#outside.end()
  }

  // ── faults ────────────────────────────────────────────────────────────────────────────────────

  #strike(): void {
    while (this.#faults[0] !== undefined && this.#faults[0].step <= this.steps) {
      const fault = this.#faults.shift() as Fault
      this.#line(JSON.stringify(fault))
      this.#suffer(fault)
    }
  }

  #suffer(fault: Fault): void {
    switch (fault.kind) {
      case 'crash': {
        const life = this.#life
        // It is down already.
        if (life === undefined) return
        const { kept, lost } = this.#disk.crash(fault.kept)
        this.#line(`crashed; of what was not synced ${kept} kept, ${lost} lost`)
        this.#cutOff(life)
        return void this.#outside.timer(fault.downMs, () => this.#start())
      }
      case 'slow-disk':
        return this.#disk.slow(fault.ms, fault.forMs)
      case 'full-disk':
        return this.#disk.full(fault.forMs)
      case 'clock-jump':
        this.#jumped += fault.ms
        return
      case 'failing-model':
        this.#kernels?.fail(fault.calls)
    }
  }

  // ── what the script holds ─────────────────────────────────────────────────────────────────────

  get troupe(): Troupe {
    if (this.#life?.troupe !== undefined) return this.#life.troupe
    throw new TroupeError('NoSuchActor', 'the simulated process is down', 'await sim.ref(…).ask(…), which waits until it is up')
  }

  now(): number {
    return this.#started + this.#loop.elapsed + this.#jumped
  }

  random(): number {
    return this.#chance()
  }

  sleep(duration: Duration): Promise<void> {
    return new Promise((resolve) => this.#outside.timer(milliseconds(duration), resolve))
  }

  note(text: string): void {
    this.#line(text)
  }

  committed(address: Address): unknown {
    const value = this.#disk.get(['actor', address])
    const state = value === undefined ? undefined : (unpack(unseal(value).bytes) as ActorRecord).state
    return state === undefined ? undefined : unpack(state)
  }

  async insist<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isPassing(error)) throw error
        await this.sleep(error.code === 'Interrupted' ? 0 : Number(error.details['retryAfterMs'] ?? 0))
      }
    }
  }

  ref<S extends Specs>(protocol: Protocol<S>, address: Address): Ref<S> {
    return new Ref(address, protocol, this.#port)
  }

  readonly #port: RefPort = {
    tell: (ref, message, options) => this.#call((troupe) => troupe.ref(ref.protocol, ref.address).tell(message as never, options)),
    ask: (ref, message, options) => this.#call((troupe) => troupe.ref(ref.protocol, ref.address).ask(message as never, options)),
    stream: (ref, message, options) => this.#open(ref, message as never, options),
    stop: (address) => this.#call((troupe) => troupe.ref(ANYTHING, address).stop()),
    watch: (address, signal) => this.#call((troupe) => troupe.ref(ANYTHING, address).watch(signal === undefined ? {} : { signal })),
  }

  async *#open(ref: Ref, message: never, options: Parameters<RefPort['stream']>[2]): AsyncIterableIterator<unknown> {
    const chunks = await this.#call((troupe) => Promise.resolve(troupe.ref(ref.protocol, ref.address).stream(message, options)))
    try {
      for (;;) {
        const next = await this.#call(() => chunks.next())
        if (next.done === true) return
        yield next.value
      }
    } finally {
      void chunks.return?.()
    }
  }

  #up(): Promise<Life> {
    const life = this.#life
    return life?.troupe === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(life)
  }

  /** A call from outside, at once when the process is up; a crash ends it. */
  #call<T>(call: (troupe: Troupe) => Promise<T>): Promise<T> {
    const life = this.#life
    if (life?.troupe === undefined) return this.#up().then(() => this.#call(call))
    const { calls, troupe } = life
    return new Promise((resolve, reject) => {
      const settle = <V>(then: (value: V) => void) => (value: V): void => {
        if (calls.delete(reject)) then(value)
      }
      calls.add(reject)
      call(troupe).then(settle(resolve), settle(reject))
    })
  }

  #line(text: string): void {
    this.trace.add(`${this.steps} ${this.#loop.elapsed} ${text}`)
  }
}

const ANYTHING: Protocol = { specs: {} }
const isPassing = (error: unknown): error is TroupeError => error instanceof TroupeError && (error.code === 'Interrupted' || (error.code === 'Overloaded' && error.details['store'] === true))
