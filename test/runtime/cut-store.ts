import type { OpenStore } from 'troupe'

/** A store that keeps so many commits, and then nothing: as if its process were gone. */
export function cutStore(store: OpenStore, kept: number): { store: OpenStore; readonly count: number } {
  let count = 0
  return {
    store: async () => {
      const inner = await store()
      return { commit: (changes) => (++count > kept ? new Promise(() => {}) : inner.commit(changes)), get: (key) => inner.get(key), range: (from, to) => inner.range(from, to), close: () => inner.close() }
    },
    get count() {
      return count
    },
  }
}
