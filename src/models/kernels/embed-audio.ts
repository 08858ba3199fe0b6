/** One vector per sound: who speaks, or what is heard, as the model was made for. */
import { TroupeError } from '../../ground/errors.js'
import { BINARY_COST, type Kernel, type Refusal, type Tensor } from '../kernel.js'
import { VOICE_SAMPLES_MAX } from '../limits.js'

/** Outputs that may hold the answer, the best first: a model made for speakers names its vectors, others give one per moment. */
const OUTPUTS = ['embeddings', 'last_hidden_state', 'logits']
/** The first layers look at this much at once. */
const SAMPLES_MIN = 400

/** Takes samples between -1 and 1, one channel, at the rate that the model was made for (mostly 16,000 a second). */
export const embedAudio: Kernel = async (model, { inputs }) => {
  const output = OUTPUTS.find((name) => model.outputs.some((port) => port.name === name))
  if (output === undefined || !model.inputs.some(({ name }) => name === 'input_values')) {
    throw new TroupeError('ModelFailed', `${model.name} makes no vectors of sounds`, 'choose a model such as WavLM, wav2vec2 or HuBERT, exported to ONNX', { model: model.name, task: 'embedAudio', reason: 'unsupported-task' })
  }
  const values: Float32Array[] = []
  const refused: Refusal[] = []
  for (const [index, input] of inputs.entries()) {
    if (!(input instanceof Float32Array) || input.length < SAMPLES_MIN || input.length > VOICE_SAMPLES_MAX) {
      refused.push({ index, error: unusable(input).toData() })
      continue
    }
    const answer = await model.run({ input_values: { type: 'float32', dims: [1, input.length], data: normalised(input) } }, [output])
    values[index] = ofLengthOne(meanOf(answer[output] as Tensor))
  }
  return { values, refused, tokens: BINARY_COST * inputs.length }
}

/** Mean 0 and deviation 1, as these models were trained on. */
function normalised(samples: Float32Array): Float32Array {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length
  const deviation = Math.sqrt(samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length + 1e-7)
  return samples.map((x) => (x - mean) / deviation)
}

function meanOf({ data, dims }: Tensor): Float32Array {
  const size = dims.at(-1) as number
  const rows = data.length / size
  const mean = new Float32Array(size)
  for (let i = 0; i < data.length; i++) mean[i % size] = (mean[i % size] as number) + Number(data[i]) / rows
  return mean
}

function ofLengthOne(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector)
  return norm === 0 ? vector : vector.map((x) => x / norm)
}

const unusable = (input: unknown): TroupeError => {
  const given = input instanceof Float32Array ? `${input.length} samples` : typeof input
  return new TroupeError('InvalidMessage', `a vector of a sound cannot be made of ${given}`, `give a Float32Array of ${SAMPLES_MIN} to ${VOICE_SAMPLES_MAX} samples`)
}
