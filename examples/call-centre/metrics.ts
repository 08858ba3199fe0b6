/** What is counted, hour by hour of virtual time. */
import { HOUR } from './day.js'

export interface Hour {
  calls: number
  abandoned: number
  waitedMs: number
  agents: number
  busy: number
  queued: number
  mood: number
}

export interface Summary {
  readonly calls: number
  readonly abandoned: number
  readonly meanWaitS: number
  /** Calls answered within a minute, of all. */
  readonly service: number
  readonly longestQueue: number
  readonly mood: number
  readonly left: number
}

export class Metrics {
  readonly hours: Hour[]
  readonly #began: number
  readonly #moods = new Map<string, number>()
  #moodSum = 0
  #quick = 0

  constructor(began: number, hours: number) {
    this.#began = began
    this.hours = Array.from({ length: hours }, () => ({ calls: 0, abandoned: 0, waitedMs: 0, agents: 0, busy: 0, queued: 0, mood: 0 }))
  }

  /** The hour that a moment is in; nothing after the end. */
  #at(now: number): Hour | undefined {
    return this.hours[Math.floor((now - this.#began) / HOUR)]
  }

  served(now: number, waitedMs: number): void {
    const hour = this.#at(now)
    if (hour === undefined) return
    hour.calls++
    hour.waitedMs += waitedMs
    if (waitedMs < 60_000) this.#quick++
  }

  abandoned(now: number): void {
    const hour = this.#at(now)
    if (hour === undefined) return
    hour.calls++
    hour.abandoned++
  }

  /** The most of an hour counts, for agents, calls at hand and the queue. */
  atDesk(now: number, { agents, busy, queue }: { readonly agents: number; readonly busy: number; readonly queue: ReadonlySet<string> }): void {
    const hour = this.#at(now)
    if (hour === undefined) return
    hour.agents = Math.max(hour.agents, agents)
    hour.busy = Math.max(hour.busy, busy)
    hour.queued = Math.max(hour.queued, queue.size)
  }

  mood(now: number, customer: string, mood: number): void {
    this.#moodSum += mood - (this.#moods.get(customer) ?? 0)
    this.#moods.set(customer, mood)
    const hour = this.#at(now)
    if (hour !== undefined) hour.mood = this.#moodSum / this.#moods.size
  }

  get summary(): Summary {
    const sum = (of: (hour: Hour) => number): number => this.hours.reduce((total, hour) => total + of(hour), 0)
    const calls = sum((hour) => hour.calls)
    const abandoned = sum((hour) => hour.abandoned)
    const left = [...this.#moods.values()].filter((mood) => mood <= 0.05).length
    return {
      calls,
      abandoned,
      meanWaitS: sum((hour) => hour.waitedMs) / 1_000 / Math.max(1, calls - abandoned),
      service: this.#quick / Math.max(1, calls),
      longestQueue: Math.max(0, ...this.hours.map(({ queued }) => queued)),
      mood: this.#moodSum / Math.max(1, this.#moods.size),
      left,
    }
  }
}
