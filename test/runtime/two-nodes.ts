// Two nodes, a and b, on a network that the test rules, with stores that outlive them and can be cut off from them.
import { onTestFinished } from 'vitest'
import { createTroupe, memory, type OpenStore, type Troupe, type TroupeOptions } from 'troupe'
import { virtualClock, type VirtualClock } from 'troupe/testing'
import { Hub, passing } from './hub.js'

/** Addresses that begin with `far` are b's. */
const place = (address: string): string => (address.startsWith('far') ? 'b' : 'a')

export class TwoNodes {
  readonly clock: VirtualClock = virtualClock()
  readonly hub = new Hub(this.clock)
  readonly logged: string[] = []
  readonly stores: Readonly<Record<string, OpenStore>> = { a: memory(), b: memory() }
  readonly #cut = new Map<string, () => void>()
  readonly #slow = new Map<string, number>()

  /** The next life of a node; the one before, if it has not stopped, has crashed. */
  async node(name: 'a' | 'b', options: Partial<TroupeOptions> = {}): Promise<Troupe> {
    this.crash(name)
    const transport = this.hub.of(name)
    const troupe = await createTroupe({ clock: this.clock, store: this.#open(name), node: { name, nodes: ['a', 'b'], place, transport }, log: (who, words) => void this.logged.push(`${who} ${words.map(String).join(' ')}`), ...options })
    onTestFinished(() => passing(this.clock, troupe.stop()))
    return troupe
  }

  /** Nothing of this life reaches the network or the disk any more. */
  crash(name: string): void {
    this.#cut.get(name)?.()
    this.hub.of(name).open(() => {})
  }

  /** How long each commit takes from now on. */
  slow(name: string, ms: number): void {
    this.#slow.set(name, ms)
  }

  #open(name: string): OpenStore {
    return async () => {
      const store = await (this.stores[name] as OpenStore)()
      let isCut = false
      this.#cut.set(name, () => (isCut = true))
      return {
        get: (key) => store.get(key),
        range: (from, to) => store.range(from, to),
        close: () => store.close(),
        commit: async (changes) => {
          if (isCut) return new Promise(() => {})
          const ms = this.#slow.get(name) ?? 0
          if (ms > 0) await new Promise<void>((resolve) => void this.clock.timer(ms, resolve))
          if (isCut) return new Promise(() => {})
          return store.commit(changes)
        },
      }
    }
  }

  pass<T>(promise: Promise<T>, mostMs?: number): Promise<T> {
    return passing(this.clock, promise, mostMs)
  }
}
