/** The threads of one model: placed on first need, started as work comes, replaced when they die. */
import type { Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { invariant } from '../ground/invariant.js'
import { failureOf } from './failure.js'
import { DEATHS_MAX } from './limits.js'
import { Replica, ThreadDied, type OpenThread } from './replica.js'
import type { Grower, Resident } from './resident.js'
import type { ModelSpec, Strip } from './wire.js'

export interface Placed {
  readonly spec: ModelSpec
  readonly replicas: number
}

/** What happens while a model loads. */
export type Progress =
  | { readonly kind: 'downloading'; readonly model: string; readonly file: string; readonly bytes: number; readonly total?: number }
  | { readonly kind: 'downloaded'; readonly model: string; readonly file: string; readonly bytes: number }
  | { readonly kind: 'loading'; readonly model: string; readonly bytes: number }
  | { readonly kind: 'loaded'; readonly model: string; readonly bytes: number; readonly ms: number }

export interface CrewOptions {
  readonly model: string
  /** Finds the model's files and decides on its threads. */
  readonly place: () => Promise<Placed>
  readonly openThread: OpenThread
  readonly clock: Clock
  readonly watchdogMs: number
  readonly resident: Resident
  /** Asking for so many bytes more may make others give up theirs; the error says why even that is not enough. */
  readonly makeRoom: (bytes: number) => Promise<TroupeError | undefined>
  readonly onProgress: (progress: Progress) => void
  /** A thread has room, or has come to rest. */
  readonly onChange: () => void
  /** No thread can serve this model: what waits has to be told. */
  readonly onLost: (error: TroupeError) => void
}


class Growth implements Grower {
  bytes = 0
  grew(bytes: number): void {
    this.bytes += bytes
  }
}

/**
 * W1. At most `replicas` threads of the placement live at a time, and at most one loads unless they are warmed.
 * W2. A thread is ended only when nothing runs in it, or when it is dead already.
 */
export class Crew {
  readonly #options: CrewOptions
  readonly #members = new Set<Replica>()
  readonly #loading = new Map<Replica, Promise<void>>()
  #placed: Placed | undefined
  #placing: Promise<Placed> | undefined
  readonly #memory = new WeakMap<Replica, Growth>()
  #lostBytes = 0
  #abandoned = 0
  #deathsInRow = 0
  #deaths = 0
  #beginning = false
  #closed = false
  #waiters: (() => void)[] = []

  constructor(options: CrewOptions) {
    this.#options = options
  }

  get members(): ReadonlySet<Replica> {
    return this.#members
  }
  get ready(): Replica[] {
    return [...this.#members].filter(({ state }) => state === 'ready')
  }
  get placed(): Placed | undefined {
    return this.#placed
  }
  get strips(): readonly Strip[] {
    return [...this.#members].map(({ strip }) => strip)
  }
  get deaths(): number {
    return this.#deaths
  }
  /** Memory of the threads, as measured (until it has loaded, its files), and of those that hang and keep theirs. */
  get memoryBytes(): number {
    return [...this.#members].reduce((sum, replica) => sum + this.#bytesOf(replica), this.#lostBytes)
  }
  get abandoned(): number {
    return this.#abandoned
  }

  /** Work waits and nobody has room: a first thread, or one more. */
  grow(): void {
    if (this.#closed || this.#loading.size > 0) return
    if (this.#members.size === 0) this.#begin()
    else if (this.#members.size < (this.#placed?.replicas ?? 1)) this.#begin()
  }

  /** Starts and loads every thread of the placement. */
  async warm(): Promise<void> {
    const { replicas, spec } = await this.#place()
    while (this.#members.size < replicas && (await this.#mayStart(spec.bytes))) this.#start()
    await Promise.all(this.#loading.values())
  }

  /** Ends all threads, for as long as nobody needs them; the next work starts them again. */
  async rest(): Promise<void> {
    const idle = [...this.#members].filter((replica) => replica.idle && replica.state === 'ready')
    for (const replica of idle) this.#members.delete(replica)
    await this.#options.resident.claim(new Growth(), async () => void (await Promise.all(idle.map((replica) => replica.close()))))
  }

  /** A thread has ended some work, and may hold more memory than before. */
  noteWork(replica: Replica): void {
    if (this.#members.has(replica) && replica.rssBytes === undefined) this.#options.resident.noteWork(this.#growthOf(replica))
  }

  /** Something was finished: whoever died before, this thread works. */
  noteSuccess(): void {
    this.#deathsInRow = 0
  }

  /** Takes a dead thread off the list; the error to give to those who cannot be tried again. */
  bury(replica: Replica, cause: Error): TroupeError {
    const { model } = this.#options
    const reason = replica.abandoned ? 'thread-hung' : 'thread-died'
    const error = failureOf(cause, model, () => new TroupeError('ModelFailed', `a thread of ${model} ${replica.abandoned ? 'was given up' : 'died'}: ${cause.message}`, 'ask again; if it happens for the same input, leave that input out', { model, reason }, cause))
    if (this.#members.delete(replica)) {
      if (replica.lingers) {
        this.#abandoned++
        this.#lostBytes += this.#bytesOf(replica)
      }
      replica.discard()
      this.#deaths++
      this.#deathsInRow++
      if (this.#deathsInRow >= DEATHS_MAX && this.#members.size === 0) {
        this.#deathsInRow = 0
        this.#options.onLost(error)
      }
    }
    this.#noteChange()
    return error
  }

  /** No further native call starts in any thread. */
  halt(): void {
    this.#closed = true
    for (const replica of this.#members) replica.halt()
  }

  /** Waits for the running steps, then ends the threads. */
  async close(): Promise<void> {
    while ([...this.#members].some((replica) => !replica.idle)) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    const members = [...this.#members]
    this.#members.clear()
    await Promise.all(members.map((replica) => replica.close()))
  }

  #place(): Promise<Placed> {
    this.#placing ??= this.#options.place().then(
      (placed) => (this.#placed = placed),
      (error: TroupeError) => {
        this.#placing = undefined
        this.#options.onLost(error)
        throw error
      },
    )
    return this.#placing
  }

  #growthOf(replica: Replica): Growth {
    const growth = this.#memory.get(replica)
    invariant(growth !== undefined, 'what a thread grows by is noted from its start')
    return growth
  }

  #bytesOf(replica: Replica): number {
    return replica.rssBytes ?? Math.max(this.#placed?.spec.bytes ?? 0, this.#memory.get(replica)?.bytes ?? 0)
  }

  /** Without memory for another thread those there are do the work; without any for the first, nobody does. */
  async #mayStart(bytes: number): Promise<boolean> {
    const lacking = await this.#options.makeRoom(bytes)
    if (lacking === undefined || this.#members.size > 0) return lacking === undefined
    this.#options.onLost(lacking)
    throw lacking
  }

  /** One more thread, as soon as there is memory for it. */
  #begin(): void {
    if (this.#beginning) return
    this.#beginning = true
    const begun = this.#place().then(async ({ spec, replicas }) => {
      if ((await this.#mayStart(spec.bytes)) && !this.#closed && this.#members.size < replicas) this.#start()
    })
    void begun.catch(() => undefined).finally(() => (this.#beginning = false))
  }

  #start(): void {
    const { spec } = this.#placed as Placed
    this.#options.onProgress({ kind: 'loading', model: spec.name, bytes: spec.bytes })
    const replica = new Replica({ open: this.#options.openThread, spec, clock: this.#options.clock, watchdogMs: this.#options.watchdogMs, onIdle: () => this.#noteChange() })
    this.#members.add(replica)
    this.#memory.set(replica, new Growth())
    const loading = this.#load(replica, spec).finally(() => this.#loading.delete(replica))
    loading.catch(() => undefined)
    this.#loading.set(replica, loading)
  }

  async #load(replica: Replica, { name, bytes }: ModelSpec): Promise<void> {
    try {
      const ms = await this.#options.resident.claim(this.#growthOf(replica), () => replica.load())
      this.#options.onProgress({ kind: 'loaded', model: name, bytes, ms })
      this.#noteChange()
    } catch (thrown) {
      this.#loading.delete(replica)
      if (thrown instanceof ThreadDied) throw this.bury(replica, thrown)
      this.#members.delete(replica)
      replica.discard()
      // Nobody else can serve what waits, and the next thread would fail alike.
      if (this.#members.size === 0) this.#options.onLost(thrown as TroupeError)
      throw thrown
    }
  }

  #noteChange(): void {
    for (const tell of this.#waiters.splice(0)) tell()
    this.#options.onChange()
  }
}
