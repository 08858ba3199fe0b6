/**
 * A disk in memory that keeps a store's promise and no more: what was not synced is lost in a crash, in whole batches,
 * the last first.
 */
import { TroupeError } from '../ground/errors.js'
import { MemoryStore } from '../runtime/store/memory.js'
import type { Change, Store } from '../runtime/store/store.js'
import type { Loop, Source } from './loop.js'

interface Batch {
  readonly changes: readonly Change[]
  readonly readyAt: number
  readonly resolve: () => void
  readonly reject: (error: TroupeError) => void
}

/** How long a sync takes on a healthy disk: 0 to this many virtual milliseconds. */
const SYNC_MS = 2

export class Disk implements Source {
  /** What survives a crash. */
  readonly #platter = new MemoryStore()
  readonly #loop: Loop
  #waiting: Batch[] = []
  #slowUntil = 0
  #slowMs = 0
  #fullUntil = 0
  /** Batches written so far, over all lives. */
  written = 0
  /** Called when batches have been synced, or refused for want of room. */
  onSync: ((batches: number, full: boolean) => void) | undefined

  constructor(loop: Loop) {
    this.#loop = loop
    loop.add(this)
  }

  /** A process's way to the disk, until the process ends. */
  open(): { readonly store: Store; end(): void } {
    let ended = false
    const platter = this.#platter
    const store: Store = {
      commit: (changes) => (ended ? new Promise(() => {}) : this.#commit(changes)),
      get: (key) => platter.get(key),
      range: (from, to) => platter.range(from, to),
      close: () => Promise.resolve(),
    }
    return { store, end: () => (ended = true) }
  }

  get(key: readonly string[]): Uint8Array | undefined {
    return this.#platter.get(key)
  }

  #commit(changes: readonly Change[]): Promise<void> {
    const copied = changes.map((change) => (change.kind === 'put' ? { ...change, value: change.value.slice() } : change))
    const now = this.#loop.elapsed
    const ms = now < this.#slowUntil ? this.#slowMs : this.#loop.pick(SYNC_MS + 1)
    return new Promise((resolve, reject) => this.#waiting.push({ changes: copied, readyAt: now + ms, resolve, reject }))
  }

  get next(): number | undefined {
    return this.#waiting[0]?.readyAt
  }

  /** Syncs what waits, some of it or all: batches that are committed at once may share a sync, and its failure. */
  happen(): void {
    const most = this.#waiting.findIndex(({ readyAt }) => readyAt > this.#loop.elapsed)
    const batches = this.#waiting.splice(0, 1 + this.#loop.pick(most < 0 ? this.#waiting.length : most))
    const full = this.#loop.elapsed < this.#fullUntil
    for (const batch of batches) {
      if (full) batch.reject(noRoom())
      else this.#write(batch)
    }
    this.onSync?.(batches.length, full)
  }

  #write({ changes, resolve }: Batch): void {
    void this.#platter.commit(changes)
    this.written++
    resolve()
  }

  /** Loses power: of what was not synced a first part, from none to all as `kept` says, has reached the platter all the same. */
  crash(kept: number): { readonly kept: number; readonly lost: number } {
    const waiting = this.#waiting
    this.#waiting = []
    const full = this.#loop.elapsed < this.#fullUntil
    const count = full ? 0 : Math.min(waiting.length, Math.floor(kept * (waiting.length + 1)))
    for (const { changes } of waiting.slice(0, count)) void this.#platter.commit(changes)
    this.written += count
    return { kept: count, lost: waiting.length - count }
  }

  /** Takes `ms` for each sync for a while. */
  slow(ms: number, forMs: number): void {
    this.#slowMs = ms
    this.#slowUntil = this.#loop.elapsed + forMs
  }

  /** Has no room for a while. */
  full(forMs: number): void {
    this.#fullUntil = this.#loop.elapsed + forMs
  }
}

const noRoom = (): TroupeError => new TroupeError('Overloaded', 'the simulated disk is full', 'nothing of this step was kept, and it can be tried again', { store: true, retryAfterMs: 1_000 })
