/** A store that forgets when the process ends: for tests, and for durable actors whose durability is not wanted. */
import type { Change, Entry, Key, OpenStore, Store } from './store.js'

interface Slot {
  readonly key: Key
  value: Uint8Array
  gone: boolean
}

/** Slots that are put in their places, or taken out, one by one. */
const FEW = 32

export class MemoryStore implements Store {
  readonly #slots = new Map<string, Slot>()
  /** In the order of their keys, but for those that were added since anybody looked, and with those that are gone since. */
  #sorted: Slot[] = []
  #added: Slot[] = []
  #gone: Slot[] = []

  commit(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      const name = JSON.stringify(change.key)
      const slot = this.#slots.get(name)
      if (change.kind === 'remove') {
        if (slot === undefined) continue
        slot.gone = true
        this.#slots.delete(name)
        this.#gone.push(slot)
        continue
      }
      // A copy: what is stored must not change with the buffer that it came in.
      const value = change.value.slice()
      if (slot !== undefined) slot.value = value
      else {
        const added = { key: change.key, value, gone: false }
        this.#slots.set(name, added)
        this.#added.push(added)
      }
    }
    return Promise.resolve()
  }

  get(key: Key): Uint8Array | undefined {
    return this.#slots.get(JSON.stringify(key))?.value
  }

  *range(from: Key, to: Key): Iterable<Entry> {
    const sorted = this.#inOrder()
    for (let at = lowerBound(sorted, from); at < sorted.length; at++) {
      const { key, value } = sorted[at] as Slot
      if (compareKeys(key, to) >= 0) return
      yield { key, value }
    }
  }

  #inOrder(): readonly Slot[] {
    const added = this.#added.filter(({ gone }) => !gone)
    const gone = this.#gone
    if (this.#added.length + gone.length === 0) return this.#sorted
    this.#added = []
    this.#gone = []
    if (added.length + gone.length > FEW) return (this.#sorted = [...this.#sorted.filter((slot) => !slot.gone), ...added].toSorted((a, b) => compareKeys(a.key, b.key)))
    for (const slot of gone) {
      // The slot itself: another of its key may have come since, or it was never looked at.
      const at = lowerBound(this.#sorted, slot.key)
      if (this.#sorted[at] === slot) this.#sorted.splice(at, 1)
    }
    for (const slot of added) this.#sorted.splice(lowerBound(this.#sorted, slot.key), 0, slot)
    return this.#sorted
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

function lowerBound(sorted: readonly Slot[], key: Key): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareKeys((sorted[middle] as Slot).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
