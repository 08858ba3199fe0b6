/** Texts to entities, with their exact place in the text. */
import type { Kernel, Model, Tensor } from '../kernel.js'
import { outputNamed, throughEncoder, type Encoded } from './encode.js'

export interface Entity {
  readonly type: string
  /** The text from `start` to `end`. */
  readonly value: string
  /** Offsets in UTF-16 units, as `text.slice(start, end)` takes them. */
  readonly start: number
  readonly end: number
  /** Mean probability of its type over its words. */
  readonly score: number
}

export interface Tagged {
  readonly entities: readonly Entity[]
  /** How many tokens the model read, its own first and last included. */
  readonly tokens: number
  /** True when the text was longer than the model reads, and its end was not looked at. */
  readonly truncated: boolean
}

export const tag: Kernel = async (model, pass) => {
  const output = logitsOf(model)
  const labels = labelsOf(model)
  const values: Tagged[] = []
  const read = await throughEncoder(model, pass, {
    outputs: [output],
    visit: (text, out, width) => void (values[text.index] = tagged(model, labels, text, out[output] as Tensor, width)),
  })
  return { ...read, values }
}

export const logitsOf = (model: Model): string => outputNamed(model, ['logits'], 'tag')

/** `B-person` as its mark and type; the label for "nothing" has no type. Models without BIO marks go on by type alone. */
export interface Label {
  readonly mark: 'B' | 'I' | 'O'
  readonly type: string | undefined
}

export function labelsOf(model: Model): Label[] {
  const named = (model.config['id2label'] ?? {}) as Record<string, string>
  const ids = Object.keys(named).sort((a, b) => Number(a) - Number(b))
  return ids.map((id) => {
    const name = named[id] as string
    if (name === 'O') return { mark: 'O', type: undefined }
    const marked = /^([BIES])-(.+)$/.exec(name)
    return { mark: marked?.[1] === 'B' || marked?.[1] === 'S' ? 'B' : 'I', type: marked?.[2] ?? name }
  })
}

/** Chance of being no entity from which a word is none: less than one half, so that what a batch does to int8 activations makes no name of an ordinary word. */
const NOTHING_MIN = 0.4

export function tagged(model: Model, labels: readonly Label[], text: Encoded, logits: Tensor, width: number): Tagged {
  const ids = text.encoding.ids
  const size = labels.length
  const rows = (logits.data as Float32Array).subarray(text.row * width * size, (text.row + 1) * width * size)
  const entities: Entity[] = []
  let open: OpenEntity | undefined
  const isMarked = labels.some(({ mark }) => mark === 'B')
  for (const word of wordsOf(text.text, model.tokenizer.spans(text.text, ids))) {
    const { types, nothing, begins } = verdict(rows, word, labels)
    const isNothing = nothing >= NOTHING_MIN
    // What a model marks as going on belongs to what came before, whatever type it would give to this word alone.
    const goesOn = !isNothing && !begins && open !== undefined && (isMarked || best(types)[0] === best(open.types)[0])
    if (open !== undefined && !goesOn) {
      close(text.text, open, entities)
      open = undefined
    }
    if (isNothing) continue
    open ??= { start: word.start, end: word.end, words: 0, types: new Map() }
    open.end = Math.max(open.end, word.end)
    open.words++
    for (const [type, chance] of types) open.types.set(type, (open.types.get(type) ?? 0) + chance)
  }
  if (open !== undefined) close(text.text, open, entities)
  return { entities, tokens: ids.length, truncated: text.encoding.truncated }
}

/** Tokens that belong to one word, or to one character, and so get one label. */
interface Word {
  readonly start: number
  end: number
  readonly first: number
  last: number
}

interface OpenEntity {
  readonly start: number
  end: number
  words: number
  /** How probable each type is, summed over the words. */
  readonly types: Map<string, number>
}

function wordsOf(text: string, spans: Int32Array): Word[] {
  const words: Word[] = []
  for (let i = 0; 2 * i < spans.length; i++) {
    const start = spans[2 * i] as number
    const end = spans[2 * i + 1] as number
    if (start === end) continue
    const word = words.at(-1)
    if (word !== undefined && insideWord(text, word.end, start)) {
      word.end = Math.max(word.end, end)
      word.last = i
    } else words.push({ start, end, first: i, last: i })
  }
  return words
}

/** What the tokens of a word say together: how probable each type is, and none of them, and whether it begins or goes on. */
function verdict(rows: Float32Array, { first, last }: Word, labels: readonly Label[]): { types: ReadonlyMap<string, number>; nothing: number; begins: boolean } {
  const types = new Map<string, number>()
  const share = 1 / (last - first + 1)
  let nothing = 0
  let begin = 0
  let inside = 0
  for (let token = first; token <= last; token++) {
    const chances = softmax(rows.subarray(token * labels.length, (token + 1) * labels.length))
    for (const [at, { mark, type }] of labels.entries()) {
      const chance = chances[at] as number
      if (type === undefined) nothing += share * chance
      else types.set(type, (types.get(type) ?? 0) + share * chance)
      if (token === first && mark === 'B') begin += chance
      if (token === first && mark === 'I') inside += chance
    }
  }
  return { types, nothing, begins: begin > inside }
}

const best = (types: ReadonlyMap<string, number>): readonly [type: string, chance: number] => [...types].reduce((top, each) => (each[1] > top[1] ? each : top))

function softmax(logits: Float32Array): Float32Array {
  const highest = logits.reduce((top, logit) => Math.max(top, logit), -Infinity)
  const chances = logits.map((logit) => Math.exp(logit - highest))
  const sum = chances.reduce((total, each) => total + each, 0)
  return chances.map((each) => each / sum)
}

/** True when a boundary falls within a word or a character. Chinese and Japanese write no borders, so each character may be a word. */
function insideWord(text: string, end: number, start: number): boolean {
  if (start !== end) return start < end
  const [before, after] = [lastCharacter(text.slice(Math.max(0, end - 2), end)), String.fromCodePoint(text.codePointAt(start) as number)]
  return [before, after].every((character) => /[\p{L}\p{N}\p{M}]/u.test(character) && !/[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u.test(character))
}

const lastCharacter = (text: string): string => /.$/su.exec(text)?.[0] ?? ''

/** Tokens carry the space before their word; an entity does not. */
function close(text: string, open: OpenEntity, into: Entity[]): void {
  const raw = text.slice(open.start, open.end)
  const start = open.start + raw.length - raw.trimStart().length
  const value = raw.trim()
  if (value === '') return
  const [type, sum] = best(open.types)
  const score = sum / open.words
  into.push({ type, value, start, end: start + value.length, score })
}
