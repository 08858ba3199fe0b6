/** Texts to sentence vectors. */
import type { Answers, Kernel, Model, Pass, Tensor } from '../kernel.js'
import { outputNamed, throughEncoder, type Reading } from './encode.js'

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

export const embed: Kernel = (model, pass) => embedWith(model, pass, { outputs: [], visit: () => undefined })

/** Embeds, and lets `more` read further outputs of the same forward pass. */
export async function embedWith(model: Model, pass: Pass, more: Reading): Promise<Answers> {
  const options = (pass.options ?? {}) as EmbedOptions
  const output = outputNamed(model, TOKEN_VECTORS, 'embed')
  let vectors = new Float32Array(0)
  const read = await throughEncoder(model, pass, {
    outputs: [output, ...more.outputs],
    refuseOverlong: options.overlong === 'refuse',
    visit: (text, out, width) => {
      const hidden = out[output] as Tensor
      const size = hidden.dims[2] as number
      const kept = Math.min(options.dimensions ?? size, size)
      if (vectors.length === 0) vectors = new Float32Array(kept * pass.inputs.length)
      const vector = vectors.subarray(text.index * kept, (text.index + 1) * kept)
      const rows = (hidden.data as Float32Array).subarray(text.row * width * size, (text.row + 1) * width * size)
      pool(rows, size, text.encoding.ids.length, options.pooling ?? 'mean', vector)
      if (options.normalize !== false) normalize(vector)
      more.visit(text, out, width)
    },
  })
  return { ...read, vectors }
}

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
