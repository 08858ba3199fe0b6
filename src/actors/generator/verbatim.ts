/**
 * Lets a small model choose and order sentences, and nothing more: it may only say what stands in the passages.
 * The embedded generator copies well where it knows the words, and makes up words where it does not ("Care: wooditer
 * cleaned with a damp cloth"). So its text is followed through the passages as it comes: what matches is shown, from
 * the start of the sentence; where it strays, the sentence is finished as it stands in the passage. Whoever reads the
 * stream never has to take anything back, and each citation names the passage that the words came from.
 */
import { sentenceSpans } from '../words.js'
import type { Source } from './protocol.js'

/** So much must match before it counts as copied: letters of a script with words, or of one without. */
const START_CHARS = 12
const START_HAN = 4
const HAN = /\p{Script=Han}/u
const MARK = /^\s*\[\d*\]?$/

type State =
  | { readonly kind: 'seeking'; readonly heard: string }
  | { readonly kind: 'following'; readonly passage: number; readonly at: number; readonly end: number }
  | { readonly kind: 'lost' }

export class Verbatim {
  readonly #passages: readonly Source[]
  #state: State = { kind: 'seeking', heard: '' }
  #said = ''

  constructor(passages: readonly Source[]) {
    this.#passages = passages
  }

  /** What can be shown after the model has written this. */
  push(text: string): string {
    let shown = ''
    for (const char of text) shown += this.#hear(char)
    return shown
  }

  /** What is left to show when the model has ended. */
  end(): string {
    const state = this.#state
    if (state.kind === 'following') return this.#finish(state)
    return state.kind === 'seeking' && state.heard.trim().length >= START_HAN ? this.#follow(state.heard, true) : ''
  }

  #hear(char: string): string {
    const state = this.#state
    switch (state.kind) {
      case 'lost':
        return ''
      case 'seeking': {
        const heard = state.heard + char
        this.#state = { kind: 'seeking', heard: MARK.test(heard) ? heard.replace(/^\s*\[\d*\]/, '') : heard }
        return isEnough(heard) ? this.#follow(heard, false) : ''
      }
      case 'following': {
        const { text } = this.#passages[state.passage] as Source
        if (/\s/.test(char)) return ''
        const gap = /^\s*/.exec(text.slice(state.at))?.[0] ?? ''
        const next = state.at + gap.length
        if (text.startsWith(char, next)) {
          this.#state = { ...state, at: next + char.length, end: next < state.end ? state.end : sentenceEnd(text, next) }
          return this.#show(gap + char)
        }
        const rest = this.#finish(state)
        if (char !== '[') this.#state = { kind: 'lost' }
        return rest
      }
    }
  }

  /** Finds where the model copies from, and shows the sentence up to there. */
  #follow(heard: string, isLast: boolean): string {
    const wanted = heard.trim()
    for (const [passage, { title, text }] of this.#passages.entries()) {
      const body = [`${title}: `, `${title}：`].reduce((rest, prefix) => (rest.startsWith(prefix) ? rest.slice(prefix.length) : rest), wanted)
      if (body !== wanted && !isEnough(body) && !isLast) return ''
      const from = body === '' ? -1 : text.indexOf(body)
      if (from < 0) continue
      const span = sentenceSpans(text).find(({ start, end }) => start <= from && from < end)
      const start = this.#said.endsWith(text.slice(span?.start ?? from, from)) ? from : (span?.start ?? from)
      const at = from + body.length
      this.#state = { kind: 'following', passage, at, end: sentenceEnd(text, at - 1) }
      const shown = this.#show((this.#said === '' ? '' : ' ') + text.slice(start, at))
      return isLast ? shown + this.#finish(this.#state) : shown
    }
    this.#state = { kind: 'lost' }
    return ''
  }

  #finish({ passage, at, end }: State & { kind: 'following' }): string {
    const { text } = this.#passages[passage] as Source
    const number = passage + 1
    this.#state = { kind: 'seeking', heard: '[' }
    return this.#show(`${text.slice(at, end).trimEnd()} [${number}]`)
  }

  #show(text: string): string {
    this.#said += text
    return text
  }
}

const isEnough = (heard: string): boolean => heard.trim().length >= (HAN.test(heard) ? START_HAN : START_CHARS)
const sentenceEnd = (text: string, at: number): number => sentenceSpans(text).find(({ start, end }) => start <= at && at < end)?.end ?? text.length
