/** What a host can be asked. */
import type { InferOptions, Inference } from './kernel.js'
import type { ClassifyOptions, LabelScore } from './kernels/classify.js'
import type { EmbedOptions } from './kernels/embed.js'
import type { GeneratePart, GenerateRequest, GenerateResult } from './kernels/generate.js'
import type { AudioInput, ImageInput, Speech, TranscribeOptions, Transcript, WriteOptions } from './kernels/pipeline.js'
import type { Tagged } from './kernels/tag.js'
import type { PoolMetrics } from './pool.js'
import type { RemoteMetrics } from './remote.js'

export interface Understood extends Tagged {
  readonly vector: Float32Array
}

export interface ZeroShotOptions {
  readonly labels: readonly string[]
  /** The hypothesis that is tried for each label, in place of `{}`. Default `This example is {}.` */
  readonly hypothesis?: string
  /** Score every label for itself instead of one against the others. */
  readonly multiLabel?: boolean
}

export interface Ranked {
  readonly index: number
  readonly score: number
}

export interface Host {
  /** Any task, by name: the port through which actors reach models. */
  infer(task: string, model: string, input: unknown, options?: InferOptions): Inference
  /** One vector per text. */
  embed(model: string, texts: string | readonly string[], options?: EmbedOptions & InferOptions): Promise<Float32Array[]>
  /** Entities with exact offsets, per text. */
  tag(model: string, texts: string | readonly string[], options?: InferOptions): Promise<Tagged[]>
  /** Vector and entities from one forward pass, per text. */
  understand(model: string, texts: string | readonly string[], options?: EmbedOptions & InferOptions): Promise<Understood[]>
  /** Labels with their scores, the best first, per text. */
  classify(model: string, texts: string | readonly string[], options?: ClassifyOptions & InferOptions): Promise<LabelScore[][]>
  /** Labels of the caller's own, scored by a model of entailment, the best first, per text. */
  zeroShot(model: string, texts: string | readonly string[], options: ZeroShotOptions & InferOptions): Promise<LabelScore[][]>
  /** Passages by how well they answer a question, the best first; `index` is the place in `passages`. */
  rerank(model: string, query: string, passages: readonly string[], options?: InferOptions): Promise<Ranked[]>
  /** Text, part by part or whole. */
  generate(model: string, request: GenerateRequest, options?: InferOptions): Inference<GeneratePart, GenerateResult>
  translate(model: string, texts: string | readonly string[], options?: WriteOptions & InferOptions): Promise<string[]>
  summarise(model: string, texts: string | readonly string[], options?: WriteOptions & InferOptions): Promise<string[]>
  /** Speech to text, with the times of its segments when asked. */
  transcribe(model: string, audio: AudioInput, options?: TranscribeOptions & InferOptions): Promise<Transcript>
  classifyImage(model: string, image: ImageInput, options?: InferOptions): Promise<LabelScore[]>
  embedImage(model: string, image: ImageInput, options?: InferOptions): Promise<Float32Array>
  caption(model: string, image: ImageInput, options?: WriteOptions & InferOptions): Promise<string>
  /** The text in a picture of one line or paragraph. */
  read(model: string, image: ImageInput, options?: WriteOptions & InferOptions): Promise<string>
  /** Text to speech. */
  speak(model: string, text: string, options?: { readonly voice?: unknown } & InferOptions): Promise<Speech>
  /** Loads a model on all its threads before the first call; for one that a pipeline runs, say for which task (`transcribe`, `translate`, …). */
  warm(model: string, task?: string): Promise<void>
  /** Ends all calls with `Cancelled`, waits for the running steps, ends the threads. Never aborts the process. */
  stop(): Promise<void>
  /** Per local model. */
  metrics(): Readonly<Record<string, PoolMetrics>>
  /** Per model of a provider. */
  remoteMetrics(): Readonly<Record<string, RemoteMetrics>>
}
