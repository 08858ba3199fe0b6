/**
 * One try of a simulation: a whole troupe under virtual time and a seed, from its first life to its last.
 * Owns: what the script holds, when faults strike, the checks between two steps.
 * Does not own: the lives of a process (process), what can happen next (loop), what the tries are for (simulate).
 */
import { realClock } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import { describe, TroupeError } from '../ground/errors.js'
import type { Address } from '../runtime/address.js'
import { fingerprint } from '../runtime/fingerprint.js'
import type { Protocol, Specs } from '../runtime/protocol.js'
import type { Ref } from '../runtime/ref.js'
import type { Troupe } from '../runtime/troupe.js'
import { chance } from './chance.js'
import { refThrough, type Door } from './entrance.js'
import { isOfNetwork, type Fault } from './faults.js'
import type { Life } from './life.js'
import { LifeClock, Loop } from './loop.js'
import { Network } from './network.js'
import { isPassing, Process } from './process.js'
import type { SimulationOptions } from './simulate.js'
import type { Failure, SimulatedNode, Simulation } from './simulation.js'
import { Trace } from './trace.js'

/** What the node of a simulation without names is called. */
const ALONE = 'alone'

export class Try<World> implements Simulation<World>, Door {
  readonly trace = new Trace()
  readonly world: World
  steps = 0
  readonly #options: SimulationOptions<World>
  readonly #faults: Fault[]
  readonly #loop: Loop
  readonly #processes: readonly Process[]
  readonly #outside: LifeClock
  readonly #network: Network | undefined
  readonly #chance: () => number
  /** Through which node a call goes in. */
  readonly #way: () => number
  readonly #seed: number
  readonly #started: number
  #failure: Failure | undefined
  #done = false

  constructor(options: SimulationOptions<World>, seed: number, faults: readonly Fault[]) {
    this.#options = options
    this.#seed = seed
    this.#faults = [...faults]
    this.#loop = new Loop(this.#stream('order'))
    this.#started = options.start ?? Date.UTC(2026, 0, 1)
    this.#processes = (options.nodes ?? [undefined]).map((name) => this.#process(name))
    this.#outside = new LifeClock(this.#loop, () => this.now(), this.#stream('outside'))
    this.#network = options.nodes === undefined ? undefined : new Network(this.#loop, this.#stream('network'), (text) => this.#line(text))
    this.#chance = this.#stream('script')
    this.#way = this.#stream('way in')
    this.world = options.world?.() as World
  }

  #process(name: string | undefined): Process {
    return new Process({
      name: name ?? ALONE,
      loop: this.#loop,
      started: this.#started,
      kernels: this.#options.kernels,
      stores: this.#options.store ?? true,
      chance: (life) => this.#stream(name === undefined ? `life ${life}` : `life ${life} of ${name}`),
      connect: () => this.#connect(name),
      cast: (troupe) => this.#options.cast(troupe, this, name ?? ALONE),
      later: (ms, run) => void this.#outside.timer(ms, run),
      line: (text) => this.#line(name === undefined ? text : `${name}: ${text}`),
      fail: (what, error) => this.#fail(what, error),
    })
  }

  #connect(name: string | undefined): ReturnType<ConstructorParameters<typeof Process>[0]['connect']> {
    const { nodes, place } = this.#options
    if (this.#network === undefined || nodes === undefined || name === undefined) return { options: {}, end: () => {} }
    const way = this.#network.open(name)
    return { options: { node: { name, nodes, transport: way.transport, ...(place !== undefined && { place }) } }, end: () => way.end() }
  }

  /** Chance of its own for each use, so that one more draw here changes nothing there. */
  #stream(use: string): () => number {
    return chance(fingerprint(`${this.#seed}/${use}`))
  }

  async play(): Promise<Failure | undefined> {
    const onRejection = (error: unknown): void => this.#fail('an unhandled rejection', error)
    process.on('unhandledRejection', onRejection)
    try {
      for (const each of this.#processes) each.start()
      void this.#script().then(
        () => (this.#done = true),
        (error: unknown) => this.#fail('the script', error),
      )
      await this.#drive()
    } catch (error) {
      this.#fail('an uncaught error', error)
    } finally {
      process.off('unhandledRejection', onRejection)
      for (const each of this.#processes) each.end()
      this.#outside.end()
    }
    return this.#failure
  }

  async #script(): Promise<void> {
    await this.#options.run(this)
    this.#faults.length = 0
    await Promise.all(this.#processes.map((each) => each.stop()))
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
      const thinking = this.#processes.flatMap(({ kernels }) => (kernels !== undefined && kernels.pending > 0 ? [kernels] : []))
      if (this.#loop.step(thinking.length === 0)) continue
      if (thinking.length > 0) await Promise.race(thinking.map((kernels) => kernels.settled()))
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

  #strike(): void {
    while (this.#faults[0] !== undefined && this.#faults[0].step <= this.steps) {
      const fault = this.#faults.shift() as Fault
      this.#line(JSON.stringify(fault))
      if (isOfNetwork(fault)) this.#network?.suffer(fault)
      else for (const each of this.#processes) if (fault.node === undefined || fault.node === each.name) each.suffer(fault)
    }
  }

  #line(text: string): void {
    this.trace.add(`${this.steps} ${this.#loop.elapsed} ${text}`)
  }

  // ── what the script holds ─────────────────────────────────────────────────────────────────────

  get nodes(): readonly SimulatedNode[] {
    return this.#processes
  }

  node(name: string): SimulatedNode {
    const found = this.#processes.find((each) => each.name === name)
    if (found === undefined) throw new TroupeError('InvalidDefinition', `no node is called ${name}`, `one of ${this.#processes.map((each) => each.name).join(', ')}`)
    return found
  }

  get #alone(): Process | undefined {
    return this.#options.nodes === undefined ? this.#processes[0] : undefined
  }

  get troupe(): Troupe {
    if (this.#alone !== undefined) return this.#alone.troupe
    throw new TroupeError('InvalidDefinition', 'each node has a troupe of its own', "name one: sim.node('a').troupe")
  }

  get lives(): number {
    return this.#processes.reduce((sum, { lives }) => sum + lives, 0)
  }

  now(): number {
    return this.#alone?.now() ?? this.#started + this.#loop.elapsed
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
    const [here, there] = this.#processes.filter((each) => each.has(address))
    if (here === undefined || there === undefined) return here?.committed(address)
    throw new Error(`${address} is on the disks of ${here.name} and ${there.name}`)
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
    return refThrough(this, protocol, address)
  }

  get open(): Life | undefined {
    const open = this.#processes.flatMap((each) => each.open ?? [])
    return open.length < 2 ? open[0] : open[Math.floor(this.#way() * open.length)]
  }

  up(): Promise<unknown> {
    return this.#alone?.up() ?? Promise.race(this.#processes.map((each) => each.up()))
  }
}
