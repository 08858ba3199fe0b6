/** Numbers citations anew, from 1 in the order of the text, while the text streams by. */

/** A mark cut between two parts is held back until it is whole; longer than this, it is no mark. */
const MARK_CHARS_MAX = 4

export class Renumbering {
  readonly #numbers = new Map<number, number>()
  #held = ''

  /** The text that can be shown now. */
  push(text: string): string {
    const all = this.#held + text
    const open = all.lastIndexOf('[')
    const isCut = open >= 0 && /^\[\d*$/.test(all.slice(open)) && all.length - open <= MARK_CHARS_MAX
    this.#held = isCut ? all.slice(open) : ''
    const ready = isCut ? all.slice(0, open) : all
    return ready.replaceAll(/\[(\d+)\]/g, (_, number: string) => `[${this.of(Number(number))}]`)
  }

  /** What was held back to the end was no mark. */
  end(): string {
    const held = this.#held
    this.#held = ''
    return held
  }

  /** The new number of a citation. */
  of(number: number): number {
    const known = this.#numbers.get(number)
    if (known !== undefined) return known
    this.#numbers.set(number, this.#numbers.size + 1)
    return this.#numbers.size
  }
}
