/** Texts through an encoder: tokenised, sorted by length, padded, and run in passes that stay short. */
import { passes } from '../batch.js'
import { contextOf } from '../catalog.js'
import { TroupeError } from '../../ground/errors.js'
import { int64, isPair, type Answers, type Encoding, type Model, type Pass, type Refusal, type Tensor, type Tensors } from '../kernel.js'
import { TEXT_TOKENS_MAX } from '../limits.js'


export interface Encoded {
  /** Which input this is. */
  readonly index: number
  /** The text, or nothing for a pair. */
  readonly text: string
  readonly encoding: Encoding
  /** Its row in the tensors of the pass. */
  readonly row: number
}

export interface Reading {
  /** Outputs of the graph that are looked at. */
  readonly outputs: readonly string[]
  /** Whether a text that does not fit is refused instead of cut. */
  readonly refuseOverlong?: boolean
  /** Called once for each text that was read. */
  readonly visit: (text: Encoded, outputs: Tensors, width: number) => void
}

/** Runs all texts; tells how many tokens went through, and which inputs were refused. */
export async function throughEncoder(model: Model, pass: Pass, { outputs, refuseOverlong = false, visit }: Reading): Promise<Pick<Answers, 'tokens' | 'refused'>> {
  const limit = Math.min(TEXT_TOKENS_MAX, contextOf(model.config))
  const read: Omit<Encoded, 'row'>[] = []
  const refused: Refusal[] = []
  for (const [index, text] of pass.inputs.entries()) {
    const encoding = typeof text === 'string' ? model.tokenizer.encode(text, limit) : isPair(text) ? model.tokenizer.encodePair(text, limit) : undefined
    if (encoding === undefined) refused.push({ index, error: noText(model.name, text).toData() })
    else if (encoding.truncated && refuseOverlong) refused.push({ index, error: overlong(model.name, limit).toData() })
    else read.push({ index, text: typeof text === 'string' ? text : '', encoding })
  }
  let tokens = 0
  for (const group of passes(read.map(({ encoding }) => encoding.ids.length), pass.tokensMax)) {
    const texts = group.map((at, row) => ({ ...(read[at] as Omit<Encoded, 'row'>), row }))
    const width = Math.max(...texts.map(({ encoding }) => encoding.ids.length))
    const out = await model.run(feedsOf(model, texts.map(({ encoding }) => encoding), width), outputs)
    tokens += texts.length * width
    for (const text of texts) visit(text, out, width)
  }
  return refused.length === 0 ? { tokens } : { tokens, refused }
}

const noText = (model: string, input: unknown): TroupeError => new TroupeError('InvalidMessage', `${model} reads text, not ${typeof input}`, 'give strings', { model })

const overlong = (model: string, tokens: number): TroupeError =>
  new TroupeError('InvalidMessage', `the text is longer than the ${tokens} tokens that ${model} reads`, "split it, or pass overlong: 'cut'", { model, tokens })

function feedsOf(model: Model, encodings: readonly Encoding[], width: number): Tensors {
  const ids = new Int32Array(encodings.length * width).fill(model.tokenizer.padId)
  const mask = new Int32Array(ids.length)
  for (const [row, encoding] of encodings.entries()) {
    ids.set(encoding.ids, row * width)
    mask.fill(1, row * width, row * width + encoding.ids.length)
  }
  const dims = [encodings.length, width]
  const feeds: Record<string, Tensor> = { input_ids: int64(ids, dims), attention_mask: int64(mask, dims) }
  if (model.inputs.some(({ name }) => name === 'token_type_ids')) {
    const types = new Int32Array(ids.length)
    for (const [row, encoding] of encodings.entries()) types.set(encoding.types ?? [], row * width)
    feeds['token_type_ids'] = int64(types, dims)
  }
  return feeds
}

/** The output of a graph that has one of these names. */
export function outputNamed(model: Model, names: readonly string[], task: string): string {
  const found = names.find((name) => model.outputs.some((output) => output.name === name))
  if (found !== undefined) return found
  const there = model.outputs.map(({ name }) => name)
  throw new TroupeError('ModelFailed', `${model.name} cannot ${task}: its graph gives ${there.join(', ')}`, `for ${task} a graph must give ${names.join(' or ')}; choose another model`, { model: model.name, task, reason: 'unsupported-task' })
}
