/** Assembles the parts of one troupe; starts, drains and stops it. */
import { inspect } from 'node:util'
import { realClock, type Clock } from '../ground/clock.js'
import { milliseconds, type Duration } from '../ground/duration.js'
import { TroupeError } from '../ground/errors.js'
import { checkAddress, type Address } from './address.js'
import type { Cell } from './cell.js'
import { DeadLetters } from './dead-letters.js'
import type { Definition } from './definition.js'
import { Dispatcher } from './dispatcher.js'
import { Dozing } from './dozing.js'
import type { Kernels } from './effects.js'
import { Endings } from './endings.js'
import { heed } from './heed.js'
import { History } from './history.js'
import { Inspection, type Inspector, type Why } from './inspection.js'
import { Interceptors, type Interceptor } from './interceptors.js'
import { Keyed, type KeyedOptions } from './keyed.js'
import { Journal } from './journal.js'
import { DRAIN_MS } from './limits.js'
import type { Parts } from './parts.js'
import { Pool, type PoolOptions } from './pool.js'
import { Post } from './post.js'
import type { Message, Protocol, Specs } from './protocol.js'
import { Ref, type ActorEnding, type RefPort, type ResumableStream } from './ref.js'
import { Resumables } from './resumable.js'
import { Replies, type Asked } from './replies.js'
import { Router } from './router.js'
import { Schedules, type Schedule, type ScheduleOptions } from './schedules.js'
import { Resuming, type Resumed } from './resuming.js'
import { setAside } from './set-aside.js'
import { startCell } from './start-cell.js'
import type { OpenStore } from './store/store.js'
import { stopOnSignals } from './signals.js'
import type { SupervisionPolicy } from './supervision.js'
import { Topics } from './topics.js'
import { Nodes, type NodeOptions } from './transport/nodes.js'
import { Unclaimed } from './unclaimed.js'
import { Wakes } from './wakes.js'

export interface TroupeOptions {
  /** Time and chance. Default the real ones. */
  readonly clock?: Clock
  /** Whether schemas are checked on sends inside this process too, or at its boundaries only. Default `always`, and `boundary` under `NODE_ENV=production`. */
  readonly check?: 'always' | 'boundary'
  /** Where durable actors keep what they accept and commit: `lmdb('./data')` from `troupe/lmdb`, or `memory()`. */
  readonly store?: OpenStore
  /** See every message on its way out and in, in this order. */
  readonly interceptors?: readonly Interceptor[]
  /** The kernels that `infer` reaches. The caller stops them; without, a default host starts on first need and stops with the troupe. */
  readonly host?: Kernels
  /** This process as one of the nodes of a troupe that runs on several. */
  readonly node?: NodeOptions
  /** Stops the troupe on SIGINT and SIGTERM, and lets the process end by itself with code 0. Default false. */
  readonly signals?: boolean
  /** Where `me.log` and a chart's `log` go. Default standard error. */
  readonly log?: (address: Address, words: readonly unknown[]) => void
}

export interface SpawnOptions {
  readonly supervise?: SupervisionPolicy
  /** A machine's input. */
  readonly input?: unknown
}

export interface StopOptions {
  /** How long work may take to finish before it is cancelled. Default 5 s. */
  readonly within?: Duration
}

type OwnedHost = Kernels & { stop(): Promise<void> }

export class Troupe {
  readonly deadLetters: DeadLetters
  readonly #parts: Parts
  readonly #port: RefPort
  readonly #host: Kernels | undefined
  readonly #keyed: Keyed[] = []
  readonly #resuming: Resuming
  readonly #resumables: Resumables
  readonly #schedules: Schedules
  readonly #stopping = new AbortController()
  #ownHost: Promise<OwnedHost> | undefined
  #stopped: Promise<void> | undefined
  #unhookSignals: (() => void) | undefined

  /** @internal use createTroupe */
  constructor(options: TroupeOptions, journal?: Journal) {
    const clock = options.clock ?? realClock
    const inspection = new Inspection()
    const replies = new Replies(clock)
    const log = options.log ?? toStderr
    const nodes = options.node === undefined ? undefined : new Nodes(options.node)
    const router: Router = new Router(() => dozing, nodes)
    const dozing = new Dozing({ clock, replies, router, log, journal })
    this.deadLetters = new DeadLetters((to, message) => this.#resend(to, message))
    const parts = {
      clock,
      inspection,
      replies,
      dispatcher: new Dispatcher(clock),
      endings: new Endings(inspection, this.deadLetters, replies),
      router,
      topics: new Topics(),
      journal,
      nodes,
      unclaimed: new Unclaimed({ nodes, router, journal, clock }),
      wakes: new Wakes({ router, clock, log }),
      dozing,
      interceptors: new Interceptors(options.interceptors ?? []),
      checked: (options.check ?? (process.env['NODE_ENV'] === 'production' ? 'boundary' : 'always')) === 'always',
      ref: <S extends Specs>(protocol: Protocol<S>, address: Address) => this.ref(protocol, address),
      log,
      kernels: (definition: Definition) => this.#kernels(definition),
    }
    for (const damage of journal?.damage ?? []) log('store', [damage])
    parts.endings.onDealt = (envelope, told) => setAside(parts, envelope, told)
    replies.onRest = () => parts.dispatcher.poke()
    const post = new Post(parts)
    this.#parts = { ...parts, post }
    this.#schedules = new Schedules(this.#parts)
    this.#resuming = new Resuming(this.#parts)
    this.#host = options.host
    this.#resumables = new Resumables(clock)
    this.#port = {
      tell: (ref, message, how) => post.tell(ref, message, how),
      ask: (ref, message, how) => post.ask(ref, message, how),
      stream: (ref, message, how) => (how?.resumable === true ? this.#resumables.keep(() => post.stream(ref, message, how)) : post.stream(ref, message, how)),
      stop: (address) => this.#stopActor(address),
      watch: (address, signal) => this.#watch(address, signal),
    }
    nodes?.begin(this.#parts, { stop: (address) => this.#stopActor(address), watch: (address, signal) => this.#watch(address, signal) })
    if (options.signals === true) this.#unhookSignals = stopOnSignals(() => this.stop())
  }

  /** Starts an actor. Throws `InvalidDefinition` for a bad address or one that is taken. */
  spawn<S extends Specs>(address: Address, definition: Definition<S>, options: SpawnOptions = {}): Ref<S> {
    this.#assertOpen()
    if (this.#parts.nodes?.isAway(checkAddress(address)) === true) return this.ref(definition.protocol, address)
    const durable = definition.options.durable === true
    this.#resuming.begin(checkAddress(address), durable, () => startCell(address, definition, this.#parts, options))
    this.#parts.unclaimed.claimed(address, durable)
    this.#schedules.registered(address)
    return this.ref(definition.protocol, address)
  }

  /** Registers a kind whose actors start with the first message to `kind/key`. The result gives the ref of a key. */
  keyed<S extends Specs>(kind: string, definition: Definition<S>, options: KeyedOptions = {}): (key: string) => Ref<S> {
    this.#assertOpen()
    if (checkAddress(kind).includes('/')) throw new TroupeError('InvalidDefinition', `${kind} is no kind`, "leave out the '/': each message names the key")
    const keyed = new Keyed(definition, options, this.#parts)
    this.#parts.router.addKeyed(kind, keyed)
    this.#keyed.push(keyed)
    this.#resuming.resume(kind, definition.options.durable === true)
    this.#parts.unclaimed.claimed(kind, definition.options.durable === true)
    this.#schedules.registered(kind)
    return (key) => this.ref(definition.protocol, checkAddress(`${kind}/${key}`))
  }

  /** Starts several actors of one definition behind one address. */
  pool<S extends Specs>(address: Address, definition: Definition<S>, options: PoolOptions & SpawnOptions): Ref<S> {
    this.#assertOpen()
    if (!Number.isInteger(options.size) || options.size < 1) throw new TroupeError('InvalidDefinition', `a pool of ${options.size}`, 'give a whole number from 1 as its size')
    if (this.#parts.nodes?.isAway(checkAddress(address)) === true) return this.ref(definition.protocol, address)
    this.#parts.router.claim(checkAddress(address))
    const members = Array.from({ length: options.size }, (_, i) => this.#start(`${address}>${i + 1}`, definition as unknown as Definition, options))
    this.#parts.router.addPool(address, new Pool(definition, members, options.route ?? 'round-robin'))
    this.#schedules.registered(address)
    return this.ref(definition.protocol, address)
  }

  /** Durable actors that a former process left with work to do, each resumed when its definition was registered. */
  get resumed(): readonly Resumed[] {
    return this.#resuming.resumed
  }

  /** Durable actors with something to do, whose address or kind nobody has taken in this process yet. It waits for them in the store. */
  get unclaimed(): readonly Resumed[] {
    return this.#resuming.unclaimed
  }

  /** A ref to an address, whether an actor is there yet or not. With `from`, what others send by it comes from the actor that let them in. */
  ref<S extends Specs>(protocol: Protocol<S>, address: Address, { from }: { readonly from?: Address } = {}): Ref<S> {
    return new Ref(address, protocol, this.#port, from)
  }

  /** Lets an actor receive what is published to topics that match the pattern, until it ends or `unsubscribe` is called. Its own node does it, as with `spawn`. */
  subscribe<S extends Specs>(pattern: string, ref: Ref<S>): { unsubscribe(): void } {
    if (this.#parts.nodes?.isAway(ref.address) === true) return { unsubscribe: () => {} }
    this.#parts.topics.subscribe(pattern, ref.address)
    return { unsubscribe: () => this.#parts.topics.unsubscribe(pattern, ref.address) }
  }

  /** Sends a message to every subscriber of a topic; resolves when all mailboxes accepted it. */
  publish(topic: string, message: Message): Promise<void> {
    return this.#parts.post.publish(topic, message)
  }

  /**
   * Goes on with a stream that was opened with `resumable`, after the chunk of this number; its former reader is told
   * `Gone`. Throws `Gone` when that is no longer kept. Whoever has the id may read: a gateway asks first who it is.
   */
  resume<Chunk = unknown>(id: number, { after }: { readonly after: number }): ResumableStream<Chunk> {
    return this.#resumables.resume(id, after) as ResumableStream<Chunk>
  }

  /**
   * Sends an event by the clock. In a troupe with a store a schedule is kept, and goes on after a restart once its
   * receiver's address or kind is taken; setting it again with the same words goes on with it, with others begins anew.
   */
  schedule<S extends Specs>(name: string, options: ScheduleOptions<S>): Promise<Schedule> {
    this.#assertOpen()
    return this.#schedules.set(name, options)
  }

  /** The schedules whose receivers are there. */
  get schedules(): readonly Schedule[] {
    return this.#schedules.list
  }

  /** What the durable actor at an address did, step by step, when its definition has a `history`. Throws `InvalidDefinition` without a store. */
  history<State = unknown>(address: Address): History<State> {
    const { journal } = this.#parts
    if (journal === undefined) throw new TroupeError('InvalidDefinition', `no store keeps a history of ${address}`, "give one: createTroupe({ store: lmdb('./data') }), from 'troupe/lmdb'")
    return new History(journal, address)
  }

  /** What happened to an envelope, the chain that led to it and what it caused; `undefined` when the record no longer has it. */
  why(id: number): Why | undefined {
    return this.#parts.inspection.why(id)
  }

  /** Watches everything that happens to envelopes; the returned function ends that. What the watcher throws is ignored. */
  inspect(inspector: Inspector): () => void {
    return this.#parts.inspection.inspect(inspector)
  }

  /** Fires when the troupe begins to stop, for whoever lets work in from outside; what is under way may still finish. */
  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /**
   * Refuses new work from outside, lets work under way finish, cancels the rest, and stops every actor, children first.
   * Nothing of the troupe keeps the process alive after that.
   */
  stop(options: StopOptions = {}): Promise<void> {
    return (this.#stopped ??= this.#stop(options.within === undefined ? DRAIN_MS : milliseconds(options.within)))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #stop(withinMs: number): Promise<void> {
    const { post, replies, dispatcher } = this.#parts
    post.closed = true
    this.#stopping.abort()
    this.#resumables.letGoUnread()
    await this.#drain(withinMs)
    this.#parts.nodes?.hearNoMore()
    replies.cancelAll('shutting-down')
    for (const keyed of this.#keyed) keyed.stop()
    this.#resuming.stop()
    this.#schedules.stop()
    this.#parts.dozing.stop()
    const roots = [...this.#parts.router.cells].filter(({ options }) => options.parent === undefined)
    // The last started first; at once, so that those who do not heed their signal are waited for together.
    await Promise.all(roots.toReversed().map((cell) => cell.stop({ kind: 'stopped' }, 'shutting-down')))
    dispatcher.onIdle(undefined)
    await this.#parts.nodes?.close()
    this.#resumables.close()
    await this.#parts.journal?.close()
    await (await this.#ownHost?.catch(() => undefined))?.stop()
    this.#unhookSignals?.()
  }

  #drain(withinMs: number): Promise<void> {
    const { dispatcher, clock } = this.#parts
    return new Promise((resolve) => {
      const end = (): void => {
        dispatcher.onIdle(undefined)
        timer.cancel()
        resolve()
      }
      const timer = clock.timer(withinMs, end)
      dispatcher.onIdle(() => this.#quiet() && end())
      dispatcher.poke()
    })
  }

  #quiet(): boolean {
    const { dispatcher, replies, router, nodes } = this.#parts
    if (!dispatcher.idle || nodes?.idle === false) return false
    const blocked = new Set<Asked>()
    for (const cell of router.cells) {
      const { behaviour, mailbox } = cell
      if (behaviour.working || (!cell.blocked && (mailbox.hasMail || mailbox.waiting > 0))) return false
      if (cell.blocked) blocked.add(cell)
    }
    // What waits for the code that began it is not waited for.
    return replies.size === 0 || (blocked.size > 0 && replies.all(({ asked }) => blocked.has(asked)))
  }

  #start(address: Address, definition: Definition, options: SpawnOptions): Cell {
    this.#resuming.note(address)
    return startCell(address, definition, this.#parts, options)
  }

  async #stopActor(address: Address): Promise<void> {
    const { nodes } = this.#parts
    if (nodes?.isAway(address) === true) return nodes.stop(address)
    const pool = this.#parts.router.pool(address)
    if (pool === undefined) return this.#parts.router.present(address)?.stop({ kind: 'stopped' })
    this.#parts.router.removePool(address)
    await Promise.all(pool.members.map((member) => member.stop({ kind: 'stopped' })))
  }

  async #watch(address: Address, signal: AbortSignal | undefined): Promise<ActorEnding> {
    const pool = this.#parts.router.pool(address)
    if (pool === undefined) return this.#watchOne(address, signal)
    const endings = await Promise.all(pool.members.map((member) => this.#watchOne(member.address, signal)))
    return endings.find(({ kind }) => kind !== 'no-such-actor') ?? { kind: 'no-such-actor' }
  }

  #watchOne(address: Address, signal: AbortSignal | undefined): Promise<ActorEnding> {
    const watches = this.#parts.router.watches(address)
    if (watches === undefined) return Promise.resolve({ kind: 'no-such-actor' })
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        unwatch()
        reject(new TroupeError('Cancelled', `nobody watches ${address} any more`, 'the signal given to watch has fired', { reason: 'caller' }))
      }
      let release: (() => void) | undefined
      const unwatch = watches.add((ending) => {
        release?.()
        resolve(ending)
      })
      if (signal?.aborted === true) leave()
      else if (signal !== undefined) release = heed(signal, leave)
    })
  }

  #resend(to: Address, message: Message): Promise<void> {
    return this.#parts.post.resend(this.ref(ANYTHING, to), message)
  }

  async #kernels(definition: Definition): Promise<Kernels> {
    if (this.#host !== undefined) return this.#host
    const load = definition.options.needs?.kernels
    if (load === undefined) {
      throw new TroupeError('InvalidDefinition', 'infer has no kernels', "give createTroupe({ host: await createHost() }) from 'troupe/models'")
    }
    this.#ownHost ??= load().then(({ createHost }) => createHost())
    // A host that could not start may start the next time, once its cause is mended.
    this.#ownHost.catch(() => (this.#ownHost = undefined))
    return this.#ownHost
  }

  #assertOpen(): void {
    if (this.#stopped !== undefined) throw new TroupeError('Cancelled', 'the troupe has stopped', 'create another', { reason: 'shutting-down' })
  }
}

const ANYTHING: Protocol = { specs: {} }
const toStderr = (address: Address, words: readonly unknown[]): void => void process.stderr.write(`[${address}] ${words.map((word) => (typeof word === 'string' ? word : inspect(word))).join(' ')}\n`)

/** Starts an empty troupe. */
export async function createTroupe(options: TroupeOptions = {}): Promise<Troupe> {
  if (options.store === undefined) return new Troupe(options)
  const store = await options.store()
  try {
    return new Troupe(options, await Journal.open(store, options.clock ?? realClock))
  } catch (error) {
    await store.close()
    throw error
  }
}
