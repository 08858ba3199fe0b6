/**
 * The entry of a model's thread, and the one door to onnxruntime-node and transformers.js.
 *
 * A thread holds one model. Native calls happen one at a time, and between them the thread reads the shared strip:
 * once the host has stopped, no further call starts (ending a process during a call would abort it).
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { realClock } from '../ground/clock.js'
import { TroupeError, describe } from '../ground/errors.js'
import { PROBE, brokenDevice } from './devices.js'
import { failureOf } from './failure.js'
import { moving } from './host.js'
import type { HubSettings } from './hub.js'
import type { Graph, Kernel, Model, Port, Tensor, Tensors } from './kernel.js'
import { classify, entail, rerank } from './kernels/classify.js'
import { detectSpeech } from './kernels/detect-speech.js'
import { embed } from './kernels/embed.js'
import { embedAudio } from './kernels/embed-audio.js'
import { Engine } from './kernels/generate.js'
import { runPipeline, type Pipe } from './kernels/pipeline.js'
import { read } from './kernels/read.js'
import { tag } from './kernels/tag.js'
import { understand } from './kernels/understand.js'
import { decodeImage } from './pixels.js'
import { Tokenizer, type ChatTemplate, type TokenizerFiles, type Vocabulary } from './tokenizer.js'
import { Strip, buffersOf, failed, type ModelSpec, type Parts, type Passed, type Reply, type Task, type WorkerData } from './wire.js'

type Ort = typeof import('onnxruntime-node')
type Session = import('onnxruntime-node').InferenceSession
type OrtTensor = import('onnxruntime-node').Tensor

/** Batch kernels by task. */
const KERNELS: Readonly<Record<string, Kernel>> = { embed, tag, understand, classify, rerank, entail, read, detectSpeech, embedAudio }

/** Loads the native addon. The host calls it too: an addon first loaded by a thread cannot be loaded again after that thread ends. */
export async function loadAddon(): Promise<Ort> {
  // Its Linux build reports home unless told otherwise before it loads.
  process.env['ORT_DISABLE_TELEMETRY'] = '1'
  return await import('onnxruntime-node').catch((cause: unknown) => {
    throw missing('onnxruntime-node', cause)
  })
}

/** The settings of transformers.js, as the program may have changed them. */
export async function hubSettings(): Promise<HubSettings> {
  await loadAddon()
  const { env } = await import('@huggingface/transformers').catch((cause: unknown) => {
    throw missing('@huggingface/transformers', cause)
  })
  return env
}

const missing = (name: string, cause: unknown): TroupeError =>
  new TroupeError('MissingDependency', `models need ${name}, which could not be loaded: ${describe(cause)}`, 'npm install @huggingface/transformers onnxruntime-node', { dependency: name }, cause)

/** The tokenizer and template engines of transformers.js, taken from where it is installed. */
function loadTokenizers(): { makeVocabulary: (files: TokenizerFiles) => Vocabulary; makeTemplate: (source: string) => ChatTemplate } {
  try {
    const own = createRequire(import.meta.url)
    const within = createRequire(own.resolve('@huggingface/transformers'))
    const load = (part: string): unknown => within(`@huggingface/${part}`)
    const { Tokenizer: Words } = load('tokenizers') as { Tokenizer: new (tokenizer: object, config: object) => Vocabulary }
    const { Template } = load('jinja') as { Template: new (source: string) => ChatTemplate }
    return { makeVocabulary: (files) => new Words(files.tokenizer, files.config), makeTemplate: (source) => new Template(source) }
  } catch (cause) {
    throw missing('@huggingface/transformers', cause)
  }
}

async function loadTokenizer(spec: ModelSpec): Promise<Tokenizer> {
  const { makeVocabulary, makeTemplate } = loadTokenizers()
  const read = async (file: string): Promise<Record<string, unknown>> => {
    const path = join(spec.folder, file)
    return await readFile(path, 'utf8')
      .then((text) => JSON.parse(text) as Record<string, unknown>)
      .catch((cause: unknown) => {
        throw damaged(spec.name, path, cause)
      })
  }
  const files: TokenizerFiles = { tokenizer: await read('tokenizer.json'), config: await read('tokenizer_config.json') }
  const own = files.config['chat_template']
  const beside = await readFile(join(spec.folder, 'chat_template.jinja'), 'utf8').catch(() => undefined)
  const template = typeof own === 'string' ? own : (beside ?? namedTemplate(own))
  return new Tokenizer(makeVocabulary(files), files, template === undefined ? undefined : makeTemplate(template))
}

const namedTemplate = (templates: unknown): string | undefined =>
  Array.isArray(templates) ? (templates as { name: string; template: string }[]).find(({ name }) => name === 'default')?.template : undefined

const damaged = (model: string, path: string, cause: unknown): TroupeError =>
  new TroupeError('ModelFailed', `a file of model ${JSON.stringify(model)} is missing or damaged: ${path}`, 'copy or download that file again', { model, path, reason: 'corrupt-file' }, cause)

function check(left: () => boolean): void {
  if (left()) throw new TroupeError('Cancelled', 'nobody wants this pass any more', 'nothing to do: whoever asked for it called it off')
}

const stopped = (): TroupeError => new TroupeError('Cancelled', 'the host has stopped', 'start a new host')

type Gate = <T>(call: () => Promise<T>) => Promise<T>

/** Native calls one at a time (W1: each is announced in the strip before it starts). */
function makeGate(strip: Strip): Gate {
  let last: Promise<unknown> = Promise.resolve()
  return (call) => {
    const turn = last.then(async () => {
      if (!strip.enter()) throw stopped()
      try {
        return await call()
      } finally {
        strip.leave()
      }
    })
    last = turn.catch(() => undefined)
    return turn
  }
}

async function loadModel(spec: ModelSpec, strip: Strip): Promise<Model> {
  const ort = await loadAddon()
  // A host that stops while a thread loads waits for one step of it, not for all.
  if (strip.stopped) throw stopped()
  const gate = makeGate(strip)
  await tryDevice(ort, gate, spec)
  const tokenizer = spec.wordless ? undefined : await loadTokenizer(spec)
  const first = await openGraph(ort, gate, spec, spec.graph)
  const further = new Map<string, Promise<Graph>>()
  const graph = (name: string): Promise<Graph> => {
    const known = further.get(name)
    if (known !== undefined) return known
    const path = spec.graphs[name]
    if (path === undefined) return Promise.reject(new TroupeError('ModelFailed', `${spec.name} has no graph called ${name}`, 'choose a model made for this task', { model: spec.name, graph: name, reason: 'unsupported-task' }))
    const opened = openGraph(ort, gate, spec, path)
    further.set(name, opened)
    opened.catch(() => further.delete(name))
    return opened
  }
  return {
    ...first,
    name: spec.name,
    config: spec.config,
    bytes: spec.bytes,
    graph,
    get tokenizer() {
      if (tokenizer === undefined) throw new TroupeError('ModelFailed', `${spec.name} takes no text`, 'choose a model made for this task', { model: spec.name, reason: 'unsupported-task' })
      return tokenizer
    },
  }
}

/** A device that the build has may still lack its driver, or libraries of its own. */
async function tryDevice(ort: Ort, gate: Gate, { name, device }: ModelSpec): Promise<void> {
  if (device === undefined) return
  await gate(async () => await (await ort.InferenceSession.create(PROBE, { executionProviders: [device] })).release()).catch((cause: unknown) => {
    throw brokenDevice(name, device, cause)
  })
}

async function openGraph(ort: Ort, gate: Gate, spec: ModelSpec, path: string): Promise<Graph> {
  const where = spec.device === undefined ? ({ preferredOutputLocation: 'cpu-pinned' } as const) : { executionProviders: [spec.device] }
  const session = await gate(() =>
    ort.InferenceSession.create(path, { intraOpNumThreads: spec.threads, interOpNumThreads: 1, executionMode: 'sequential', ...where }).catch((cause: unknown) => {
      throw failureOf(cause, spec.name, () => damaged(spec.name, path, cause))
    }),
  )
  const native = (tensor: Tensor): OrtTensor => (tensor instanceof ort.Tensor ? tensor : new ort.Tensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims))
  const run = (feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> => {
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, native(tensor)]))
    const ran = gate(() => (outputs === undefined ? session.run(inputs) : session.run(inputs, [...outputs])))
    return ran as unknown as Promise<Tensors>
  }
  return { inputs: portsOf(session.inputMetadata), outputs: portsOf(session.outputMetadata), run }
}

const portsOf = (metadata: Session['inputMetadata']): Port[] =>
  metadata.map((port) => ({ name: port.name, type: port.isTensor ? port.type : '', shape: port.isTensor ? port.shape : [] }))

/** The same model for one pass, which goes no further once nobody wants it. */
function guarded(model: Model, check: () => void): Model {
  const guard = (graph: Graph): Graph => Object.create(graph, { run: { value: (...feeds: Parameters<Graph['run']>) => Promise.resolve().then(check).then(() => graph.run(...feeds)) } }) as Graph
  return Object.create(guard(model), { graph: { value: async (name: string) => guard(await model.graph(name)) } }) as Model
}

/** A pipeline of transformers.js; every call is one native call to the strip, and a writing one looks at it at each token. */
async function loadPipe(spec: ModelSpec, strip: Strip): Promise<Pipe> {
  const ort = await loadAddon()
  if (strip.stopped) throw stopped()
  const gate = makeGate(strip)
  await tryDevice(ort, gate, spec)
  const { env, pipeline, RawImage, StoppingCriteria } = await import('@huggingface/transformers').catch((cause: unknown) => {
    throw missing('@huggingface/transformers', cause)
  })
  const { name, dtype, revision, hub } = spec.pipeline ?? { name: '' }
  Object.assign(env, hub ?? { allowRemoteModels: false })
  class Unwanted extends StoppingCriteria {
    readonly #left: () => boolean
    constructor(left: () => boolean) {
      super()
      this.#left = left
    }
    override _call(sequences: number[][]): boolean[] {
      return sequences.map(() => strip.stopped || this.#left())
    }
  }
  const options = { session_options: { intraOpNumThreads: spec.threads, interOpNumThreads: 1 }, ...(spec.device === undefined ? {} : { device: spec.device }), ...(dtype === undefined ? {} : { dtype }), ...(revision === undefined ? {} : { revision }) }
  const make = pipeline as unknown as (task: string, model: string, options: object) => Promise<(input: unknown, options: object) => Promise<unknown>>
  const pipe = await gate(() => make(name, spec.folder, options)).catch((cause: unknown) => {
    throw failureOf(cause, spec.name, () => new TroupeError('ModelFailed', `${spec.name} cannot be loaded for ${name}: ${describe(cause)}`, `check that it is a model for ${name}, and that all its files are there`, { model: spec.name, task: name }, cause))
  })
  const writes = ['translation', 'summarization', 'automatic-speech-recognition', 'image-to-text'].includes(name)
  return {
    run: (input, given, left) => gate(() => pipe(input, writes ? { ...given, stopping_criteria: [new Unwanted(left)] } : given)),
    picture: async (input, limits) => {
      if (typeof input === 'string') return await RawImage.read(input)
      if (input instanceof Uint8Array) {
        // Through our own decoder, which holds a hostile file to its limits.
        const { data, width, height } = await decodeImage(input, limits)
        return new RawImage(data, width, height, 3)
      }
      return new RawImage(new Uint8ClampedArray(input.data), input.width, input.height, input.channels)
    },
  }
}

/** What a thread, or a process in its place, does with each task. */
export class ModelThread {
  readonly #spec: ModelSpec
  readonly #strip: Strip
  #model: Promise<Model> | undefined
  #pipe: Promise<Pipe> | undefined
  #engine: Engine | undefined
  #parts: (readonly [number, string])[] = []

  readonly #post: (message: Parts) => void

  constructor(spec: ModelSpec, strip: Strip, post: (message: Parts) => void) {
    this.#spec = spec
    this.#strip = strip
    this.#post = post
  }

  async serve(task: Task): Promise<Reply> {
    try {
      switch (task.kind) {
        case 'load':
          return await this.#timed(async () => void (await (this.#spec.pipeline === undefined ? this.#load() : this.#loadPipe())), (ms) => ({ kind: 'loaded', ms }))
        case 'pass':
          return await this.#pass(task)
        case 'generate':
          return await this.#generate(task)
        case 'wake':
          this.#engine?.wake()
          return { kind: 'woken' }
      }
    } catch (thrown) {
      return failed(thrown, this.#spec.name)
    }
  }

  #load(): Promise<Model> {
    return (this.#model ??= loadModel(this.#spec, this.#strip))
  }

  #loadPipe(): Promise<Pipe> {
    return (this.#pipe ??= loadPipe(this.#spec, this.#strip))
  }

  async #pass({ slot, task, inputs, options, tokensMax }: Extract<Task, { kind: 'pass' }>): Promise<Reply> {
    const left = (): boolean => this.#strip.cancelled(slot)
    if (this.#spec.pipeline !== undefined) {
      const pipe = await this.#loadPipe()
      return await this.#timed(() => runPipeline(task, pipe, { inputs, options, tokensMax, left }), (ms, answers): Passed => ({ kind: 'passed', ms, ...answers }))
    }
    const model = await this.#load()
    const kernel = KERNELS[task]
    if (kernel === undefined) throw new TroupeError('ModelFailed', `there is no task ${JSON.stringify(task)}`, `ask for one of ${Object.keys(KERNELS).join(', ')}, generate`, { task, reason: 'unsupported-task' })
    return await this.#timed(() => kernel(guarded(model, () => check(left)), { inputs, options, tokensMax }), (ms, answers): Passed => ({ kind: 'passed', ms, ...answers }))
  }

  async #generate({ id, slot, rank, request }: Extract<Task, { kind: 'generate' }>): Promise<Reply> {
    this.#engine ??= new Engine(await this.#load(), (asleep) => this.#strip.sleep(asleep))
    const result = await this.#engine.start(request, rank, {
      cancelled: () => this.#strip.stopped || this.#strip.cancelled(slot),
      taken: () => this.#strip.taken(slot),
      part: (text) => this.#say(id, text),
    })
    return { kind: 'generated', result }
  }

  /** What one step wrote for all its sequences leaves as one message. */
  #say(id: number, text: string): void {
    if (this.#parts.push([id, text]) > 1) return
    queueMicrotask(() => {
      const message: Parts = { kind: 'parts', parts: this.#parts }
      this.#parts = []
      this.#post(message)
    })
  }

  async #timed<T>(work: () => Promise<T>, reply: (ms: number, result: T) => Reply): Promise<Reply> {
    const start = realClock.elapsed()
    const result = await work()
    return reply(realClock.elapsed() - start, result)
  }
}

let thread: ModelThread | undefined

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
const openThread = ({ spec, shared }: WorkerData): ModelThread => new ModelThread(spec, new Strip(shared), (message) => parentPort?.postMessage(message))

export default async function serve(task: Task): Promise<unknown> {
  thread ??= openThread(workerData as WorkerData)
  const reply = await thread.serve(task)
  const buffers = buffersOf(reply)
  return buffers.length > 0 ? moving(reply, buffers) : reply
}
