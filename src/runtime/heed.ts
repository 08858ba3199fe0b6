/** A caller's AbortSignal, heeded by many at once through one listener, which goes when nobody heeds it any more. */

interface Heed {
  readonly callback: () => void
  before: Heed | undefined
  after: Heed | undefined
  gone: boolean
}

/** A list, since a set is made anew every few times that somebody comes and goes. */
class Heeding {
  readonly #signal: AbortSignal
  #first: Heed | undefined
  #last: Heed | undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  readonly #onAbort = (): void => {
    heedings.delete(this.#signal)
    // Whoever is called may take others back: each is looked for anew.
    for (let heed = this.#first; heed !== undefined; heed = this.#first) {
      this.#remove(heed)
      heed.callback()
    }
  }

  add(callback: () => void): () => void {
    const heed: Heed = { callback, before: this.#last, after: undefined, gone: false }
    if (this.#last === undefined) this.#first = heed
    else this.#last.after = heed
    this.#last = heed
    return () => {
      if (heed.gone) return
      this.#remove(heed)
      if (this.#first === undefined) this.#leave()
    }
  }

  #remove(heed: Heed): void {
    const { before, after } = heed
    heed.gone = true
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
  }

  #leave(): void {
    if (heedings.get(this.#signal) === this) heedings.delete(this.#signal)
    this.#signal.removeEventListener('abort', this.#onAbort)
  }
}
const heedings = new WeakMap<AbortSignal, Heeding>()

/** Calls `callback` once when the signal fires, which it has not yet; the returned function takes that back. */
export function heed(signal: AbortSignal, callback: () => void): () => void {
  let heeding = heedings.get(signal)
  if (heeding === undefined) heedings.set(signal, (heeding = new Heeding(signal)))
  return heeding.add(callback)
}
