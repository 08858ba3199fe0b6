/** Text token by token, many sequences at once: each step, those that are ready share one forward pass. */
import { TroupeError } from '../../ground/errors.js'
import { contextOf } from '../catalog.js'
import { failureOf } from '../failure.js'
import { bounded, type JsonSchema } from '../json-schema.js'
import { configNumber, int64, type ChatMessage, type Model, type Tensor, type Tensors, type ToolCall, type ToolSpec } from '../kernel.js'
import { AHEAD_MAX, BATCH_MAX, PREFILL_BYTES, PREFILL_MAX, PREFILL_MIN, PREFIX_BYTES_MAX, WRITE_TOKENS } from '../limits.js'
import { CacheLayout, type Place } from './cache.js'
import { Prefixes } from './prefixes.js'
import { Grammars, type Constraint } from './grammar.js'
import { chanceOf, logprobsOf, sample, type Sampling } from './sample.js'
import { TextStream } from './text-stream.js'

export interface GenerateRequest extends Sampling {
  /** A conversation, rendered with the model's own chat template … */
  readonly messages?: readonly ChatMessage[]
  /** … or a text to go on with. */
  readonly prompt?: string
  /** Most tokens to write. Default 256, and never beyond what the model can hold. */
  readonly maxTokens?: number
  /** Writing ends before the first of these. */
  readonly stop?: string | readonly string[]
  /** The text is JSON that this schema accepts; texts, lists and numbers without a bound get one from `maxTokens`. */
  readonly schema?: JsonSchema
  /** Functions that the model may call. Models of providers know how; a local model writes calls under a `schema`. */
  readonly tools?: readonly ToolSpec[]
  /** Also tell the log-probability of each token, and of so many likely ones beside it. */
  readonly logprobs?: number
}

export interface GeneratePart {
  readonly text: string
  /** How a model of a provider reasons, when it tells. */
  readonly thought?: string
}

export interface GenerateResult {
  readonly text: string
  /** `cachedTokens`: those of the prompt that were not read again, as an earlier prompt began with them. */
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number; readonly cachedTokens?: number }
  /** `stop`: the model, or a stop string, ended it. `length`: it was cut by `maxTokens` or by the model's context. */
  readonly finishReason: 'stop' | 'length'
  /** What the text says, when there was a schema. */
  readonly value?: unknown
  /** What the model calls, when it was given tools: its turn is not over then. */
  readonly toolCalls?: readonly ToolCall[]
  /** Per token written, when asked. */
  readonly logprobs?: readonly TokenLogprob[]
}

export interface TokenLogprob extends ScoredToken {
  /** The likeliest tokens in its place, the best first. */
  readonly top: readonly ScoredToken[]
}
interface ScoredToken {
  readonly token: string
  readonly logprob: number
}

/** What a token is good for when a schema is bounded by the tokens there are: cautious, as tokens of names and digits are short. */
const CHARS_PER_TOKEN = 1

/**
 * Prompt tokens per pass, by the size of a graph. Always the same for one model, so that what a cache holds up to a
 * border depends on the tokens before it alone, and a prefix may be taken over from another prompt.
 */
export const prefillOf = (bytes: number): number => Math.max(PREFILL_MIN, PREFILL_MAX / 2 ** Math.max(0, Math.ceil(Math.log2(bytes / PREFILL_BYTES))))

/** How the engine meets the world: the shared strip and the messages to the host, seen from one sequence. */
export interface Line {
  readonly cancelled: () => boolean
  /** Parts that the reader has taken. */
  readonly taken: () => number
  readonly part: (text: string) => void
}

/** One sequence, from prompt to last token. */
interface Sequence {
  readonly line: Line
  readonly rank: number
  readonly request: GenerateRequest
  readonly prompt: readonly number[]
  readonly stream: TextStream
  readonly chance: () => number
  readonly constraint: Constraint | undefined
  readonly tokensMax: number
  readonly settle: { resolve: (result: GenerateResult) => void; reject: (error: TroupeError) => void }
  /** Tokens written; the last one has not been through the graph yet. */
  readonly written: number[]
  readonly logprobs: TokenLogprob[]
  /** Tokens in the cache. */
  length: number
  /** Those of them that an earlier prompt left there. */
  taken: number
  place: Place
  parts: number
  done: boolean
}

/**
 * G1. A sequence is in `#all` from `start` until it settles, and it settles once.
 * G2. `#batch` lists the rows of the last decode step; their caches lie in its tensors, all others have their own.
 * G3. Whoever is `#batch[i]` holds row i; when who is ready changes, the tensors are composed anew before the next step.
 */
export class Engine {
  readonly #model: Model
  readonly #layout: CacheLayout
  readonly #piece: number
  readonly #ends: ReadonlySet<number>
  readonly #grammars: Grammars
  readonly #prefixes: Prefixes
  readonly #all = new Set<Sequence>()
  #batch: readonly Sequence[] = []
  #running = false
  readonly #onSleep: (asleep: boolean) => void
  #sleeper: (() => void) | undefined

  /** `onSleep` is told before the engine looks a last time at what may let it go on, and after it has woken. */
  constructor(model: Model, onSleep: (asleep: boolean) => void) {
    this.#model = model
    this.#onSleep = onSleep
    this.#layout = new CacheLayout(model)
    this.#piece = prefillOf(model.bytes)
    this.#prefixes = new Prefixes(Math.floor(PREFIX_BYTES_MAX / Math.max(1, this.#layout.bytesPerToken)))
    const eos = model.config['eos_token_id']
    this.#ends = new Set(Array.isArray(eos) ? (eos as number[]) : typeof eos === 'number' ? [eos] : [])
    const logits = model.outputs.find(({ name }) => name === 'logits')?.shape[2]
    this.#grammars = new Grammars(model, { size: typeof logits === 'number' ? logits : model.tokenizer.vocabulary().tokens.length, stops: [...this.#ends] })
    if (this.#layout.ports.length === 0) {
      throw new TroupeError('ModelFailed', `${model.name} cannot generate: its graph takes no past_key_values`, 'choose a text-generation model exported with its cache', { model: model.name, task: 'generate', reason: 'unsupported-task' })
    }
  }

  async start(request: GenerateRequest, rank: number, line: Line): Promise<GenerateResult> {
    const prompt = this.#promptOf(request)
    const stops = request.stop === undefined ? [] : typeof request.stop === 'string' ? [request.stop] : request.stop
    const room = contextOf(this.#model.config) - prompt.length
    if (room < 1) throw tooLong(this.#model, prompt.length)
    const tokensMax = Math.min(request.maxTokens ?? WRITE_TOKENS, room)
    const constraint = request.schema === undefined ? undefined : await this.#grammars.constrain(bounded(request.schema, tokensMax * CHARS_PER_TOKEN))
    return await new Promise((resolve, reject) => {
      const stream = new TextStream((ids) => this.#model.tokenizer.decode(ids), stops)
      const place = { tensors: this.#layout.empty(1), row: 0, pad: 0 }
      this.#all.add({ line, rank, request, prompt, stream, constraint, tokensMax, place, chance: chanceOf(request.seed ?? 0), settle: { resolve, reject }, written: [], logprobs: [], length: 0, taken: 0, parts: 0, done: false })
      this.wake()
      if (!this.#running) void this.#run()
    })
  }

  /** Something changed in shared memory that a sleeping engine would not see: credit, or a cancel. */
  wake(): void {
    this.#sleeper?.()
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#all.size > 0) {
      for (const sequence of this.#all) if (sequence.line.cancelled()) this.#end(sequence, cancelled())
      const advanced = (await this.#prefill()) || false
      const stepped = await this.#step()
      if (!advanced && !stepped && this.#all.size > 0) await this.#sleep()
    }
    this.#batch = []
    this.#running = false
  }

  async #sleep(): Promise<void> {
    this.#onSleep(true)
    const woken = new Promise<void>((resolve) => (this.#sleeper = resolve))
    if (![...this.#all].some((each) => each.line.cancelled() || keepsUp(each))) await woken
    this.#sleeper = undefined
    this.#onSleep(false)
  }

  /** A piece of the most urgent prompt that is not in its cache yet. */
  async #prefill(): Promise<boolean> {
    const sequence = this.#inOrder().find(({ length, prompt }) => length < prompt.length)
    if (sequence === undefined) return false
    try {
      if (sequence.length === 0) this.#takeOver(sequence)
      const piece = sequence.prompt.slice(sequence.length, sequence.length + this.#piece)
      const outputs = await this.#forward([sequence], piece, sequence.place.tensors, sequence.length)
      sequence.length += piece.length
      sequence.place = { tensors: this.#layout.next(outputs), row: 0, pad: 0 }
      if (piece.length === this.#piece) this.#prefixes.keep(sequence.prompt.slice(0, sequence.length), sequence.place.tensors)
      if (sequence.length === sequence.prompt.length) await this.#write(sequence, outputs, 0)
    } catch (thrown) {
      this.#end(sequence, failureOf(thrown, this.#model.name))
    }
    return true
  }

  /** Begins where an earlier prompt left off, as far as the two are alike: the same instructions are read once. */
  #takeOver(sequence: Sequence): void {
    const known = this.#prefixes.find(sequence.prompt, this.#piece)
    if (known === undefined) return
    const place = { tensors: known.tensors, row: 0, pad: 0 }
    sequence.place = { tensors: this.#layout.extract({ place, length: known.length }), row: 0, pad: 0 }
    sequence.length = sequence.taken = known.length
  }

  /** One token for each sequence whose reader keeps up. */
  async #step(): Promise<boolean> {
    const ready = this.#inOrder()
      .filter((each) => each.written.length > 0 && keepsUp(each))
      .slice(0, BATCH_MAX)
    this.#leave(ready)
    if (ready.length === 0) return false
    try {
      const { tensors, length } = this.#tensorsOf(ready)
      const outputs = await this.#forward(ready, ready.map((each) => each.written.at(-1) as number), tensors, length)
      const next = this.#layout.next(outputs)
      this.#batch = ready
      for (const [row, sequence] of ready.entries()) {
        sequence.length++
        sequence.place = { tensors: next, row, pad: length + 1 - sequence.length }
      }
      // Each for itself: what goes wrong in one text is not its neighbours' fault.
      for (const [row, sequence] of ready.entries()) await this.#write(sequence, outputs, row).catch((thrown: unknown) => this.#end(sequence, failureOf(thrown, this.#model.name)))
    } catch (thrown) {
      for (const sequence of ready) this.#end(sequence, failureOf(thrown, this.#model.name))
    }
    return true
  }

  /** A sequence that leaves the batch but goes on later takes its own cache along, so the batch's tensors can go. */
  #leave(ready: readonly Sequence[]): void {
    for (const sequence of this.#batch) {
      if (sequence.done || ready.includes(sequence)) continue
      sequence.place = { tensors: this.#layout.extract(sequence), row: 0, pad: 0 }
    }
    if (ready.length === 0) this.#batch = []
  }

  #tensorsOf(ready: readonly Sequence[]): { tensors: Tensors; length: number } {
    const first = ready[0] as Sequence
    const same = ready.length === this.#batch.length && ready.every((sequence, row) => sequence === this.#batch[row])
    if (same) return { tensors: first.place.tensors, length: first.length + first.place.pad }
    return this.#layout.compose(ready)
  }

  /** The graph over `tokens`, one per sequence or many of one, after `cached` places of cache. */
  #forward(sequences: readonly Sequence[], tokens: readonly number[], cache: Tensors, cached: number): Promise<Tensors> {
    const rows = sequences.length
    const width = tokens.length / rows
    const mask = new Int32Array(rows * (cached + width)).fill(1)
    const positions = new Int32Array(tokens.length)
    for (const [row, sequence] of sequences.entries()) {
      mask.fill(0, row * (cached + width), row * (cached + width) + cached - sequence.length)
      for (let i = 0; i < width; i++) positions[row * width + i] = sequence.length + i
    }
    const feeds: Record<string, Tensor> = { ...cache, input_ids: int64(tokens, [rows, width]), attention_mask: int64(mask, [rows, cached + width]) }
    if (this.#takes('position_ids')) feeds['position_ids'] = int64(positions, [rows, width])
    if (this.#takes('num_logits_to_keep')) feeds['num_logits_to_keep'] = int64([1], [])
    return this.#model.run(feeds)
  }

  #takes(input: string): boolean {
    return this.#model.inputs.some(({ name }) => name === input)
  }

  /** Draws the next token from the last position's logits, and gives out what text is certain. */
  async #write(sequence: Sequence, outputs: Tensors, row: number): Promise<void> {
    const { dims, data } = outputs['logits'] as Tensor
    const size = dims[2] as number
    const at = ((row + 1) * (dims[1] as number) - 1) * size
    const logits = (data as Float32Array).subarray(at, at + size)
    const plain = sequence.request.logprobs === undefined ? undefined : logits.slice()
    sequence.constraint?.ban(logits)
    const id = sample(logits, sequence.request, sequence.chance, seen(sequence))
    await sequence.constraint?.accept(id)
    if (this.#ends.has(id)) return this.#finish(sequence, 'stop')
    sequence.written.push(id)
    if (plain !== undefined) sequence.logprobs.push(this.#scored(plain, id, sequence.request.logprobs ?? 0))
    this.#say(sequence, sequence.stream.push(id))
    if (sequence.stream.stopped) this.#finish(sequence, 'stop')
    else if (sequence.written.length >= sequence.tokensMax) this.#finish(sequence, 'length')
  }

  #scored(logits: Float32Array, id: number, count: number): TokenLogprob {
    const scored = (each: { id: number; logprob: number }): ScoredToken => ({ token: this.#model.tokenizer.decode([each.id]), logprob: each.logprob })
    const { own, top } = logprobsOf(logits, id, count)
    return { ...scored({ id, logprob: own }), top: top.map(scored) }
  }

  #say(sequence: Sequence, text: string): void {
    if (text === '') return
    sequence.parts++
    sequence.line.part(text)
  }

  #finish(sequence: Sequence, reason: GenerateResult['finishReason']): void {
    this.#say(sequence, sequence.stream.end())
    const finishReason = sequence.stream.stopped ? 'stop' : reason
    const usage = { promptTokens: sequence.prompt.length, completionTokens: sequence.written.length, cachedTokens: sequence.taken }
    const { text } = sequence.stream
    if (sequence.constraint !== undefined && finishReason === 'length') return this.#end(sequence, cutOff(text, sequence.tokensMax))
    const value = sequence.constraint === undefined ? {} : { value: JSON.parse(text) as unknown }
    this.#forget(sequence)
    sequence.settle.resolve({ text, usage, finishReason, ...value, ...(sequence.request.logprobs === undefined ? {} : { logprobs: sequence.logprobs }) })
  }

  #end(sequence: Sequence, error: TroupeError): void {
    if (sequence.done) return
    this.#forget(sequence)
    sequence.settle.reject(error)
  }

  #forget(sequence: Sequence): void {
    sequence.done = true
    sequence.constraint?.dispose()
    this.#all.delete(sequence)
  }

  /** The more urgent first, then in order of arrival. */
  #inOrder(): Sequence[] {
    return [...this.#all].sort((a, b) => a.rank - b.rank)
  }

  #promptOf(request: GenerateRequest): number[] {
    const { tokenizer } = this.#model
    if (request.messages !== undefined) return tokenizer.encodeRaw(tokenizer.renderChat(request.messages))
    const ids = [...tokenizer.encode(request.prompt ?? '', Number.MAX_SAFE_INTEGER).ids]
    const start = configNumber(this.#model.config, 'bos_token_id')
    return start === undefined || ids[0] === start ? ids : [start, ...ids]
  }
}

/** Its reader is not so far behind that it waits. */
const keepsUp = ({ parts, line }: Sequence): boolean => parts - line.taken() < AHEAD_MAX

function* seen(sequence: Sequence): Iterable<number> {
  yield* sequence.prompt
  yield* sequence.written
}

const cancelled = (): TroupeError => new TroupeError('Cancelled', 'the generation was cancelled', 'nothing to do: whoever asked for it called it off')

export const cutOff = (text: string, tokensMax: number): TroupeError =>
  new TroupeError('ModelFailed', `the JSON was not complete after ${tokensMax} tokens`, 'allow more maxTokens, or bound the texts and lists of the schema', { reason: 'cut-by-limit', text })

const tooLong = (model: Model, tokens: number): TroupeError =>
  new TroupeError('InvalidMessage', `the prompt has ${tokens} tokens, ${model.name} holds ${contextOf(model.config)}`, 'shorten the prompt, or leave out older messages', { model: model.name, promptTokens: tokens, contextTokens: contextOf(model.config) })
