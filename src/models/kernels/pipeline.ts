/** Tasks that a pipeline of transformers.js runs as a whole: sequence to sequence, pictures, sound. */
import { TroupeError } from '../../ground/errors.js'
import type { Answers, Pass, Refusal, Tensor } from '../kernel.js'
import type { ImageLimits } from '../pixels.js'

/** A picture: an encoded file's bytes, a path, or pixels row by row. */
export type ImageInput = Uint8Array | string | { readonly data: Uint8Array; readonly width: number; readonly height: number; readonly channels: 1 | 2 | 3 | 4 }
/** Sound: samples between -1 and 1, one channel, at the rate that the model was made for (mostly 16,000 a second). */
export type AudioInput = Float32Array

export interface WriteOptions {
  readonly maxTokens?: number
  /** Languages as the model names them. */
  readonly from?: string
  readonly to?: string
}
export interface TranscribeOptions {
  readonly language?: string
  readonly maxTokens?: number
  /** Also tell when each segment was said. */
  readonly timestamps?: boolean
  /** Seconds of sound that are transcribed at a time, for recordings longer than the model hears. */
  readonly chunkSeconds?: number
}
export interface Transcript {
  readonly text: string
  readonly segments: readonly { readonly text: string; readonly start: number; readonly end: number | null }[]
}
export interface Speech {
  readonly samples: Float32Array
  readonly rate: number
}

/** What a thread lends to a pipeline task. */
export interface Pipe {
  /** One call of the pipeline, which ends early when the host stops, or once nobody wants it. */
  run(input: unknown, options: Readonly<Record<string, unknown>>, left: () => boolean): Promise<unknown>
  picture(input: ImageInput, limits: ImageLimits): Promise<unknown>
}

interface PipelineTask {
  /** Its name in transformers.js. */
  readonly name: string
  readonly takes: 'text' | 'image' | 'audio'
  /** Our options as its own. */
  readonly options?: (given: Readonly<Record<string, unknown>>) => Record<string, unknown>
  /** Its output as our answer. */
  readonly answer: (output: unknown) => unknown
}

const first = (output: unknown): Record<string, unknown> => (Array.isArray(output) ? output[0] : output) as Record<string, unknown>
const writing = ({ maxTokens, from, to }: Readonly<Record<string, unknown>>): Record<string, unknown> => ({ max_new_tokens: maxTokens, src_lang: from, tgt_lang: to })

export const PIPELINE_TASKS: Readonly<Record<string, PipelineTask>> = {
  translate: { name: 'translation', takes: 'text', options: writing, answer: (output) => first(output)['translation_text'] },
  summarise: { name: 'summarization', takes: 'text', options: writing, answer: (output) => first(output)['summary_text'] },
  transcribe: {
    name: 'automatic-speech-recognition',
    takes: 'audio',
    options: ({ language, maxTokens, timestamps, chunkSeconds }) => ({ language, max_new_tokens: maxTokens, return_timestamps: timestamps, chunk_length_s: chunkSeconds }),
    answer: (output) => transcriptOf(first(output)),
  },
  classifyImage: { name: 'image-classification', takes: 'image', options: () => ({ top_k: null }), answer: (output) => output },
  embedImage: { name: 'image-feature-extraction', takes: 'image', answer: (output) => vectorOf(output as Tensor) },
  caption: { name: 'image-to-text', takes: 'image', options: writing, answer: (output) => first(output)['generated_text'] },
  read: { name: 'image-to-text', takes: 'image', options: writing, answer: (output) => first(output)['generated_text'] },
  speak: {
    name: 'text-to-audio',
    takes: 'text',
    options: ({ voice }) => ({ speaker_embeddings: voice }),
    answer: (output): Speech => ({ samples: first(output)['audio'] as Float32Array, rate: first(output)['sampling_rate'] as number }),
  },
}

/** What a cut-off call wrote by then is nobody's answer: all of its callers have left. */
export async function runPipeline(task: string, pipe: Pipe, pass: Pass & { readonly left: () => boolean }): Promise<Answers> {
  const how = PIPELINE_TASKS[task] as PipelineTask
  const given = (pass.options ?? {}) as Readonly<Record<string, unknown>>
  const options = Object.fromEntries(Object.entries(how.options?.(given) ?? {}).filter(([, value]) => value !== undefined))
  const values: unknown[] = []
  const refused: Refusal[] = []
  for (const [index, input] of pass.inputs.entries()) {
    if (pass.left()) break
    try {
      check(task, how.takes, input)
      values[index] = how.answer(await pipe.run(how.takes === 'image' ? await pipe.picture(input as ImageInput, given) : input, options, pass.left))
    } catch (thrown) {
      // One caller's file is not the others' trouble; anything but a bad file is.
      if (!(thrown instanceof TroupeError && thrown.code === 'InvalidMessage')) throw thrown
      refused.push({ index, error: thrown.toData() })
    }
  }
  return { values, refused, tokens: 0 }
}

function check(task: string, takes: PipelineTask['takes'], input: unknown): void {
  const fits = takes === 'text' ? typeof input === 'string' : takes === 'audio' ? input instanceof Float32Array : typeof input === 'string' || (typeof input === 'object' && input !== null)
  if (fits) return
  const wanted = { text: 'a string', audio: 'a Float32Array of samples', image: 'the bytes of a picture, its path, or { data, width, height, channels }' }[takes]
  throw new TroupeError('InvalidMessage', `${task} cannot take ${typeof input}`, `give ${wanted}`, { task })
}

function transcriptOf(output: Record<string, unknown>): Transcript {
  const chunks = (output['chunks'] ?? []) as { text: string; timestamp: [number, number | null] }[]
  return { text: String(output['text']).trim(), segments: chunks.map(({ text, timestamp: [start, end] }) => ({ text: text.trim(), start, end })) }
}

/** The mean over a picture's patches, scaled to length 1; a model that gives one vector per picture gives that. */
function vectorOf({ data, dims }: Tensor): Float32Array {
  const size = dims.at(-1) as number
  const rows = data.length / size
  const vector = new Float32Array(size)
  for (let i = 0; i < data.length; i++) vector[i % size] = (vector[i % size] as number) + Number(data[i]) / rows
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((x) => x / norm)
}
