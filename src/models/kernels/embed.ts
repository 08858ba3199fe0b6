/** Texts to sentence vectors. */
import { TroupeError } from '../../ground/errors.js'
import type { Answers, Kernel, Model, Pass, Tensor } from '../kernel.js'
import { outputNamed, throughEncoder } from './encode.js'

export interface EmbedOptions {
  /** How token vectors become one: their mean (the default), the first token's, or the last token's. */
  readonly pooling?: 'mean' | 'cls' | 'last'
  /** Scale to length 1. Default true. */
  readonly normalize?: boolean
  /** Keep only the first numbers of a Matryoshka model's vector, before scaling. */
  readonly dimensions?: number
  /** What to do with a text beyond the model's longest input: cut it (the default) or refuse it. */
  readonly overlong?: 'cut' | 'refuse'
}

const TOKEN_VECTORS = ['last_hidden_state', 'token_embeddings', 'hidden_states']

export const embed: Kernel = async (model, pass) => (await embedWith(model, pass, [])).answers

/** Embeds, and lets `also` read further outputs of the same forward pass. */
export async function embedWith(model: Model, pass: Pass, more: readonly string[], also?: Parameters<typeof throughEncoder>[3]): Promise<{ answers: Answers }> {
  const options = (pass.options ?? {}) as EmbedOptions
  const output = outputNamed(model, TOKEN_VECTORS, 'embed')
  let vectors: Float32Array | undefined
  const tokens = await throughEncoder(model, pass, [output, ...more], (text, out, width) => {
    if (text.encoding.truncated && options.overlong === 'refuse') throw overlong(text.index, model.name)
    const hidden = out[output] as Tensor
    const size = hidden.dims[2] as number
    const kept = Math.min(options.dimensions ?? size, size)
    vectors ??= new Float32Array(kept * pass.inputs.length)
    const vector = vectors.subarray(text.index * kept, (text.index + 1) * kept)
    const rows = (hidden.data as Float32Array).subarray(text.row * width * size, (text.row + 1) * width * size)
    pool(rows, size, text.encoding.ids.length, options.pooling ?? 'mean', vector)
    if (options.normalize !== false) normalize(vector)
    also?.(text, out, width)
  })
  return { answers: { vectors: vectors ?? new Float32Array(0), tokens } }
}

const overlong = (index: number, model: string): TroupeError =>
  new TroupeError('InvalidMessage', `text ${index} is longer than ${model} reads`, "split it, or pass overlong: 'cut'", { index, model })

function pool(rows: Float32Array, size: number, count: number, how: 'mean' | 'cls' | 'last', into: Float32Array): void {
  if (how !== 'mean') {
    const token = how === 'cls' ? 0 : count - 1
    into.set(rows.subarray(token * size, token * size + into.length))
    return
  }
  for (let token = 0; token < count; token++) {
    const from = token * size
    for (let i = 0; i < into.length; i++) into[i] = (into[i] as number) + (rows[from + i] as number)
  }
  for (let i = 0; i < into.length; i++) into[i] = (into[i] as number) / count
}

function normalize(vector: Float32Array): void {
  let sum = 0
  for (const x of vector) sum += x * x
  const scale = sum > 0 ? 1 / Math.sqrt(sum) : 0
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * scale
}
