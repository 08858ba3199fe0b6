/** Who waits for an actor's end, and whose end it waits for itself; nothing of either outlives the actor. */
import type { ActorEnding } from './ref.js'

type Told = (ending: ActorEnding) => void

export class Watches {
  readonly #watchers = new Set<Told>()
  readonly #watching = new Set<() => void>()

  /** Whether nobody waits for anybody here. */
  get idle(): boolean {
    return this.#watchers.size + this.#watching.size === 0
  }

  /** Calls `told` once when this actor ends; the returned function takes that back. */
  add(told: Told): () => void {
    this.#watchers.add(told)
    return () => void this.#watchers.delete(told)
  }

  /** Calls `told` once when the other ends, unless this one ends first. */
  follow(other: Pick<Watches, 'add'>, told: Told): void {
    const stop = other.add((ending) => {
      this.#watching.delete(stop)
      told(ending)
    })
    this.#watching.add(stop)
  }

  /** This actor has ended: it waits for nobody any more. */
  unfollow(): void {
    for (const stop of this.#watching) stop()
    this.#watching.clear()
  }

  /** Tells everybody, once. */
  tell(ending: ActorEnding): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const told of watchers) told(ending)
  }
}
