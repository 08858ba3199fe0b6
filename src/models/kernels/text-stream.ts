/** Token ids to text as they come: whole characters only, and nothing that may yet turn out to be a stop string. */

/** What decoding gives for bytes that are no character yet. */
const UNFINISHED = '\ufffd'

/**
 * T1. What has been given out is always a prefix of the final text.
 * T2. Half a character is never given out: its bytes wait for the rest, or for the end.
 * T3. A stop string is never given out, nor anything after it, wherever the token borders fall.
 */
export class TextStream {
  readonly #decode: (ids: readonly number[]) => string
  readonly #stops: readonly string[]
  /** Tokens whose text is not settled yet, after one or more settled ones that decide on spaces. */
  #ids: number[] = []
  #settled = 0
  /** Text that could be the start of a stop string. */
  #held = ''
  #text = ''
  #stopped = false

  constructor(decode: (ids: readonly number[]) => string, stops: readonly string[] = []) {
    this.#decode = decode
    this.#stops = stops.filter((stop) => stop !== '')
  }

  /** All text given out so far. */
  get text(): string {
    return this.#text
  }
  /** True once a stop string was met. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Takes the next token; gives the text that is now certain. */
  push(id: number): string {
    this.#ids.push(id)
    const before = this.#decode(this.#ids.slice(0, this.#settled))
    const now = this.#decode(this.#ids)
    if (now.length <= before.length || now.endsWith(UNFINISHED)) return ''
    this.#ids = this.#ids.slice(this.#settled)
    this.#settled = this.#ids.length
    return this.#give(now.slice(before.length))
  }

  /** No more tokens: gives what was held back. */
  end(): string {
    const before = this.#decode(this.#ids.slice(0, this.#settled))
    const rest = this.#decode(this.#ids).slice(before.length)
    this.#ids = []
    this.#settled = 0
    const text = this.#give(rest)
    if (this.#stopped) return text
    const held = this.#held
    this.#held = ''
    this.#text += held
    return text + held
  }

  #give(fresh: string): string {
    if (this.#stopped) return ''
    const open = this.#held + fresh
    const cuts = this.#stops.map((stop) => open.indexOf(stop)).filter((at) => at >= 0)
    if (cuts.length > 0) {
      this.#stopped = true
      this.#held = ''
      return this.#out(open.slice(0, Math.min(...cuts)))
    }
    const kept = this.#possibleStop(open)
    this.#held = open.slice(open.length - kept)
    return this.#out(open.slice(0, open.length - kept))
  }

  #out(text: string): string {
    this.#text += text
    return text
  }

  /** How many of the last characters of `text` are the start of some stop string. */
  #possibleStop(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1))
    for (let size = Math.min(longest, text.length); size > 0; size--) {
      const tail = text.slice(text.length - size)
      if (this.#stops.some((stop) => stop.startsWith(tail))) return size
    }
    return 0
  }
}
