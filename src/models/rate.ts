/** Tokens a second, over the time in which at least one piece of work was under way: idle time says nothing of speed. */
export class Rate {
  #open = 0
  #since = 0
  #busyMs = 0
  #tokens = 0

  /** A piece of work begins; moments are those of the clock's `elapsed`. */
  begin(now: number): void {
    this.#note(now)
    this.#open++
  }

  /** It has ended, and so many tokens came of it: none when it failed or was cancelled. */
  end(now: number, tokens: number): void {
    this.#note(now)
    this.#open--
    this.#tokens += tokens
  }

  get perSecond(): number {
    return this.#busyMs === 0 ? 0 : (1_000 * this.#tokens) / this.#busyMs
  }

  #note(now: number): void {
    if (this.#open > 0) this.#busyMs += now - this.#since
    this.#since = now
  }
}
