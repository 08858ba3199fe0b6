/** A store that forgets when the process ends: for tests, and for durable actors whose durability is not wanted. */
import type { Change, Entry, Key, OpenStore, Store } from './store.js'

export class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>()
  /** The keys in order; `undefined` when they have changed since they were last sorted. */
  #sorted: Entry[] | undefined

  commit(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const name = JSON.stringify(change.key)
      if (change.kind === 'remove') {
        if (this.#entries.delete(name)) this.#sorted = undefined
        continue
      }
      if (!this.#entries.has(name)) this.#sorted = undefined
      // A copy: what is stored must not change with the buffer that it came in.
      const entry = { key: change.key, value: change.value.slice() }
      this.#entries.set(name, entry)
      const at = this.#sorted === undefined ? -1 : lowerBound(this.#sorted, change.key)
      if (at >= 0) this.#sorted?.splice(at, 1, entry)
    }
    return Promise.resolve()
  }

  get(key: Key): Uint8Array | undefined {
    return this.#entries.get(JSON.stringify(key))?.value
  }

  *range(from: Key, to: Key): Iterable<Entry> {
    const sorted = (this.#sorted ??= [...this.#entries.values()].toSorted((a, b) => compareKeys(a.key, b.key)))
    for (let at = lowerBound(sorted, from); at < sorted.length; at++) {
      const entry = sorted[at] as Entry
      if (compareKeys(entry.key, to) >= 0) return
      yield entry
    }
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

/** A store in memory; the same one each time it is opened, so that a troupe that starts again finds it. */
export function memory(): OpenStore {
  const store = new MemoryStore()
  return () => Promise.resolve(store)
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const order = compareParts(a[i] as string | number, b[i] as string | number)
    if (order !== 0) return order
  }
  return a.length - b.length
}

function compareParts(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'number') return -1
  if (typeof b === 'number') return 1
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function lowerBound(sorted: readonly Entry[], key: Key): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys((sorted[middle] as Entry).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
