/** Cores, shared by all models of a host: who may use one more now. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Clock } from '../ground/clock.js'
import { CORE_WAIT_MS } from './limits.js'

/** What a model uses at this moment. */
export interface CoreUser {
  /** Threads that compute, and the rank of the most urgent work they do (0 is the most urgent). */
  readonly usage: { readonly threads: number; readonly rank: number }
  /** Something may be possible now that was refused before. */
  retry(): void
}

/** The cores that this process may use: what the machine offers, or the quota of its container if that is less. */
export function coreCount(): number {
  return Math.min(availableParallelism(), quotaOf('/sys/fs/cgroup/cpu.max'))
}

/** Microseconds of processor per period, as control groups (version 2) state it. */
function quotaOf(path: string): number {
  try {
    const [quota, period] = readFileSync(path, 'utf8').trim().split(' ').map(Number)
    return quota !== undefined && period !== undefined && quota > 0 ? Math.max(1, Math.floor(quota / period)) : Infinity
  } catch {
    return Infinity
  }
}


/**
 * More busy threads than cores only makes all of them slower, and the urgent ones too.
 *
 * K1. Work starts if its threads fit beside what others do that is at least as urgent.
 * K2. A model that computes nothing may always start, unless more urgent work fills the cores; then it waits, but not for ever.
 */
export class Cores {
  readonly #count: number
  readonly #clock: Clock
  readonly #users = new Set<CoreUser>()
  readonly #refusedAt = new Map<CoreUser, number>()
  #reminded = false

  constructor(count: number, clock: Clock) {
    this.#count = count
    this.#clock = clock
  }

  join(user: CoreUser): void {
    this.#users.add(user)
  }
  leave(user: CoreUser): void {
    this.#users.delete(user)
    this.#refusedAt.delete(user)
  }

  /** True when more than one model may compute. */
  get shared(): boolean {
    return this.#users.size > 1
  }

  allows(user: CoreUser, { threads, rank }: { threads: number; rank: number }): boolean {
    const own = user.usage.threads
    const others = [...this.#users].filter((other) => other !== user && other.usage.threads > 0)
    const sum = (all: readonly CoreUser[]): number => all.reduce((total, { usage }) => total + usage.threads, 0)
    const rivals = sum(others.filter(({ usage }) => usage.rank <= rank))
    const overtakers = sum(others.filter(({ usage }) => usage.rank < rank))
    const fits = own + rivals + threads <= this.#count || (own === 0 && overtakers + threads <= this.#count)
    if (fits || (own === 0 && this.#waitedLong(user))) {
      this.#refusedAt.delete(user)
      return true
    }
    this.#note(user)
    return false
  }

  /** A user computes less than before: the others may go on. */
  freed(by: CoreUser): void {
    for (const user of this.#users) if (user !== by) user.retry()
  }

  #waitedLong(user: CoreUser): boolean {
    const since = this.#refusedAt.get(user)
    return since !== undefined && this.#clock.elapsed() - since >= CORE_WAIT_MS
  }

  #note(user: CoreUser): void {
    if (!this.#refusedAt.has(user)) this.#refusedAt.set(user, this.#clock.elapsed())
    if (this.#reminded) return
    this.#reminded = true
    this.#clock.timer(CORE_WAIT_MS, () => {
      this.#reminded = false
      for (const waiting of this.#refusedAt.keys()) waiting.retry()
    })
  }
}
