/** What a kernel takes and gives: tensors in, tensors out, and the words that callers use for both. */

import type { ErrorData } from '../ground/errors.js'

/** How urgent a piece of work is: `interactive` overtakes `normal`, which overtakes `bulk`. */
export type Urgency = 'interactive' | 'normal' | 'bulk'

export interface InferOptions {
  /** Aborts queued work at no cost, and running work at its next step. */
  readonly signal?: AbortSignal
  readonly urgency?: Urgency
  /** Clock time, in milliseconds, after which nobody wants the answer. */
  readonly deadline?: number
  /** Whose work this is. Callers take turns; work without a name shares one turn per call. */
  readonly caller?: string
}

/** A model call under way: await it for the whole result, or iterate it for the parts as they come. */
export interface Inference<Part = unknown, Result = unknown> extends PromiseLike<Result>, AsyncIterable<Part> {}

export type TensorData = Float32Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array

export interface Tensor {
  readonly type: string
  readonly dims: readonly number[]
  readonly data: TensorData
}

/** An input or output of a graph; a dimension that varies is a name. */
export interface Port {
  readonly name: string
  readonly type: string
  readonly shape: readonly (number | string)[]
}

export type Tensors = Readonly<Record<string, Tensor>>

/** `config.json` of a model, as far as anything here reads it. */
export interface ModelConfig {
  readonly [key: string]: unknown
}

/** One graph of a model, and one way to run it. */
export interface Graph {
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
  /** One forward pass. Rejects with `Cancelled`, before any compute, once the host stops. */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors>
}

/** A model as a kernel sees it: its first graph, loaded, and what comes with it. */
export interface Model extends Graph {
  readonly name: string
  readonly config: ModelConfig
  /** Size of its first graph, which tells about how much there is to compute for a token. */
  readonly bytes: number
  /** Throws for a model that takes no text. */
  readonly tokenizer: TextCodec
  /** A further graph of the same model, loaded on first use. */
  graph(name: string): Promise<Graph>
}

export interface Encoding {
  readonly ids: readonly number[]
  readonly truncated: boolean
  /** For a pair of texts: which of the two each token belongs to. */
  readonly types?: readonly number[]
}

/** Two texts that a model reads together: a question and a passage, a premise and a hypothesis. */
export interface TextPair {
  readonly text: string
  readonly pair: string
}

export const isPair = (input: unknown): input is TextPair =>
  typeof input === 'object' && input !== null && typeof (input as Partial<TextPair>).text === 'string' && typeof (input as Partial<TextPair>).pair === 'string'

/** Text to token ids and back. */
export interface TextCodec {
  /** Token ids with the model's own first and last tokens, at most `limit` of them. */
  encode(text: string, limit: number): Encoding
  /** The same for two texts; the longer one is cut. */
  encodePair(texts: TextPair, limit: number): Encoding
  /** Token ids of a text that already holds its control tokens, such as a rendered chat. */
  encodeRaw(text: string): number[]
  decode(ids: readonly number[]): string
  /** For each id, where it starts and ends in `text`, as pairs; an id that stands for no text has an empty span. */
  spans(text: string, ids: readonly number[]): Int32Array
  renderChat(messages: readonly ChatMessage[]): string
  /** All tokens by id, those that stand for no text empty, and how their bytes are written. */
  vocabulary(): { readonly tokens: readonly string[]; readonly kind: 'byte_level' | 'byte_fallback' }
  readonly padId: number
}

export interface ChatMessage {
  readonly role: string
  readonly content: string
  /** What a user's turn shows, for models of providers that see. */
  readonly images?: readonly { readonly mediaType: string; readonly data: Uint8Array }[]
  /** What an assistant's turn called, for models that call tools. */
  readonly toolCalls?: readonly ToolCall[]
  /** Which call a turn of role `tool` answers. */
  readonly toolCallId?: string
  readonly toolName?: string
}

/** A function that a model may call, as it is told of it. */
export interface ToolSpec {
  readonly name: string
  readonly description?: string
  /** A JSON schema of its input. */
  readonly parameters: Readonly<Record<string, unknown>>
}

/** A call as the model wrote it: nobody has looked yet whether there is such a tool, nor whether the input is JSON. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly input: string
}

export interface Refusal {
  readonly index: number
  readonly error: ErrorData
}

/** What a batch kernel hands back: a plain value per input, a row of `vectors` per input, or both. */
export interface Answers {
  readonly values?: readonly unknown[]
  readonly vectors?: Float32Array
  /** Inputs that have no answer, and why: one caller's mistake is not the others'. */
  readonly refused?: readonly Refusal[]
  /** Tokens that went through the graph, padding included: what the pass cost. */
  readonly tokens: number
}

export interface Pass {
  readonly inputs: readonly unknown[]
  readonly options: unknown
  /** Padded tokens that one forward pass may hold, so that it stays short. */
  readonly tokensMax: number
}

/** What a file, a picture or a sound counts for, in tokens: it fills a pass of its own. */
export const BINARY_COST = 4096

/** One function over tensors: inputs that came from many callers, answered together. */
export type Kernel = (model: Model, pass: Pass) => Promise<Answers>

/** A number from `config.json`, under any of the names that model families give it. */
export function configNumber(config: ModelConfig, ...names: string[]): number | undefined {
  for (const name of names) {
    const value = config[name]
    if (typeof value === 'number') return value
  }
  return undefined
}

/** An int64 tensor of small non-negative whole numbers, written as halves because BigInt is slow. */
export function int64(values: ArrayLike<number>, dims: readonly number[]): Tensor {
  const data = new BigInt64Array(values.length)
  const halves = new Int32Array(data.buffer)
  for (let i = 0; i < values.length; i++) halves[2 * i] = values[i] as number
  return { type: 'int64', dims, data }
}
