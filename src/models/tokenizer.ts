/** Text to token ids and back, with the exact place of each token in the text. */
import type { ChatMessage, Encoding, TextCodec, TextPair } from './kernel.js'
import { CHARS_PER_TOKEN_MAX } from './limits.js'

/** As much of a tokenizer library as is used here. */
export interface Vocabulary {
  encode(text: string, options?: { add_special_tokens?: boolean; text_pair?: string; return_token_type_ids?: boolean }): { ids: number[]; token_type_ids?: number[] }
  decode(ids: number[], options?: { skip_special_tokens?: boolean; clean_up_tokenization_spaces?: boolean }): string
  id_to_token(id: number): string | undefined
  token_to_id(token: string): number | undefined
  get_vocab(withAdded: boolean): Map<string, number>
  get_added_tokens_decoder(): Map<number, { content: string; special: boolean }>
}
export interface ChatTemplate {
  render(values: Record<string, unknown>): string
}

export interface TokenizerFiles {
  /** `tokenizer.json`. */
  readonly tokenizer: { readonly pre_tokenizer?: unknown; readonly decoder?: unknown; readonly normalizer?: unknown }
  /** `tokenizer_config.json`. */
  readonly config: Readonly<Record<string, unknown>>
}


export class Tokenizer implements TextCodec {
  readonly padId: number
  readonly #vocabulary: Vocabulary
  readonly #template: ChatTemplate | undefined
  readonly #config: TokenizerFiles['config']
  readonly #byteLevel: boolean
  readonly #controls: ReadonlyMap<number, string>
  readonly #first: readonly number[]
  readonly #last: readonly number[]

  constructor(vocabulary: Vocabulary, files: TokenizerFiles, template?: ChatTemplate) {
    this.#vocabulary = vocabulary
    this.#template = template
    this.#config = files.config
    this.#byteLevel = JSON.stringify([files.tokenizer.pre_tokenizer, files.tokenizer.decoder]).includes('"ByteLevel"')
    this.#controls = new Map([...vocabulary.get_added_tokens_decoder()].map(([id, token]) => [id, token.content]))
    const bare = vocabulary.encode('a', { add_special_tokens: false }).ids
    const dressed = vocabulary.encode('a').ids
    const start = Math.max(0, dressed.findIndex((_, at) => bare.every((id, i) => dressed[at + i] === id)))
    this.#first = dressed.slice(0, start)
    this.#last = dressed.slice(start + bare.length)
    this.padId = vocabulary.token_to_id(contentOf(files.config['pad_token']) ?? '') ?? 0
  }

  encode(text: string, limit: number): Encoding {
    const cut = wholeCharacters(text, limit * CHARS_PER_TOKEN_MAX)
    const ids = this.#vocabulary.encode(cut, { add_special_tokens: false }).ids
    const room = limit - this.#first.length - this.#last.length
    const truncated = cut.length < text.length || ids.length > room
    return { ids: [...this.#first, ...(ids.length > room ? ids.slice(0, room) : ids), ...this.#last], truncated }
  }

  encodePair({ text, pair }: TextPair, limit: number): Encoding {
    let [first, second] = [wholeCharacters(text, limit * CHARS_PER_TOKEN_MAX), wholeCharacters(pair, limit * CHARS_PER_TOKEN_MAX)]
    let truncated = first.length < text.length || second.length < pair.length
    for (;;) {
      const { ids, token_type_ids: types } = this.#vocabulary.encode(first, { text_pair: second, return_token_type_ids: true })
      if (ids.length <= limit || first.length + second.length === 0) return { ids: ids.slice(0, limit), truncated, ...(types === undefined ? {} : { types: types.slice(0, limit) }) }
      truncated = true
      // The longer text gives way, by about what is too much: the closing tokens stay where they belong.
      const part = limit / ids.length
      if (second.length >= first.length) second = wholeCharacters(second, Math.floor(second.length * part))
      else first = wholeCharacters(first, Math.floor(first.length * part))
    }
  }

  encodeRaw(text: string): number[] {
    return this.#vocabulary.encode(text, { add_special_tokens: false }).ids
  }

  decode(ids: readonly number[]): string {
    if (ids.length === 0) return ''
    return this.#vocabulary.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false })
  }

  renderChat(messages: readonly ChatMessage[]): string {
    if (this.#template === undefined) return `${messages.map(({ role, content }) => `${role}: ${content}`).join('\n')}\nassistant:`
    const harmless = messages.map((message) => ({ ...message, content: this.#defuse(message.content) }))
    const names = ['bos_token', 'eos_token', 'pad_token', 'unk_token']
    const tokens = Object.fromEntries(names.map((name) => [name, contentOf(this.#config[name]) ?? '']))
    return this.#template.render({ ...tokens, messages: harmless, add_generation_prompt: true })
  }

  /** What a person wrote must not become a control token: `<|end|>` in a message would end it and forge the next role. */
  #defuse(content: string): string {
    let safe = content
    for (const token of this.#controls.values()) {
      if (token.length > 1 && safe.includes(token)) safe = safe.replaceAll(token, `${token.slice(0, 1)} ${token.slice(1)}`)
    }
    return safe
  }

  vocabulary(): { tokens: string[]; kind: 'byte_level' | 'byte_fallback' } {
    const tokens: string[] = []
    for (const [token, id] of this.#vocabulary.get_vocab(true)) tokens[id] = this.#controls.has(id) ? '' : token
    return { tokens: Array.from(tokens, (token) => token ?? ''), kind: this.#byteLevel ? 'byte_level' : 'byte_fallback' }
  }

  spans(text: string, ids: readonly number[]): Int32Array {
    return this.#byteLevel ? this.#byteSpans(text, ids) : this.#pieceSpans(text, ids)
  }

  /** Byte-level tokens are the text's own bytes, so counting bytes gives each token's place exactly. */
  #byteSpans(text: string, ids: readonly number[]): Int32Array {
    const { first, last } = charactersOfBytes(text)
    const spans = new Int32Array(2 * ids.length)
    const from = this.#first.length
    const to = ids.length - this.#last.length
    let byte = 0
    for (let i = 0; i < ids.length; i++) {
      const outside = i < from || i >= to
      const control = this.#controls.get(ids[i] as number)
      const bytes = outside ? 0 : control === undefined ? (this.#vocabulary.id_to_token(ids[i] as number)?.length ?? 0) : Buffer.byteLength(control)
      const end = Math.min(byte + bytes, first.length)
      const empty = end === byte
      spans[2 * i] = empty ? (first[byte] ?? text.length) : (first[byte] as number)
      spans[2 * i + 1] = empty ? (spans[2 * i] as number) : (last[end - 1] as number)
      byte = end
    }
    return spans
  }

  /** Other tokens are found again in the text, one after the other, as their normaliser may have changed case and accents. */
  #pieceSpans(text: string, ids: readonly number[]): Int32Array {
    const { plain, origin } = plainly(text)
    const spans = new Int32Array(2 * ids.length)
    let at = 0
    for (let i = 0; i < ids.length; i++) {
      const control = this.#controls.has(ids[i] as number)
      const piece = control ? '' : plainly((this.#vocabulary.id_to_token(ids[i] as number) ?? '').replace(/^##/, '').replaceAll('▁', ' ').trim()).plain
      const found = piece === '' ? -1 : plain.indexOf(piece, at)
      const start = found < 0 ? at : found
      const end = found < 0 ? at : found + piece.length
      spans[2 * i] = origin[start] ?? text.length
      spans[2 * i + 1] = found < 0 ? (spans[2 * i] as number) : (origin[end] ?? text.length)
      at = end
    }
    return spans
  }
}

const contentOf = (token: unknown): string | undefined =>
  typeof token === 'string' ? token : typeof token === 'object' && token !== null ? (token as { content?: string }).content : undefined

/** At most `max` UTF-16 units of a text, never half of a surrogate pair. */
function wholeCharacters(text: string, max: number): string {
  if (text.length <= max) return text
  const last = text.charCodeAt(max - 1)
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max)
}

/** For each UTF-8 byte of a text, where its character starts and ends in the string. */
function charactersOfBytes(text: string): { first: Int32Array; last: Int32Array } {
  const bytes = Buffer.byteLength(text)
  const first = new Int32Array(bytes)
  const last = new Int32Array(bytes)
  let byte = 0
  for (let at = 0; at < text.length; ) {
    const point = text.codePointAt(at) as number
    const size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
    const end = at + (size === 4 ? 2 : 1)
    first.fill(at, byte, byte + size)
    last.fill(end, byte, byte + size)
    byte += size
    at = end
  }
  return { first, last }
}

/** A text in lower case without accents, and where each unit of it stood in the original. */
function plainly(text: string): { plain: string; origin: number[] } {
  let plain = ''
  const origin: number[] = []
  for (let at = 0; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at) as number)
    const bare = character.normalize('NFD').replace(/\p{Mn}/gu, '').toLowerCase()
    for (let i = 0; i < bare.length; i++) origin.push(at)
    plain += bare
    at += character.length
  }
  origin.push(text.length)
  return { plain, origin }
}
