import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TroupeError } from 'troupe'
import { createHost, type Host } from 'troupe/models'
import { folderModel } from './folder-model.js'
import { pseudoRandom, type Graph } from './onnx.mjs'

const folders: string[] = []
let host: Host

const made = (model: Parameters<typeof folderModel>[0]): string => {
  const folder = folderModel(model)
  folders.push(folder)
  return folder
}

beforeAll(async () => {
  host = await createHost()
})
afterAll(async () => {
  await host.stop()
  for (const folder of folders) rmSync(folder, { recursive: true })
})

describe('pictures', () => {
  /** The label is the brightest colour: the mean of each channel is its logit. */
  const colours: Graph = {
    nodes: [['ReduceMean', ['pixel_values'], ['logits'], { axes: [2, 3], keepdims: 0 }]],
    inputs: [['pixel_values', 'float32', ['batch', 3, 'height', 'width']]],
    outputs: [['logits', 'float32', ['batch', 3]]],
  }
  const patches: Graph = {
    nodes: [
      ['ReduceMean', ['pixel_values'], ['rows'], { axes: [3], keepdims: 0 }],
      ['Transpose', ['rows'], ['last_hidden_state'], { perm: [0, 2, 1] }],
    ],
    inputs: [['pixel_values', 'float32', ['batch', 3, 'height', 'width']]],
    outputs: [['last_hidden_state', 'float32', ['batch', 'height', 3]]],
  }
  const preprocessor = { do_normalize: false, do_rescale: true, rescale_factor: 1 / 255, do_resize: true, size: { height: 8, width: 8 }, image_processor_type: 'ViTImageProcessor', resample: 2 }
  const picture = (red: number, green: number, blue: number): { data: Uint8Array; width: number; height: number; channels: 3 } => ({ data: Uint8Array.from({ length: 8 * 8 * 3 }, (_, i) => [red, green, blue][i % 3] as number), width: 8, height: 8, channels: 3 })
  const model = (graph: Graph): string => made({ graphs: { 'model.onnx': graph }, config: { architectures: ['ViTForImageClassification'], model_type: 'vit', id2label: { 0: 'red', 1: 'green', 2: 'blue' }, 'transformers.js_config': { dtype: 'fp32' } }, files: { 'preprocessor_config.json': preprocessor } })

  test('are classified, all labels with their scores, the best first', async () => {
    const name = model(colours)
    const labels = await host.classifyImage(name, picture(10, 250, 30))
    expect(labels.map(({ label }) => label)).toEqual(['green', 'blue', 'red'])
    expect((await host.classifyImage(name, picture(10, 20, 200)))[0]?.label).toBe('blue')
  })

  test('become vectors of length 1', async () => {
    const vector = await host.embedImage(model(patches), picture(255, 0, 0))
    expect(Array.from(vector)).toEqual([1, 0, 0])
  })

  test('that are none are refused, and so is a model that is none', async () => {
    const name = model(colours)
    await expect(host.classifyImage(name, 7 as unknown as string)).rejects.toMatchObject({ code: 'InvalidMessage' })
    await expect(host.classifyImage(name, '/no/such/picture.png')).rejects.toMatchObject({ code: 'ModelFailed' })
    await expect(host.classifyImage('/no/such/model', picture(0, 0, 0))).rejects.toMatchObject({ code: 'ModelNotFound' })
    await expect(host.classifyImage(made({ graphs: {}, config: { model_type: 'vit' } }), picture(0, 0, 0))).rejects.toMatchObject({ code: 'ModelFailed' })
  })
})

describe('sound', () => {
  /** Frames of 320 samples; the letter of a frame follows the sign of its mean. */
  const ears: Graph = {
    nodes: [
      ['Reshape', ['input_values', 'frames'], ['framed']],
      ['ReduceMean', ['framed'], ['means'], { axes: [2], keepdims: 1 }],
      ['Mul', ['means', 'weights'], ['logits']],
    ],
    weights: [
      { name: 'frames', type: 'int64', dims: [3], data: [1, -1, 320] },
      { name: 'weights', dims: [1, 1, 4], data: [0, 0, 9, -9] },
    ],
    inputs: [['input_values', 'float32', ['batch', 'samples']]],
    outputs: [['logits', 'float32', ['batch', 'frames', 4]]],
  }
  const vocabulary = { '<pad>': 0, '|': 1, a: 2, b: 3 }
  const hearing = (): string =>
    made({
      graphs: { 'model.onnx': ears },
      config: { architectures: ['Wav2Vec2ForCTC'], model_type: 'wav2vec2', 'transformers.js_config': { dtype: 'fp32' } },
      files: {
        'preprocessor_config.json': { feature_extractor_type: 'Wav2Vec2FeatureExtractor', do_normalize: false, feature_size: 1, padding_value: 0, return_attention_mask: false, sampling_rate: 16000, processor_class: 'Wav2Vec2Processor' },
        'tokenizer_config.json': { tokenizer_class: 'Wav2Vec2CTCTokenizer', pad_token: '<pad>', unk_token: '<pad>', bos_token: '<pad>', eos_token: '<pad>', word_delimiter_token: '|' },
        'tokenizer.json': { version: '1.0', added_tokens: [{ id: 0, content: '<pad>', special: true, lstrip: false, rstrip: false, normalized: false, single_word: false }], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: { type: 'CTC', pad_token: '<pad>', word_delimiter_token: '|', cleanup: true }, model: { vocab: vocabulary } },
      },
    })

  test('becomes text', async () => {
    const frame = (sign: number): Float32Array => new Float32Array(320).fill(sign * 0.5)
    const audio = Float32Array.from([1, 1, -1, 1].flatMap((sign) => [...frame(sign)]))
    expect(await host.transcribe(hearing(), audio)).toEqual({ text: 'aba', segments: [] })
  })

  test('comes from text', async () => {
    const voice: Graph = {
      nodes: [['Cast', ['input_ids'], ['f'], { to: 1 }], ['Mul', ['f', 'quiet'], ['waveform']]],
      weights: [{ name: 'quiet', dims: [], data: [1 / 16384] }],
      inputs: [['input_ids', 'int64', ['batch', 'sequence']], ['attention_mask', 'int64', ['batch', 'sequence']]],
      outputs: [['waveform', 'float32', ['batch', 'sequence']]],
    }
    const name = made({ graphs: { 'model.onnx': voice }, config: { architectures: ['VitsModel'], model_type: 'vits', sampling_rate: 16000, 'transformers.js_config': { dtype: 'fp32' } }, files: { 'tokenizer_config.json': { tokenizer_class: 'PreTrainedTokenizerFast', pad_token: '<pad>', model_max_length: 512 } } })
    const { samples, rate } = await host.speak(name, 'hello')
    expect(rate).toBe(16000)
    expect(samples).toBeInstanceOf(Float32Array)
    expect(samples.length).toBeGreaterThan(2)
  })
})

const ids = ['batch', 'sequence'] as const
const written = { decoder_start_token_id: 2, eos_token_id: 3, pad_token_id: 0 }

/** A decoder that writes the token "a" until its limit: the flow matters here, not the words. */
function steady(width: number, more: Graph['inputs'] = []): Graph {
  const logits = new Float32Array(12288)
  logits[66] = 9
  return {
    nodes: [
      ['Shape', ['input_ids'], ['shape']],
      ['Concat', ['shape', 'size'], ['wide'], { axis: 0 }],
      ['Expand', ['row', 'wide'], ['even']],
      ['ReduceSum', ['encoder_hidden_states'], ['total'], { keepdims: 0 }],
      ['Mul', ['total', 'nothing'], ['none']],
      ['Add', ['even', 'none'], ['logits']],
    ],
    weights: [{ name: 'row', dims: [12288], data: logits }, { name: 'size', type: 'int64', dims: [1], data: [12288] }, { name: 'nothing', dims: [], data: [0] }],
    inputs: [['input_ids', 'int64', ['batch', 'written']], ...more, ['encoder_hidden_states', 'float32', [...ids, width]]],
    outputs: [['logits', 'float32', ['batch', 'written', 12288]]],
  }
}

function writer(): string {
  const width = 4
  const encoder: Graph = {
    nodes: [['Gather', ['table', 'input_ids'], ['last_hidden_state']]],
    weights: [{ name: 'table', dims: [12288, width], data: pseudoRandom(12288 * width) }],
    inputs: [['input_ids', 'int64', ids], ['attention_mask', 'int64', ids]],
    outputs: [['last_hidden_state', 'float32', [...ids, width]]],
  }
  const decoder = steady(width, [['encoder_attention_mask', 'int64', ids]])
  const config = { architectures: ['MarianMTModel'], model_type: 'marian', is_encoder_decoder: true, ...written, vocab_size: 12288, d_model: width, encoder_layers: 0, decoder_layers: 0, encoder_attention_heads: 1, decoder_attention_heads: 1, 'transformers.js_config': { dtype: 'fp32' } }
  return made({ graphs: { 'encoder_model.onnx': encoder, 'decoder_model_merged.onnx': decoder }, config, files: { 'generation_config.json': written } })
}

/** One that hears each sample as a number, and writes what it likes. */
function listener(): string {
  const encoder: Graph = {
    nodes: [['Unsqueeze', ['input_values', 'axis'], ['last_hidden_state']]],
    weights: [{ name: 'axis', type: 'int64', dims: [1], data: [2] }],
    inputs: [['input_values', 'float32', ids]],
    outputs: [['last_hidden_state', 'float32', [...ids, 1]]],
  }
  const config = { architectures: ['MoonshineForConditionalGeneration'], model_type: 'moonshine', is_encoder_decoder: true, ...written, vocab_size: 12288, hidden_size: 1, encoder_num_hidden_layers: 0, decoder_num_hidden_layers: 0, encoder_num_key_value_heads: 1, decoder_num_key_value_heads: 1, 'transformers.js_config': { dtype: 'fp32' } }
  const preprocessor = { feature_extractor_type: 'MoonshineFeatureExtractor', processor_class: 'MoonshineProcessor', sampling_rate: 16000 }
  return made({ graphs: { 'encoder_model.onnx': encoder, 'decoder_model_merged.onnx': steady(1) }, config, files: { 'generation_config.json': written, 'preprocessor_config.json': preprocessor } })
}

test('text is translated and summarised by an encoder and a decoder', async () => {
  const name = writer()
  const [translated] = await host.translate(name, ['hello'], { maxTokens: 5 })
  expect(translated).toMatch(/^(.)\1{3,4}$/)
  expect(await host.summarise(name, ['hello', 'world'], { maxTokens: 5 })).toEqual([translated, translated])
})

test('a picture gets a caption, written by a decoder that sees it', async () => {
  const shape = ['batch', 'written'] as const
  // The token "a" or "b", as red or green is the brighter one.
  const weigh = new Float32Array(3 * 12288)
  weigh[66] = 9
  weigh[12288 + 67] = 9
  const name = made({
    graphs: {
      'encoder_model.onnx': { nodes: [['ReduceMean', ['pixel_values'], ['means'], { axes: [2, 3], keepdims: 0 }], ['Unsqueeze', ['means', 'one'], ['last_hidden_state']]], weights: [{ name: 'one', type: 'int64', dims: [1], data: [1] }], inputs: [['pixel_values', 'float32', ['batch', 3, 'height', 'width']]], outputs: [['last_hidden_state', 'float32', ['batch', 1, 3]]] },
      'decoder_model_merged.onnx': {
        nodes: [
          ['MatMul', ['encoder_hidden_states', 'weigh'], ['scores']],
          ['Shape', ['input_ids'], ['shape']],
          ['Concat', ['shape', 'size'], ['wide'], { axis: 0 }],
          ['Expand', ['scores', 'wide'], ['logits']],
        ],
        weights: [{ name: 'weigh', dims: [3, 12288], data: weigh }, { name: 'size', type: 'int64', dims: [1], data: [12288] }],
        inputs: [['input_ids', 'int64', shape], ['encoder_hidden_states', 'float32', ['batch', 1, 3]]],
        outputs: [['logits', 'float32', [...shape, 12288]]],
      },
    },
    config: { architectures: ['VisionEncoderDecoderModel'], model_type: 'vision-encoder-decoder', is_encoder_decoder: true, encoder: { model_type: 'vit', hidden_size: 3 }, decoder: { model_type: 'gpt2', n_layer: 0, n_head: 1, n_embd: 4, vocab_size: 12288 }, decoder_start_token_id: 2, eos_token_id: 3, pad_token_id: 0, 'transformers.js_config': { dtype: 'fp32' } },
    files: { 'preprocessor_config.json': { do_normalize: false, do_rescale: true, do_resize: true, size: { height: 4, width: 4 }, image_processor_type: 'ViTImageProcessor' }, 'generation_config.json': { decoder_start_token_id: 2, eos_token_id: 3, pad_token_id: 0 } },
  })
  const picture = (red: number, green: number): { data: Uint8Array; width: number; height: number; channels: 3 } => ({ data: Uint8Array.from({ length: 4 * 4 * 3 }, (_, i) => [red, green, 0][i % 3] as number), width: 4, height: 4, channels: 3 })
  const [red, green] = [await host.caption(name, picture(250, 10), { maxTokens: 4 }), await host.caption(name, picture(10, 250), { maxTokens: 4 })]
  expect([red, green]).toEqual([expect.stringMatching(/^(.)\1{2,3}$/), expect.stringMatching(/^(.)\1{2,3}$/)])
  expect(red).not.toBe(green)
})

test('a text that is being written ends at its next token when its caller leaves, and the thread is free for others', async () => {
  const name = writer()
  const short = await host.translate(name, 'hello', { maxTokens: 5 })
  const controller = new AbortController()
  // A day's work for this model; only a cancel that reaches it lets the next call be answered.
  const endless = host.translate(name, 'hello', { maxTokens: 10_000_000, signal: controller.signal }).catch((error: unknown) => error)
  await host.embed('embedded:encoder', ['by then', 'it writes'])
  controller.abort()
  expect(await endless).toMatchObject({ code: 'Cancelled' })
  expect(await host.translate(name, 'hello', { maxTokens: 5 })).toEqual(short)
})

test('a transcript ends at its next token when its caller leaves, and the thread is free for others', async () => {
  const name = listener()
  const second = new Float32Array(16_000)
  await host.warm(name, 'transcribe')
  const { text } = await host.transcribe(name, second, { maxTokens: 5 })
  expect(text).toMatch(/^(.)\1{3,4}$/)
  const controller = new AbortController()
  const endless = host.transcribe(name, second, { maxTokens: 10_000_000, signal: controller.signal }).catch((error: unknown) => error)
  await new Promise((resolve) => setImmediate(resolve))
  // Nothing waits: the thread has it.
  expect(host.metrics()[`${name} (automatic-speech-recognition)`]).toMatchObject({ waiting: 0, threads: 1 })
  controller.abort()
  expect(await endless).toMatchObject({ code: 'Cancelled' })
  expect(await host.transcribe(name, second, { maxTokens: 5 })).toEqual({ text, segments: [] })
})

test('a model that a pipeline runs is loaded before its first call when it is warmed for that task', async () => {
  const name = listener()
  const loads: string[] = []
  const own = await createHost({ onProgress: (each) => void (each.kind === 'loaded' && loads.push(each.model)) })
  await own.warm(name, 'transcribe')
  expect(loads).toEqual([name])
  await own.transcribe(name, new Float32Array(16_000), { maxTokens: 2 })
  expect(loads).toEqual([name])
  await own.stop()
})

test('one of two callers who leaves stops his own text and not the other', async () => {
  const name = writer()
  const controller = new AbortController()
  const left = host.translate(name, 'hello', { maxTokens: 10_000_000, signal: controller.signal }).catch((error: unknown) => error)
  const kept = host.translate(name, 'hello', { maxTokens: 5 })
  await host.embed('embedded:encoder', ['by then', 'it writes'])
  controller.abort()
  expect(await left).toMatchObject({ code: 'Cancelled' })
  expect((await kept)[0]).toMatch(/^(.)\1{3,4}$/)
})

test('a picture is read from its encoded bytes and from its path', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-picture-'))
  folders.push(folder)
  // A PNG of one red pixel.
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC', 'base64')
  writeFileSync(join(folder, 'red.png'), png)
  const name = made({ graphs: { 'model.onnx': { nodes: [['ReduceMean', ['pixel_values'], ['logits'], { axes: [2, 3], keepdims: 0 }]], inputs: [['pixel_values', 'float32', ['batch', 3, 'height', 'width']]], outputs: [['logits', 'float32', ['batch', 3]]] } }, config: { architectures: ['ViTForImageClassification'], model_type: 'vit', id2label: { 0: 'red', 1: 'green', 2: 'blue' }, 'transformers.js_config': { dtype: 'fp32' } }, files: { 'preprocessor_config.json': { do_normalize: false, do_rescale: true, do_resize: true, size: { height: 4, width: 4 }, image_processor_type: 'ViTImageProcessor' } } })
  expect((await host.classifyImage(name, new Uint8Array(png)))[0]?.label).toBe('red')
  expect((await host.classifyImage(name, join(folder, 'red.png')))[0]?.label).toBe('red')
  // A damaged file, and one beyond the asker's limit, beside a good one.
  const label = (bytes: Uint8Array, limits: object): Promise<unknown> => Promise.resolve(host.infer('classifyImage', name, { inputs: [bytes], ...limits }))
  const outcomes = await Promise.allSettled([label(png.subarray(0, 40), {}), host.classifyImage(name, new Uint8Array(png)), label(png, { pixelsMax: 0 }), label(png, { bytesMax: 30 })])
  expect(outcomes.map((each) => (each.status === 'fulfilled' ? each.status : each.reason instanceof TroupeError && each.reason.code === 'InvalidMessage' ? each.reason.message : each.reason as unknown))).toEqual([expect.stringContaining('damaged'), 'fulfilled', expect.stringContaining('more than 0 pixels'), expect.stringContaining('at most 30')])
})
