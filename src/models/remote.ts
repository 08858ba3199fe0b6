/** Models of remote providers, by the interface of the AI SDK: the same calls, the same errors, none of our threads. */
import type { Clock } from '../ground/clock.js'
import { TroupeError, describe } from '../ground/errors.js'
import { Call } from './call.js'
import type { Inference, InferOptions, ToolCall } from './kernel.js'
import { cutOff, type GeneratePart, type GenerateRequest, type GenerateResult } from './kernels/generate.js'
import { promptOf, settingsOf } from './remote-prompt.js'
import { REMOTE_CHARS_MAX, REMOTE_EMBEDDINGS_MAX, REMOTE_TRIES, REMOTE_WAIT_MAX_MS, REMOTE_WAIT_MS } from './limits.js'

/** As much of an AI SDK `LanguageModel` (specification v2 or v3) as is used here. */
export interface RemoteLanguageModel {
  readonly modelId: string
  readonly provider: string
  doStream(options: Record<string, unknown>): PromiseLike<{ readonly stream: ReadableStream<unknown> }>
}
/** As much of an AI SDK `EmbeddingModel` (specification v2 or v3) as is used here. */
export interface RemoteEmbeddingModel {
  readonly modelId: string
  readonly provider: string
  readonly maxEmbeddingsPerCall?: number | PromiseLike<number | undefined> | undefined
  doEmbed(options: { values: string[]; abortSignal?: AbortSignal }): PromiseLike<{ readonly embeddings: readonly (readonly number[])[]; readonly usage?: { readonly tokens: number } | undefined }>
}
export type RemoteModel = RemoteLanguageModel | RemoteEmbeddingModel


/** What a model of a provider was asked, and what it took. */
export interface RemoteMetrics {
  /** Calls that began, and those of them that are open now. */
  readonly calls: number
  readonly open: number
  readonly failed: number
  /** Requests that were sent again, and milliseconds that calls waited before those. */
  readonly retries: number
  readonly waitedMs: number
  /** Answers that said that the provider is busy. */
  readonly rateLimits: number
  /** Tokens as the provider counts them. */
  readonly promptTokens: number
  readonly completionTokens: number
  readonly texts: number
  /** Milliseconds in requests, all together. */
  readonly requestMs: number
  readonly overloads: number
}

interface Finish {
  readonly finishReason: string | { readonly unified: string }
  readonly usage: { readonly inputTokens?: Tokens; readonly outputTokens?: Tokens }
}
type Tokens = number | { readonly total?: number } | undefined
type StreamPart =
  | { readonly type: 'text-delta' | 'reasoning-delta'; readonly delta: string }
  | { readonly type: 'tool-input-delta'; readonly delta: string }
  | { readonly type: 'tool-call'; readonly toolCallId: string; readonly toolName: string; readonly input: string }
  | ({ readonly type: 'finish' } & Finish)
  | { readonly type: 'error'; readonly error: unknown }
  | { readonly type: 'other' }

/** Calls to one remote model; at most `callsMax` are open at a time. */
/** One for all: each would come with a stack of its own, and most calls have ended well. */
const OVER = new DOMException('the call is over', 'AbortError')

export class Remote {
  readonly #name: string
  readonly #model: RemoteModel
  readonly #clock: Clock
  readonly #callsMax: number
  readonly #calls = new Set<Call>()
  readonly #counts = { calls: 0, failed: 0, retries: 0, waitedMs: 0, rateLimits: 0, promptTokens: 0, completionTokens: 0, texts: 0, requestMs: 0, overloads: 0 }

  constructor({ name, model, clock, callsMax }: { name: string; model: RemoteModel; clock: Clock; callsMax: number }) {
    this.#name = name
    this.#model = model
    this.#clock = clock
    this.#callsMax = callsMax
  }

  generate(request: GenerateRequest, how: InferOptions): Inference<GeneratePart, GenerateResult> {
    const join = (a: unknown, b: unknown): GeneratePart => joined(a as GeneratePart, b as GeneratePart)
    const { call, signal } = this.#open(how, join)
    const model = this.#model
    if (!call.ended) {
      if (!('doStream' in model)) call.fail(this.#wrongTask('generate'))
      else void this.#settle(call, signal, () => this.#write(model, request, call, signal))
    }
    return call.answer as unknown as Inference<GeneratePart, GenerateResult>
  }

  embed(texts: readonly string[], how: InferOptions): Inference<Float32Array, Float32Array[]> {
    const { call, signal } = this.#open(how)
    const model = this.#model
    if (!call.ended) {
      if (!('doEmbed' in model)) call.fail(this.#wrongTask('embed'))
      else void this.#settle(call, signal, () => this.#embedAll(model, texts, signal))
    }
    return call.answer as unknown as Inference<Float32Array, Float32Array[]>
  }

  refuse(task: string): Inference {
    const { call } = this.#open({})
    call.fail(this.#wrongTask(task))
    return call.answer
  }

  metrics(): RemoteMetrics {
    return { ...this.#counts, open: this.#calls.size }
  }

  stop(error: TroupeError): void {
    for (const call of this.#calls) call.fail(error)
  }

  #open(how: InferOptions, join?: (a: unknown, b: unknown) => unknown): { call: Call; signal: AbortSignal } {
    const controller = new AbortController()
    const onEnd = (ended: Call): void => {
      this.#calls.delete(ended)
      controller.abort(OVER)
    }
    const call = new Call({ clock: this.#clock, how, count: 1, chars: 0, onEnd, ...(join === undefined ? {} : { join }) })
    if (!call.ended && this.#calls.size >= this.#callsMax) {
      this.#counts.overloads++
      call.fail(new TroupeError('Overloaded', `${this.#calls.size} calls are already open for ${this.#name}`, 'try again after details.retryAfterMs, or send less at once', { model: this.#name, retryAfterMs: REMOTE_WAIT_MS }))
    }
    if (!call.ended) {
      this.#calls.add(call)
      this.#counts.calls++
    }
    return { call, signal: controller.signal }
  }

  async #settle(call: Call, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    for (let tried = 1; !call.ended; tried++) {
      const start = this.#clock.elapsed()
      try {
        const result = await work()
        this.#counts.requestMs += this.#clock.elapsed() - start
        return call.end(result)
      } catch (thrown) {
        this.#counts.requestMs += this.#clock.elapsed() - start
        if (call.ended) return
        const { error, waitMs } = this.#judge(thrown, tried)
        if (error.code === 'Overloaded') this.#counts.rateLimits++
        // What a reader has seen cannot be taken back.
        if (waitMs === undefined || waitMs > REMOTE_WAIT_MAX_MS || tried === REMOTE_TRIES || call.answer.came > 0) {
          this.#counts.failed++
          return call.fail(error)
        }
        await this.#wait(waitMs, signal)
      }
    }
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    const start = this.#clock.elapsed()
    await waited(ms, signal, this.#clock)
    this.#counts.waitedMs += this.#clock.elapsed() - start
    if (!signal.aborted) this.#counts.retries++
  }

  async #write(model: RemoteLanguageModel, request: GenerateRequest, call: Call, signal: AbortSignal): Promise<GenerateResult> {
    const { stream } = await model.doStream({ ...settingsOf(request), prompt: promptOf(request), abortSignal: signal })
    let text = ''
    let finish: Finish | undefined
    const toolCalls: ToolCall[] = []
    let chars = 0
    for await (const part of stream as unknown as AsyncIterable<StreamPart>) {
      if (part.type === 'error') throw part.error
      if ('delta' in part) chars += part.delta.length
      if (chars > REMOTE_CHARS_MAX) throw new TroupeError('ModelFailed', `${this.#name} wrote more than ${REMOTE_CHARS_MAX} characters and did not end`, 'its provider does not keep to maxTokens; choose another', { model: this.#name, reason: 'endless' })
      if (part.type === 'finish') finish = part
      if (part.type === 'tool-call') toolCalls.push({ id: part.toolCallId, name: part.toolName, input: part.input })
      if (part.type !== 'text-delta' && part.type !== 'reasoning-delta') continue
      if (part.type === 'text-delta') text += part.delta
      call.answer.push(part.type === 'text-delta' ? { text: part.delta } : { text: '', thought: part.delta })
      await call.answer.room()
    }
    if (finish === undefined) throw new Error('the answer ended in the middle')
    const reason = typeof finish.finishReason === 'object' ? finish.finishReason.unified : finish.finishReason
    if (reason === 'error') throw new Error('the answer broke off before its end')
    const usage = { promptTokens: countOf(finish.usage.inputTokens), completionTokens: countOf(finish.usage.outputTokens) }
    this.#counts.promptTokens += usage.promptTokens
    this.#counts.completionTokens += usage.completionTokens
    const finishReason = reason === 'length' ? 'length' : 'stop'
    if (toolCalls.length > 0) return { text, usage, finishReason: 'stop', toolCalls }
    if (request.schema === undefined) return { text, usage, finishReason }
    if (finishReason === 'length') throw cutOff(text, usage.completionTokens)
    return { text, usage, finishReason, value: this.#parsed(text) }
  }

  async #embedAll(model: RemoteEmbeddingModel, texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const most = (await model.maxEmbeddingsPerCall) ?? REMOTE_EMBEDDINGS_MAX
    const vectors: Float32Array[] = []
    for (let at = 0; at < texts.length; at += most) {
      const { embeddings, usage } = await model.doEmbed({ values: texts.slice(at, at + most), abortSignal: signal })
      this.#counts.promptTokens += usage?.tokens ?? 0
      this.#counts.texts += embeddings.length
      for (const embedding of embeddings) vectors.push(Float32Array.from(embedding))
    }
    return vectors
  }

  /** A provider's word that its text follows a schema is not taken for it. */
  #parsed(text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new TroupeError('ModelFailed', `${this.#name} was given a schema and did not write JSON`, 'choose a model that supports structured output', { model: this.#name, reason: 'no-json', text }, cause)
    }
  }

  /** What went wrong, as our error, and how long to wait before the next try, if one makes sense. */
  #judge(thrown: unknown, tried: number): { error: TroupeError; waitMs?: number } {
    if (thrown instanceof TroupeError) return { error: thrown }
    const { statusCode: status, isRetryable, responseHeaders } = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as { statusCode?: number; isRetryable?: boolean; responseHeaders?: Record<string, string> }
    const details = { model: this.#name, provider: this.#model.provider, ...(status === undefined || status < 400 ? { reason: 'connection' } : { status }) }
    const said = Number(responseHeaders?.['retry-after'])
    const retryAfterMs = Number.isFinite(said) ? said * 1_000 : REMOTE_WAIT_MS * 2 ** (tried - 1)
    if (status === 401 || status === 403) return { error: new TroupeError('Unauthorized', `${this.#name} refused the call: ${describe(thrown)}`, 'check the access key of the provider', details, thrown) }
    if (status === 429 || status === 503) return { error: new TroupeError('Overloaded', `${this.#name} is busy: ${describe(thrown)}`, 'try again after details.retryAfterMs', { ...details, retryAfterMs }, thrown), waitMs: retryAfterMs }
    const error = new TroupeError('ModelFailed', `${this.#name} failed: ${describe(thrown)}`, 'see the cause', details, thrown)
    return isRetryable === true ? { error, waitMs: retryAfterMs } : { error }
  }

  #wrongTask(task: string): TroupeError {
    return new TroupeError('ModelFailed', `${this.#name} cannot ${task}`, 'a language model generates, an embedding model embeds; choose another model', { model: this.#name, task, reason: 'unsupported-task' })
  }
}

/** Resolves after `ms`, or when the call has ended: its timer keeps no process alive for nobody. */
function waited(ms: number, signal: AbortSignal, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const over = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = clock.timer(ms, over)
    signal.addEventListener('abort', over)
  })
}

const countOf = (tokens: Tokens): number => (typeof tokens === 'number' ? tokens : (tokens?.total ?? 0))

/** Two parts as one, for a reader who comes late. */
export const joined = (a: GeneratePart, b: GeneratePart): GeneratePart => ({ text: a.text + b.text, ...((a.thought ?? b.thought) !== undefined && { thought: (a.thought ?? '') + (b.thought ?? '') }) })
