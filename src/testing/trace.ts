/** The record of a simulated run: its latest lines, and a hash over all, by which two runs compare byte for byte. */
import { createHash } from 'node:crypto'

/** Lines kept; the earliest are forgotten, the hash has them. */
const LINES_MAX = 50_000
/** Lines that are hashed in one go. */
const PORTION = 256

export class Trace {
  readonly #hash = createHash('sha256')
  #lines: string[] = []
  #hashed = 0

  add(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length - this.#hashed >= PORTION) this.#hashRest()
    if (this.#lines.length < 2 * LINES_MAX) return
    this.#hashRest()
    this.#lines = this.#lines.slice(-LINES_MAX)
    this.#hashed = LINES_MAX
  }

  #hashRest(): void {
    if (this.#hashed === this.#lines.length) return
    this.#hash.update(`${this.#lines.slice(this.#hashed).join('\n')}\n`)
    this.#hashed = this.#lines.length
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  /** Over all lines so far. */
  digest(): string {
    this.#hashRest()
    return this.#hash.copy().digest('hex')
  }
}
