/** Texts through an encoder: tokenised, sorted by length, padded, and run in passes that stay short. */
import { passes } from '../batch.js'
import { contextOf } from '../catalog.js'
import { TroupeError } from '../../ground/errors.js'
import { int64, type Encoding, type Model, type Pass, type Tensor, type Tensors } from '../kernel.js'

/** Longer texts are cut to this many tokens, or to what the model takes if that is less. */
const TOKENS_MAX = 512

export interface Encoded {
  /** Which input this is. */
  readonly index: number
  readonly text: string
  readonly encoding: Encoding
  /** Its row in the tensors of the pass. */
  readonly row: number
}

export function textsOf(pass: Pass, model: Model): string[] {
  return pass.inputs.map((input, at) => {
    if (typeof input === 'string') return input
    throw new TroupeError('InvalidMessage', `input ${at} for ${model.name} is no text but ${typeof input}`, 'give strings', { index: at })
  })
}

/** Runs all texts, calls `visit` once for each, and tells how many tokens went through. */
export async function throughEncoder(model: Model, pass: Pass, outputs: readonly string[], visit: (text: Encoded, outputs: Tensors, width: number) => void): Promise<number> {
  const texts = textsOf(pass, model)
  const limit = Math.min(TOKENS_MAX, contextOf(model.config))
  const encodings = texts.map((text) => model.tokenizer.encode(text, limit))
  let tokens = 0
  for (const group of passes(encodings.map(({ ids }) => ids.length), pass.tokensMax)) {
    const width = Math.max(...group.map((index) => (encodings[index] as Encoding).ids.length))
    const out = await model.run(feedsOf(model, group.map((index) => encodings[index] as Encoding), width), outputs)
    tokens += group.length * width
    for (const [row, index] of group.entries()) visit({ index, row, text: texts[index] as string, encoding: encodings[index] as Encoding }, out, width)
  }
  return tokens
}

function feedsOf(model: Model, encodings: readonly Encoding[], width: number): Tensors {
  const ids = new Int32Array(encodings.length * width).fill(model.tokenizer.padId)
  const mask = new Int32Array(ids.length)
  for (const [row, encoding] of encodings.entries()) {
    ids.set(encoding.ids, row * width)
    mask.fill(1, row * width, row * width + encoding.ids.length)
  }
  const dims = [encodings.length, width]
  const feeds: Record<string, Tensor> = { input_ids: int64(ids, dims), attention_mask: int64(mask, dims) }
  if (model.inputs.some(({ name }) => name === 'token_type_ids')) feeds['token_type_ids'] = int64(new Int32Array(ids.length), dims)
  return feeds
}

/** The output of a graph that has one of these names. */
export function outputNamed(model: Model, names: readonly string[], task: string): string {
  const found = names.find((name) => model.outputs.some((output) => output.name === name))
  if (found !== undefined) return found
  const there = model.outputs.map(({ name }) => name)
  throw new TroupeError('ModelFailed', `${model.name} cannot ${task}: its graph gives ${there.join(', ')}`, `for ${task} a graph must give ${names.join(' or ')}; choose another model`, { model: model.name, task, reason: 'unsupported-task' })
}
