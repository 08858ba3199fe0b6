/** The model host: which models run, on which threads, and how they end. The door to piscina. */
import { totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Piscina, move } from 'piscina'
import { realClock, type Clock } from '../ground/clock.js'
import { TroupeError } from '../ground/errors.js'
import { locate, locateWhole, type Dtype, type Located } from './catalog.js'
import { fromHub, isHubId, type HubSettings, type Told } from './hub.js'
import { Answer } from './inference.js'
import type { InferOptions, Inference, TextPair } from './kernel.js'
import type { ClassifyOptions, LabelScore } from './kernels/classify.js'
import type { EmbedOptions } from './kernels/embed.js'
import type { GeneratePart, GenerateRequest, GenerateResult } from './kernels/generate.js'
import { PIPELINE_TASKS, type AudioInput, type ImageInput, type Speech, type TranscribeOptions, type Transcript, type WriteOptions } from './kernels/pipeline.js'
import type { Tagged } from './kernels/tag.js'
import { openChild } from './child.js'
import { Cores, coreCount } from './cores.js'
import type { Placed, Progress } from './crew.js'
import { checkDevice, type Device } from './devices.js'
import { CALLS_MAX, CHARS_MAX, EXIT_WAIT_MS, MEMORY_SHARE, MODELS_MAX, WATCHDOG_MS } from './limits.js'
import { isPackaged } from './packaged.js'
import { Pool, type PoolMetrics } from './pool.js'
import { remoteNamed } from './named-remote.js'
import { joined, Remote, type RemoteMetrics, type RemoteModel } from './remote.js'
import type { OpenThread, Thread } from './replica.js'
import { Resident } from './resident.js'
import type { Host, Ranked, Understood, ZeroShotOptions } from './tasks.js'
import type { Reply, Strip } from './wire.js'

export interface Placement {
  /** Threads of our own that hold the model, each with its own copy of the weights. */
  readonly replicas?: number
  /** Threads that one forward pass uses within a replica. `replicas × threads` may not exceed the cores. */
  readonly threads?: number
  readonly dtype?: Dtype
  /** What computes: `cpu`, the default, or what the onnxruntime-node of this machine has beside it. */
  readonly device?: Device
  /** `process` runs each replica in a process of its own: slower to reach, but one that hangs can be killed. Default `thread`. */
  readonly isolation?: 'thread' | 'process'
  /** Branch, tag or commit of a model from the hub. Default `main`. */
  readonly revision?: string
}

export interface HostOptions {
  readonly clock?: Clock
  /** By model name, where the defaults do not fit. */
  readonly placement?: Readonly<Record<string, Placement>>
  /** Calls that may be open for one model. Default 4,096; the next gets `Overloaded`. */
  readonly callsMax?: number
  /** Characters that the open calls of one model may hold. Default 16 million; one call may always be larger. */
  readonly charsMax?: number
  /** Pieces of one caller's work (a text of a batch kernel, a generation) that threads of one model may hold at once. Default: no limit, as callers take turns anyway. */
  readonly callerMax?: number
  /** Memory that all models together may hold, measured as each loads. Default half of what there is; the model not used for longest goes first. */
  readonly memoryMax?: number
  /** A thread that does not come out of one native call for so many milliseconds is given up and replaced. Default ten minutes. */
  readonly watchdogMs?: number
  readonly onProgress?: (progress: Progress) => void
  /** Models of remote providers by names of the caller's own: AI SDK `LanguageModel` or `EmbeddingModel` objects. */
  readonly remote?: Readonly<Record<string, RemoteModel>>
  /** Where hub models are kept and come from; what is not said here is as `env` of transformers.js says. */
  readonly hub?: Partial<HubSettings>
}

/** A graph above this gains more from threads within a pass than from passes side by side. */
const SMALL_ENCODER_BYTES = 256_000_000
const SMALL_DECODER_BYTES = 64_000_000

/** Creates a host. Nothing is loaded, and no thread starts, before the first call. */
export async function createHost(options: HostOptions = {}): Promise<Host> {
  for (const [model, placement] of Object.entries(options.placement ?? {})) checkPlacement(model, placement)
  const { callerMax = 1 } = options
  if (!(callerMax >= 1)) throw new TroupeError('InvalidDefinition', `callerMax is ${callerMax}, so nobody would ever be served`, 'give a number of at least 1, or leave it out', { callerMax })
  return Promise.resolve(new ModelHost(options))
}

/** For a thread's answer: what `transfer` lists moves to the host instead of being copied. */
export const moving = (value: object, transfer: readonly ArrayBufferLike[]): unknown =>
  move({ [Piscina.transferableSymbol]: transfer, [Piscina.valueSymbol]: value } as unknown as ArrayBuffer)

class ModelHost implements Host {
  readonly #options: HostOptions
  readonly #clock: Clock
  readonly #cores: Cores
  readonly #resident: Resident
  readonly #pools = new Map<string, Pool>()
  readonly #remotes = new Map<string, Remote>()
  #stopped = false
  readonly #onExit = (): void => leaveNative([...this.#pools.values()].flatMap(({ strips }) => strips))

  constructor(options: HostOptions) {
    this.#options = options
    this.#clock = options.clock ?? realClock
    this.#cores = new Cores(coreCount(), this.#clock)
    this.#resident = new Resident(this.#clock)
  }

  now(): number {
    return this.#clock.now()
  }

  infer(task: string, model: string, input: unknown, options: InferOptions = {}): Inference {
    if (task === 'generate') return this.generate(model, input as GenerateRequest, options)
    const { inputs, how } = inputsOf(input)
    const remote = this.#remote(model)
    if (remote !== undefined) return task === 'embed' ? remote.embed(inputs as string[], options) : remote.refuse(task)
    return this.#on(model, pipelineOf(model, task), (pool) => pool.pass(task, inputs, how, options))
  }

  async translate(model: string, texts: string | readonly string[], options: WriteOptions & InferOptions = {}): Promise<string[]> {
    return (await this.#whole('translate', model, asList(texts), options)) as string[]
  }

  async summarise(model: string, texts: string | readonly string[], options: WriteOptions & InferOptions = {}): Promise<string[]> {
    return (await this.#whole('summarise', model, asList(texts), options)) as string[]
  }

  async transcribe(model: string, audio: AudioInput, options: TranscribeOptions & InferOptions = {}): Promise<Transcript> {
    return (await this.#whole('transcribe', model, [audio], options))[0] as Transcript
  }

  async classifyImage(model: string, image: ImageInput, options: InferOptions = {}): Promise<LabelScore[]> {
    return (await this.#whole('classifyImage', model, [image], options))[0] as LabelScore[]
  }

  async embedImage(model: string, image: ImageInput, options: InferOptions = {}): Promise<Float32Array> {
    return (await this.#whole('embedImage', model, [image], options))[0] as Float32Array
  }

  async caption(model: string, image: ImageInput, options: WriteOptions & InferOptions = {}): Promise<string> {
    return (await this.#whole('caption', model, [image], options))[0] as string
  }

  async read(model: string, image: ImageInput, options: WriteOptions & InferOptions = {}): Promise<string> {
    return (await this.#whole('read', model, [image], options))[0] as string
  }

  async speak(model: string, text: string, options: { readonly voice?: unknown } & InferOptions = {}): Promise<Speech> {
    return (await this.#whole('speak', model, [text], options))[0] as Speech
  }

  /** A task that a pipeline of transformers.js runs. */
  async #whole(task: string, model: string, inputs: readonly unknown[], options: InferOptions): Promise<unknown[]> {
    const { signal, urgency, deadline, caller, ...how } = options
    const shared = Object.fromEntries(Object.entries({ signal, urgency, deadline, caller }).filter(([, value]) => value !== undefined)) as InferOptions
    return (await this.infer(task, model, { inputs, ...how }, shared)) as unknown[]
  }

  async embed(model: string, texts: string | readonly string[], options: EmbedOptions & InferOptions = {}): Promise<Float32Array[]> {
    const remote = this.#remote(model)
    return (await (remote === undefined ? this.#pool(model).pass('embed', asList(texts), embedOptions(options), options) : remote.embed(asList(texts), options))) as Float32Array[]
  }

  async tag(model: string, texts: string | readonly string[], options: InferOptions = {}): Promise<Tagged[]> {
    return (await this.#pool(model).pass('tag', asList(texts), undefined, options)) as Tagged[]
  }

  async understand(model: string, texts: string | readonly string[], options: EmbedOptions & InferOptions = {}): Promise<Understood[]> {
    return (await this.#pool(model).pass('understand', asList(texts), embedOptions(options), options)) as Understood[]
  }

  async classify(model: string, texts: string | readonly string[], options: ClassifyOptions & InferOptions = {}): Promise<LabelScore[][]> {
    const how = options.multiLabel === undefined ? undefined : { multiLabel: options.multiLabel }
    return (await this.#pool(model).pass('classify', asList(texts), how, options)) as LabelScore[][]
  }

  async zeroShot(model: string, texts: string | readonly string[], options: ZeroShotOptions & InferOptions): Promise<LabelScore[][]> {
    const { labels, hypothesis = 'This example is {}.', multiLabel = false } = options
    const pairs = asList(texts).flatMap((text) => labels.map((label): TextPair => ({ text, pair: hypothesis.replaceAll('{}', label) })))
    const scores = (await this.#pool(model).pass('entail', pairs, undefined, options)) as number[]
    return asList(texts).map((_, at) => {
      const own = scores.slice(at * labels.length, (at + 1) * labels.length)
      // Scores are odds of entailment; one label among several takes its share of all.
      const odds = own.map((score) => (multiLabel ? score : score / Math.max(1e-9, 1 - score)))
      const sum = multiLabel ? 1 : odds.reduce((total, each) => total + each, 0)
      return labels.map((label, i) => ({ label, score: (odds[i] as number) / sum })).sort((a, b) => b.score - a.score)
    })
  }

  async rerank(model: string, query: string, passages: readonly string[], options: InferOptions = {}): Promise<Ranked[]> {
    const pairs = passages.map((pair): TextPair => ({ text: query, pair }))
    const scores = (await this.#pool(model).pass('rerank', pairs, undefined, options)) as number[]
    return scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score || a.index - b.index)
  }

  generate(model: string, request: GenerateRequest, options: InferOptions = {}): Inference<GeneratePart, GenerateResult> {
    if ((request.messages === undefined) === (request.prompt === undefined)) {
      return refused(new TroupeError('InvalidMessage', 'a generation needs messages or a prompt, and not both', "give { messages: [{ role: 'user', content: '…' }] } or { prompt: '…' }"))
    }
    if (request.schema !== undefined && request.stop !== undefined) {
      return refused(new TroupeError('InvalidMessage', 'a stop string would cut JSON that a schema describes', 'give a schema or stop strings, and bound texts by maxLength in the schema'))
    }
    const remote = this.#remote(model)
    if (remote !== undefined) return remote.generate(request, options)
    if (request.messages?.some(({ images = [] }) => images.length > 0)) {
      return refused(new TroupeError('InvalidMessage', `${model} runs here, and such a model reads text alone`, 'turn pictures into text first, as perception() of troupe/actors does, or take a model of a provider'))
    }
    if (request.tools !== undefined) {
      return refused(new TroupeError('InvalidMessage', `${model} runs here, and such a model is not given tools`, 'give a schema that describes the calls, as agent() of troupe/actors does, or a model of a provider'))
    }
    const seed = request.seed ?? Math.floor(this.#clock.random() * 2 ** 32)
    const join = (earlier: unknown, later: unknown): GeneratePart => joined(earlier as GeneratePart, later as GeneratePart)
    return this.#on(model, undefined, (pool) => pool.sequence({ ...request, seed }, options, join)) as Inference<GeneratePart, GenerateResult>
  }

  async warm(model: string, task = ''): Promise<void> {
    if (this.#remote(model) === undefined) await this.#pool(model, pipelineOf(model, task)).warm()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const reason = new TroupeError('Cancelled', 'the model host was stopped', 'create a new host to go on')
    for (const remote of this.#remotes.values()) remote.stop(reason)
    await Promise.all([...this.#pools.values()].map((pool) => pool.stop(reason)))
    process.off('exit', this.#onExit)
  }

  metrics(): Readonly<Record<string, PoolMetrics>> {
    return Object.fromEntries([...this.#pools].map(([model, pool]) => [model, pool.metrics()]))
  }

  remoteMetrics(): Readonly<Record<string, RemoteMetrics>> {
    return Object.fromEntries([...this.#remotes].map(([name, remote]) => [name, remote.metrics()]))
  }

  /** A call that cannot even begin is refused where its answer is awaited, as any other. */
  #on(model: string, pipeline: string | undefined, call: (pool: Pool) => Inference): Inference {
    try {
      return call(this.#pool(model, pipeline))
    } catch (error) {
      return refused(error as TroupeError)
    }
  }

  #remote(name: string): Remote | undefined {
    const known = this.#remotes.get(name)
    const model = this.#options.remote?.[name] ?? remoteNamed(name)
    if (known !== undefined || model === undefined || this.#stopped) return known
    const remote = new Remote({ name, model, clock: this.#clock, callsMax: this.#options.callsMax ?? CALLS_MAX })
    this.#remotes.set(name, remote)
    return remote
  }

  #pool(model: string, pipeline?: string): Pool {
    const key = pipeline === undefined ? model : `${model} (${pipeline})`
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    if (this.#stopped) throw new TroupeError('Cancelled', 'the model host has stopped', 'create a new host')
    if (this.#pools.size >= MODELS_MAX) throw new TroupeError('Overloaded', `this host knows ${MODELS_MAX} models already`, 'use fewer models, or stop this host and create another', { model, retryAfterMs: 1_000 })
    if (this.#pools.size === 0) process.on('exit', this.#onExit)
    const pool: Pool = new Pool({
      model,
      place: () => (pipeline === undefined ? this.#place(model) : this.#placeWhole(model, pipeline)),
      openThread: this.#options.placement?.[model]?.isolation === 'process' ? openChild : openThread,
      clock: this.#clock,
      watchdogMs: this.#options.watchdogMs ?? WATCHDOG_MS,
      makeRoom: (bytes) => this.#makeRoom(model, pool, bytes),
      cores: this.#cores,
      resident: this.#resident,
      callsMax: this.#options.callsMax ?? CALLS_MAX,
      charsMax: this.#options.charsMax ?? CHARS_MAX,
      callerMax: this.#options.callerMax ?? Infinity,
      onProgress: (progress) => this.#options.onProgress?.(progress),
      onLost: () => this.#lose(key),
    })
    this.#pools.set(key, pool)
    return pool
  }

  #lose(key: string): void {
    this.#pools.delete(key)
    if (this.#pools.size === 0) process.off('exit', this.#onExit)
  }

  /** Lets idle models rest, the one not used for longest first, until so many bytes more fit. */
  async #makeRoom(model: string, own: Pool, bytes: number): Promise<TroupeError | undefined> {
    const most = this.#options.memoryMax ?? (process.constrainedMemory() > 0 ? Math.min(process.constrainedMemory(), totalmem()) : totalmem()) * MEMORY_SHARE
    const held = (): number => [...this.#pools.values()].reduce((sum, pool) => sum + pool.memoryBytes, 0)
    const idle = [...this.#pools.values()].filter((pool) => pool !== own && pool.quiet && pool.memoryBytes > 0).sort((a, b) => a.lastUsed - b.lastUsed)
    for (const pool of idle) {
      if (held() + bytes <= most) break
      await pool.rest()
    }
    if (held() + bytes <= most) return undefined
    const megabytes = (count: number): string => `${Math.ceil(count / 1e6)} MB`
    const hint = bytes > most ? 'raise memoryMax of the host, or choose a smaller dtype or model' : 'ask again when other models are at rest, place them with fewer replicas, or raise memoryMax of the host'
    return new TroupeError('OutOfMemory', `${model} needs ${megabytes(bytes)}, and models at work hold ${megabytes(held())} of the ${megabytes(most)} that they may`, hint, { model, reason: 'over-budget', bytes, heldBytes: held(), memoryMax: most })
  }

  async #place(model: string): Promise<Placed> {
    const wish = this.#options.placement?.[model] ?? {}
    const device = await this.#prepare(model, wish)
    const located = await locate(model, { ...(wish.dtype === undefined ? {} : { dtype: wish.dtype }), ...(isHubId(model) ? { folder: await this.#download(model, wish) } : {}) })
    const { replicas, threads } = { ...(device.device === undefined ? usual(located) : { replicas: 1, threads: 1 }), ...wish }
    const { name, folder, graph, graphs, wordless, bytes, config } = located
    return { spec: { name, folder, graph, graphs, wordless, bytes, config, threads, ...device }, replicas }
  }

  async #placeWhole(model: string, name: string): Promise<Placed> {
    const { dtype, revision, replicas = 1, threads = 1 } = this.#options.placement?.[model] ?? {}
    const device = await this.#prepare(model, this.#options.placement?.[model])
    const hub = isHubId(model)
    const { writes: _, ...located } = await locateWhole(model, hub)
    const pipeline = { name, ...(dtype === undefined || dtype === 'auto' ? {} : { dtype }), ...(revision === undefined ? {} : { revision }), ...(hub ? { hub: this.#options.hub ?? {} } : {}) }
    return { spec: { ...located, threads, ...device, pipeline }, replicas }
  }

  /** What the model's threads will need, before anything is downloaded for them: the addon, and a device if not the processor. */
  async #prepare(model: string, { device = 'cpu' }: Placement = {}): Promise<{ readonly device?: Device }> {
    // An addon that a thread loads first cannot be loaded again once that thread has ended.
    const { loadAddon } = await import('./worker.js')
    const { listSupportedBackends } = await loadAddon()
    checkDevice(model, device, listSupportedBackends().map(({ name }) => name))
    return device === 'cpu' ? {} : { device }
  }

  async #download(id: string, { dtype, revision }: Placement): Promise<string> {
    const { hubSettings } = await import('./worker.js')
    const { cacheDir, remoteHost, remotePathTemplate, allowRemoteModels } = await hubSettings()
    const onDownload: Told = (file, { whole, ...arrived }) => this.#options.onProgress?.({ kind: whole ? 'downloaded' : 'downloading', model: id, file, ...arrived })
    const settings = { cacheDir, remoteHost, remotePathTemplate, allowRemoteModels, ...this.#options.hub }
    return await fromHub({ id, onDownload, ...(dtype === undefined ? {} : { dtype }), ...(revision === undefined ? {} : { revision }) }, settings)
  }
}

/** The pipeline of transformers.js that does a task as a whole, if one does. */
const pipelineOf = (model: string, task: string): string | undefined => (isPackaged(model) ? undefined : PIPELINE_TASKS[task]?.name)

/** Small models: one thread a pass, several passes side by side. Large ones: all cores on one pass, weights held once. */
function usual({ bytes, writes }: Located): { replicas: number; threads: number } {
  const cores = coreCount()
  return bytes < (writes ? SMALL_DECODER_BYTES : SMALL_ENCODER_BYTES) ? { replicas: cores, threads: 1 } : { replicas: 1, threads: cores }
}

function checkPlacement(model: string, { replicas = 1, threads = 1 }: Placement): void {
  const cores = coreCount()
  const whole = Number.isInteger(replicas) && Number.isInteger(threads) && replicas > 0 && threads > 0
  if (whole && replicas * threads <= cores) return
  throw new TroupeError('InvalidDefinition', `${model} cannot be placed on ${replicas} replicas of ${threads} threads`, `give whole numbers whose product is at most the ${cores} cores of this machine: more threads than cores make everything slower`, { model, replicas, threads, cores })
}

const openThread: OpenThread = (data, onParts): Thread => {
  const filename = fileURLToPath(new URL('./worker.js', import.meta.url))
  const piscina = new Piscina({ filename, workerData: data, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 1_000_000, idleTimeout: Infinity, atomics: 'disabled', recordTiming: false })
  piscina.on('message', onParts)
  // A thread that dies while it holds tasks rejects them; one that dies idle is found dead by the next task.
  piscina.on('error', () => undefined)
  return {
    run: (task) => (piscina.run(task) as Promise<Reply>).catch((thrown: unknown) => refusal(thrown)),
    close: () => piscina.destroy(),
  }
}

/** Input that cannot cross to a thread is the caller's mistake; any other rejection means that the thread is gone. */
function refusal(thrown: unknown): Reply {
  if (!(thrown instanceof Error) || thrown.name !== 'DataCloneError') throw thrown
  const error = new TroupeError('InvalidMessage', `the input cannot be sent to the model's thread: ${thrown.message}`, 'give plain data: strings, numbers, arrays, typed arrays')
  return { kind: 'failed', error: error.toData() }
}

/** The process is about to end: ending it while a thread is in native code would abort it, so this waits, blocking. */
function leaveNative(strips: readonly Strip[]): void {
  for (const strip of strips) strip.stop()
  const end = realClock.elapsed() + EXIT_WAIT_MS
  for (const strip of strips) strip.awaitIdle(Math.max(0, end - realClock.elapsed()))
}

function refused<Part, Result>(error: TroupeError): Inference<Part, Result> {
  const answer = new Answer<Part, Result>({ taken: () => undefined, left: () => undefined })
  answer.fail(error)
  return answer
}

const asList = (texts: string | readonly string[]): readonly string[] => (typeof texts === 'string' ? [texts] : texts)

/** Only what the kernel reads: calls whose options look alike share passes. */
function embedOptions({ pooling, normalize, dimensions, overlong }: EmbedOptions): EmbedOptions | undefined {
  const given = Object.entries({ pooling, normalize, dimensions, overlong }).filter(([, value]) => value !== undefined)
  return given.length === 0 ? undefined : (Object.fromEntries(given) as EmbedOptions)
}

/** The inputs of a task given by name: one, a list, or a list with options beside it. */
function inputsOf(input: unknown): { inputs: readonly unknown[]; how: unknown } {
  if (Array.isArray(input)) return { inputs: input, how: undefined }
  if (typeof input !== 'object' || input === null || ArrayBuffer.isView(input)) return { inputs: [input], how: undefined }
  const { texts, inputs = texts, ...how } = input as Record<string, unknown>
  if (inputs === undefined) return { inputs: [input], how: undefined }
  return { inputs: Array.isArray(inputs) ? inputs : [inputs], how: Object.keys(how).length === 0 ? undefined : how }
}
