/** Where somebody speaks: Silero's network over frames of 32 ms, which remembers what it heard before. */
import { TroupeError } from '../../ground/errors.js'
import { int64, BINARY_COST, type Kernel, type Model, type Refusal, type Tensor } from '../kernel.js'
import { SPEECH_SECONDS_MAX } from '../limits.js'
import { SPEECH_RATE } from '../sound.js'
import { ended, heard, noSpeech, type SpeechOptions, type SpeechSegment, type SpeechState } from './detect-speech-segments.js'

/** What the network and the segmenter remember between two parts of one sound. Plain data; give it back as it came. */
export interface SpeechCarry {
  readonly memory: Float32Array
  /** The end of the frame before. */
  readonly context: Float32Array
  /** Samples that did not fill a frame. */
  readonly rest: Float32Array
  readonly state: SpeechState
}

/** A part of a sound: samples between -1 and 1, one channel, 16,000 a second. */
export interface SpeechPart {
  readonly samples: Float32Array
  /** What the part before left; nothing for the first. */
  readonly carry?: SpeechCarry
  /** More of the same sound will follow. */
  readonly more?: boolean
}

export interface SpeechFound {
  /** Stretches that ended in this part; times count from the start of the sound. */
  readonly segments: readonly SpeechSegment[]
  /** For the next part. */
  readonly carry?: SpeechCarry
}

const FRAME = 512
const CONTEXT = 64
const MEMORY = [2, 1, 128] as const
const FRAME_MS = (1000 * FRAME) / SPEECH_RATE
const SAMPLES_MAX = SPEECH_SECONDS_MAX * SPEECH_RATE

/** Takes `Float32Array`s, each a whole sound, or `SpeechPart`s. */
export const detectSpeech: Kernel = async (model, { inputs, options }) => {
  const how = (options ?? {}) as SpeechOptions
  if (!['input', 'state', 'sr'].every((name) => model.inputs.some((port) => port.name === name))) {
    throw new TroupeError('ModelFailed', `${model.name} does not hear speech`, 'use package:@ricky0123/vad-web', { model: model.name, task: 'detectSpeech', reason: 'unsupported-task' })
  }
  const values: SpeechFound[] = []
  const refused: Refusal[] = []
  for (const [index, input] of inputs.entries()) {
    const part = input instanceof Float32Array ? { samples: input } : (input as SpeechPart | null)
    if (!(part?.samples instanceof Float32Array)) refused.push({ index, error: noSamples().toData() })
    else if (part.samples.length > SAMPLES_MAX) refused.push({ index, error: tooLong(part.samples.length).toData() })
    else values[index] = await hear(model, part, how)
  }
  return { values, refused, tokens: BINARY_COST * inputs.length }
}

async function hear(model: Model, { samples, carry, more = false }: SpeechPart, options: SpeechOptions): Promise<SpeechFound> {
  const ear = new Ear(model, carry)
  const state: SpeechState = carry === undefined ? noSpeech() : structuredClone(carry.state)
  const all = carry === undefined ? samples : joined(carry.rest, samples)
  const segments: SpeechSegment[] = []
  const note = (segment: SpeechSegment | undefined): void => void (segment !== undefined && segments.push(segment))
  // The last frame of a sound is filled up with silence.
  const end = more ? all.length - (all.length % FRAME) : all.length
  for (let at = 0; at < end; at += FRAME) note(heard(state, await ear.listen(all.subarray(at, at + FRAME)), FRAME_MS, options))
  if (more) return { segments, carry: { ...ear.memories, rest: all.slice(end), state } }
  note(ended(state, FRAME_MS, options))
  const lengthMs = ((state.at * FRAME - (FRAME - (all.length % FRAME || FRAME))) * 1000) / SPEECH_RATE
  return { segments: segments.map((segment) => ({ ...segment, endMs: Math.min(segment.endMs, lengthMs) })) }
}

/** The network, and what it remembers. */
class Ear {
  readonly #model: Model
  readonly #rate = int64([SPEECH_RATE], [])
  #memory: Float32Array
  #context: Float32Array

  constructor(model: Model, carry: SpeechCarry | undefined) {
    this.#model = model
    this.#memory = carry?.memory ?? new Float32Array(MEMORY[0] * MEMORY[1] * MEMORY[2])
    this.#context = carry?.context ?? new Float32Array(CONTEXT)
  }

  get memories(): Pick<SpeechCarry, 'memory' | 'context'> {
    return { memory: this.#memory, context: this.#context }
  }

  /** How likely a frame is speech. */
  async listen(frame: Float32Array): Promise<number> {
    const heard = new Float32Array(CONTEXT + FRAME)
    heard.set(this.#context)
    heard.set(frame, CONTEXT)
    const answer = await this.#model.run({
      input: { type: 'float32', dims: [1, heard.length], data: heard },
      state: { type: 'float32', dims: MEMORY, data: this.#memory },
      sr: this.#rate,
    })
    this.#memory = Float32Array.from((answer['stateN'] as Tensor).data as Float32Array)
    this.#context = heard.slice(-CONTEXT)
    return ((answer['output'] as Tensor).data as Float32Array)[0] as number
  }
}

function joined(first: Float32Array, second: Float32Array): Float32Array {
  const all = new Float32Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

const noSamples = (): TroupeError => new TroupeError('InvalidMessage', 'speech is looked for in samples, and there are none', `give a Float32Array, one channel at ${SPEECH_RATE} samples a second`)

const tooLong = (samples: number): TroupeError =>
  new TroupeError('InvalidMessage', `${samples} samples are more than the ${SAMPLES_MAX} that are heard at once`, 'give longer sounds in parts, each with the carry of the one before; the audio actor does')
