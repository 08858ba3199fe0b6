/** Texts, or pairs of texts, to scored labels. */
import type { Kernel, Model, Tensor } from '../kernel.js'
import { outputNamed, throughEncoder } from './encode.js'

export interface ClassifyOptions {
  /** Every label for itself (sigmoid) instead of one of them (softmax). Default: as the model's config says. */
  readonly multiLabel?: boolean
}

export interface LabelScore {
  readonly label: string
  readonly score: number
}

/** All labels, the best first. */
export const classify: Kernel = async (model, pass) => {
  const names = labelNames(model)
  const each = ((pass.options ?? {}) as ClassifyOptions).multiLabel ?? model.config['problem_type'] === 'multi_label_classification'
  const output = outputNamed(model, ['logits'], 'classify')
  const values: LabelScore[][] = []
  const read = await throughEncoder(model, pass, {
    outputs: [output],
    visit: ({ index, row }, out) => {
      const scores = scoresOf(rowOf(out[output] as Tensor, row), each)
      values[index] = scores.map((score, at) => ({ label: names[at] ?? String(at), score })).sort((a, b) => b.score - a.score)
    },
  })
  return { ...read, values }
}

/** How well a passage answers a question: one number per pair, between 0 and 1. */
export const rerank: Kernel = async (model, pass) => {
  const output = outputNamed(model, ['logits'], 'rerank')
  const values: number[] = []
  const read = await throughEncoder(model, pass, {
    outputs: [output],
    visit: ({ index, row }, out) => {
      const logits = rowOf(out[output] as Tensor, row)
      // One logit is the relevance; of several, the last label says "relevant".
      values[index] = logits.length === 1 ? sigmoid(logits[0] as number) : (scoresOf(logits, false).at(-1) as number)
    },
  })
  return { ...read, values }
}

/** How likely a premise entails a hypothesis: one number per pair. */
export const entail: Kernel = async (model, pass) => {
  const names = labelNames(model)
  const [yes, no] = ['entailment', 'contradiction'].map((name) => names.findIndex((label) => label.toLowerCase().startsWith(name)))
  const output = outputNamed(model, ['logits'], 'entail')
  const values: number[] = []
  const read = await throughEncoder(model, pass, {
    outputs: [output],
    visit: ({ index, row }, out) => {
      const logits = rowOf(out[output] as Tensor, row)
      const entailment = logits[yes === undefined || yes < 0 ? logits.length - 1 : yes] as number
      const against = logits[no === undefined || no < 0 ? 0 : no] as number
      values[index] = sigmoid(entailment - against)
    },
  })
  return { ...read, values }
}

function labelNames(model: Model): string[] {
  const named = (model.config['id2label'] ?? {}) as Record<string, string>
  return Object.keys(named).sort((a, b) => Number(a) - Number(b)).map((id) => named[id] as string)
}

function rowOf({ dims, data }: Tensor, row: number): Float32Array {
  const size = dims.at(-1) as number
  return (data as Float32Array).subarray(row * size, (row + 1) * size)
}

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit))

function scoresOf(logits: Float32Array, each: boolean): number[] {
  if (each) return Array.from(logits, sigmoid)
  const highest = logits.reduce((top, logit) => Math.max(top, logit), -Infinity)
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return weights.map((weight) => weight / sum)
}
