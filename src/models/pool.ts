/** One placed model: its waiting line, its threads, and who gets which next. */
import type { Clock } from '../ground/clock.js'
import { TroupeError, type ErrorData } from '../ground/errors.js'
import { Line, rankOf } from './batch.js'
import { Call } from './call.js'
import type { Answer, Join } from './inference.js'
import type { InferOptions } from './kernel.js'
import { BATCH_MAX, type GenerateRequest } from './kernels/generate.js'
import { PASSES_AHEAD, Replica, ThreadDied, type OpenThread } from './replica.js'
import { answerAt, type ModelSpec, type Passed, type Strip } from './wire.js'
import { Work, charsOf, costOf } from './work.js'

export interface Placed {
  readonly spec: ModelSpec
  readonly replicas: number
}

export interface PoolOptions {
  readonly model: string
  /** Finds the model's files and decides on its threads. */
  readonly place: () => Promise<Placed>
  readonly openThread: OpenThread
  readonly clock: Clock
  /** Calls that may be open for this model, and characters that they may hold; beyond, `Overloaded`. */
  readonly callsMax: number
  readonly charsMax: number
  readonly onProgress: (progress: Progress) => void
  /** The model could not be placed or loaded: there is nothing here to keep. */
  readonly onLost: () => void
}

/** What happens while a model loads. */
export type Progress =
  | { readonly kind: 'loading'; readonly model: string; readonly bytes: number }
  | { readonly kind: 'loaded'; readonly model: string; readonly bytes: number; readonly ms: number }

/** A forward pass lasts about this long: long enough to fill a batch, short enough to stop, and to let others in. */
const PASS_MS = 20
/** Padded tokens of a pass until its speed is known, and the bounds of what is learnt. */
const TOKENS_FIRST = 256
const TOKENS_MIN = 64
const TOKENS_MAX = 4096
const COUNT_MAX = 64
/** Fewer abandoned pieces than this are not worth a walk through the line. */
const GONE_MIN = 256
/** A model whose threads die this often in a row, without finishing anything, is given up. */
const DEATHS_MAX = 3
/** How much of what was just measured goes into an average. */
const FRESH = 0.2

export interface PoolMetrics {
  readonly threads: number
  /** Pieces of work that wait now. */
  readonly waiting: number
  readonly texts: number
  readonly passes: number
  readonly textsPerPass: number
  /** Tokens that went through batch kernels, padding included. */
  readonly tokens: number
  readonly computeMs: number
  readonly queueMsMean: number
  readonly sequences: number
  readonly tokensWritten: number
  readonly overloads: number
  readonly threadDeaths: number
}

/**
 * P1. Work is in the line, or in one replica's hands, or its call has ended.
 * P2. `#evaluate` alone hands out work; everything else notes what happened and asks for an evaluation.
 * P3. Work that was in a thread that died is tried once more, unless its caller has seen part of the answer.
 */
export class Pool {
  readonly #options: PoolOptions
  readonly #line = new Line<Work>()
  readonly #calls = new Set<Call>()
  readonly #replicas = new Set<Replica>()
  readonly #loading = new Map<Replica, Promise<void>>()
  #nextCaller = 1
  /** Characters that open calls hold. */
  #chars = 0
  #gone = 0
  #placed: Placed | undefined
  #placing: Promise<Placed> | undefined
  /** Estimated tokens of the passes that threads hold. */
  #inHand = 0
  #deathsInRow = 0
  #msPerToken = PASS_MS / TOKENS_FIRST
  #msPerSequence = 500
  #stopping = false
  #evaluating = false
  #waiters: (() => void)[] = []
  readonly #counts = { texts: 0, passes: 0, tokens: 0, computeMs: 0, queueMs: 0, sequences: 0, tokensWritten: 0, overloads: 0, threadDeaths: 0 }

  constructor(options: PoolOptions) {
    this.#options = options
  }

  /** True when no call is open. */
  get quiet(): boolean {
    return this.#calls.size === 0
  }
  get strips(): readonly Strip[] {
    return [...this.#replicas].map(({ strip }) => strip)
  }

  metrics(): PoolMetrics {
    const { queueMs, ...counts } = this.#counts
    const served = counts.texts + counts.sequences
    return { threads: this.#replicas.size, waiting: this.#line.size, textsPerPass: counts.passes === 0 ? 0 : counts.texts / counts.passes, queueMsMean: served === 0 ? 0 : queueMs / served, ...counts }
  }

  /** Many inputs of a batch kernel, answered together. */
  pass(task: string, inputs: readonly unknown[], options: unknown, how: InferOptions): Answer<unknown, unknown> {
    const call = this.#admit(inputs.length, inputs.reduce<number>((sum, input) => sum + charsOf(input), 0), how)
    if (call.ended) return call.answer
    if (inputs.length === 0) call.end([])
    const group = `${task} ${JSON.stringify(options ?? null)}`
    const shared = { call, kind: 'pass', task, options, group, ...this.#who(how) } as const
    const works = inputs.map((input, index) => new Work({ ...shared, input, index, cost: costOf(input) }))
    // Neighbours of like length share a pass; results go back by index.
    for (const work of works.sort((a, b) => a.cost - b.cost)) this.#line.add(work)
    this.#evaluateSoon()
    return call.answer
  }

  /** One sequence, written part by part. */
  sequence(request: GenerateRequest, how: InferOptions, join: Join<unknown>): Answer<unknown, unknown> {
    const call = this.#admit(1, JSON.stringify(request).length, how, join)
    if (call.ended) return call.answer
    this.#line.add(new Work({ call, kind: 'sequence', task: 'generate', options: undefined, group: 'generate', input: request, index: 0, cost: 1, ...this.#who(how) }))
    this.#evaluateSoon()
    return call.answer
  }

  /** Starts and loads every thread of the placement. */
  async warm(): Promise<void> {
    const { replicas } = await this.#place()
    while (this.#replicas.size < replicas) this.#start()
    await Promise.all(this.#loading.values())
  }

  /** Ends all calls, waits for the running steps, then ends the threads. */
  async stop(reason: TroupeError): Promise<void> {
    this.#stopping = true
    for (const replica of this.#replicas) replica.halt()
    this.#failAll(reason)
    while ([...this.#replicas].some((replica) => !replica.idle)) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    await Promise.all([...this.#replicas].map((replica) => replica.close()))
    this.#replicas.clear()
  }

  #admit(count: number, chars: number, how: InferOptions, join?: Join<unknown>): Call {
    const { clock, callsMax, charsMax } = this.#options
    const onEnd = (call: Call): void => {
      if (this.#calls.delete(call)) this.#chars -= call.chars
      if (call.missing > 0) this.#noteGone(call.missing)
    }
    const call = new Call({ clock, how, count, chars, onEnd, ...(join === undefined ? {} : { join }) })
    if (call.ended) return call
    if (this.#stopping) call.fail(new TroupeError('Cancelled', 'the model host has stopped', 'create a new host'))
    else if (this.#calls.size >= callsMax || (this.#calls.size > 0 && this.#chars + chars > charsMax)) call.fail(this.#overloaded())
    if (call.ended) return call
    this.#calls.add(call)
    this.#chars += chars
    return call
  }

  /** What is gone is dropped when it is met; when much of the line is gone, it is looked for. */
  #noteGone(pieces: number): void {
    this.#gone += pieces
    if (this.#gone < GONE_MIN || this.#gone * 2 < this.#line.size) return
    this.#gone = 0
    this.#line.sweep()
  }

  #overloaded(): TroupeError {
    this.#counts.overloads++
    const { model } = this.#options
    const retryAfterMs = Math.max(1, Math.ceil(this.#backlogMs()))
    return new TroupeError('Overloaded', `${this.#calls.size} calls are already open for ${model}`, 'try again after details.retryAfterMs, or send less at once', { model, calls: this.#calls.size, retryAfterMs })
  }

  /** How long what waits will take, by what was measured so far. */
  #backlogMs(): number {
    const threads = Math.max(1, this.#replicas.size)
    const perPiece = this.#counts.sequences > 0 ? this.#msPerSequence / BATCH_MAX : 0
    return ((this.#line.cost + this.#inHand) * this.#msPerToken + this.#line.size * perPiece) / threads
  }

  #who({ urgency = 'normal', caller }: InferOptions): Pick<Work, 'urgency' | 'caller' | 'since'> {
    return { urgency, caller: caller ?? `call ${this.#nextCaller++}`, since: this.#options.clock.elapsed() }
  }

  /** After everything that happens in this turn has been noted, so that what comes together goes together. */
  #evaluateSoon(): void {
    if (this.#evaluating || this.#stopping) return
    this.#evaluating = true
    process.nextTick(() => {
      this.#evaluating = false
      this.#evaluate()
    })
  }

  #evaluate(): void {
    if (this.#stopping) return
    if (this.#replicas.size === 0 && this.#line.size > 0) this.#begin()
    for (let round = 0; round < PASSES_AHEAD; round++) {
      for (const replica of this.#replicas) if (replica.takesPass && replica.passes === round) this.#handPass(replica)
    }
    while (this.#roomFor(0) !== undefined && this.#handSequence());
    const growing = [...this.#replicas].some(({ state }) => state === 'loading')
    if (this.#line.size > 0 && this.#replicas.size > 0 && !growing && this.#replicas.size < (this.#placed?.replicas ?? 1)) this.#start()
  }

  /** What waits is spread over the threads; a pass is never larger than its time allows. */
  #handPass(replica: Replica): void {
    const ready = [...this.#replicas].filter(({ state }) => state === 'ready').length
    const share = Math.ceil((this.#line.cost + this.#inHand) / (ready * PASSES_AHEAD))
    const most = clamp(PASS_MS / this.#msPerToken, TOKENS_MIN, TOKENS_MAX)
    const batch = this.#line.gather({ tokensMax: clamp(share, TOKENS_MIN, most), countMax: COUNT_MAX }, ({ kind }) => kind === 'pass')
    if (batch.length > 0) void this.#runPass(replica, batch, most)
  }

  async #runPass(replica: Replica, batch: readonly Work[], tokensMax: number): Promise<void> {
    this.#noteStart(batch)
    const cost = batch.reduce((sum, work) => sum + work.cost, 0)
    this.#inHand += cost
    const first = batch[0] as Work
    try {
      const reply = await replica.pass({ task: first.task, options: first.options, inputs: batch.map(({ input }) => input), tokensMax: Math.floor(tokensMax) })
      this.#learnPass(reply, batch.length)
      for (const { index, error } of reply.refused ?? []) refuse(batch[index] as Work, error)
      for (const [at, work] of batch.entries()) if (!work.gone) work.call.settle(work.index, answerAt(reply, at, batch.length))
    } catch (thrown) {
      if (thrown instanceof ThreadDied) this.#died(replica, batch, thrown)
      else for (const { call } of batch) call.fail(thrown as TroupeError)
    }
    this.#inHand -= cost
    this.#evaluateSoon()
  }

  #handSequence(): boolean {
    const [work] = this.#line.gather({ tokensMax: 1, countMax: 1 }, ({ kind, urgency }) => kind === 'sequence' && this.#roomFor(rankOf(urgency)) !== undefined)
    if (work === undefined) return false
    const replica = this.#roomFor(rankOf(work.urgency)) as Replica
    void this.#runSequence(replica, work)
    return true
  }

  #roomFor(rank: number): Replica | undefined {
    const open = [...this.#replicas].filter((replica) => replica.takesSequence(rank))
    return open.sort((a, b) => a.sequences - b.sequences)[0]
  }

  async #runSequence(replica: Replica, work: Work): Promise<void> {
    this.#noteStart([work])
    const { call } = work
    const started = this.#options.clock.elapsed()
    let told = false
    const onPart = (text: string): void => {
      told = true
      call.answer.push({ text })
    }
    const running = replica.sequence({ request: work.input as GenerateRequest, rank: rankOf(work.urgency), onPart })
    call.producer = { taken: (parts) => running.taken(parts), left: () => running.cancel() }
    try {
      const result = await running.result
      this.#counts.sequences++
      this.#counts.tokensWritten += result.usage.completionTokens
      this.#msPerSequence += FRESH * (this.#options.clock.elapsed() - started - this.#msPerSequence)
      this.#deathsInRow = 0
      call.end(result)
    } catch (thrown) {
      if (thrown instanceof ThreadDied) this.#died(replica, told ? [] : [work], thrown, told ? [work] : [])
      else call.fail(thrown as TroupeError)
    }
    this.#evaluateSoon()
  }

  #noteStart(batch: readonly Work[]): void {
    const now = this.#options.clock.elapsed()
    for (const { since } of batch) this.#counts.queueMs += now - since
  }

  #learnPass({ ms, tokens }: Passed, texts: number): void {
    this.#deathsInRow = 0
    this.#counts.passes++
    this.#counts.texts += texts
    this.#counts.tokens += tokens
    this.#counts.computeMs += ms
    if (tokens > 0) this.#msPerToken += FRESH * (ms / tokens - this.#msPerToken)
  }

  #place(): Promise<Placed> {
    this.#placing ??= this.#options.place().then(
      (placed) => (this.#placed = placed),
      (error: TroupeError) => {
        this.#placing = undefined
        this.#failAll(error)
        this.#options.onLost()
        throw error
      },
    )
    return this.#placing
  }

  #begin(): void {
    this.#place().then(
      () => {
        if (!this.#stopping && this.#replicas.size === 0) this.#start()
      },
      () => undefined,
    )
  }

  #start(): void {
    const { spec } = this.#placed as Placed
    this.#options.onProgress({ kind: 'loading', model: spec.name, bytes: spec.bytes })
    const replica = new Replica(this.#options.openThread, spec, () => this.#noteIdle())
    this.#replicas.add(replica)
    const loading = this.#load(replica, spec).finally(() => this.#loading.delete(replica))
    loading.catch(() => undefined)
    this.#loading.set(replica, loading)
  }

  async #load(replica: Replica, { name, bytes }: ModelSpec): Promise<void> {
    try {
      const ms = await replica.load()
      this.#options.onProgress({ kind: 'loaded', model: name, bytes, ms })
      this.#evaluateSoon()
    } catch (thrown) {
      if (thrown instanceof ThreadDied) throw this.#died(replica, [], thrown)
      this.#replicas.delete(replica)
      replica.discard()
      // Nobody else can serve what waits, and the next thread would fail alike.
      if (this.#replicas.size === 0) {
        this.#failAll(thrown as TroupeError)
        this.#options.onLost()
      }
      throw thrown
    }
  }

  #died(replica: Replica, again: readonly Work[], cause: Error, lost: readonly Work[] = []): TroupeError {
    if (this.#replicas.delete(replica)) {
      replica.discard()
      this.#counts.threadDeaths++
      this.#deathsInRow++
    }
    const error = new TroupeError('ModelFailed', `a thread of ${this.#options.model} died: ${cause.message}`, 'ask again; if it happens for the same input, leave that input out', { model: this.#options.model, reason: 'thread-died' }, cause)
    for (const { call } of lost) call.fail(error)
    for (const work of again.filter(({ tries }) => tries > 0)) work.call.fail(error)
    const retried = again.filter(({ tries, gone }) => tries === 0 && !gone)
    for (const work of retried) work.tries++
    this.#line.giveBack(retried)
    if (this.#deathsInRow >= DEATHS_MAX && this.#replicas.size === 0) {
      this.#deathsInRow = 0
      this.#failAll(error)
    }
    this.#noteIdle()
    this.#evaluateSoon()
    return error
  }

  #failAll(error: TroupeError): void {
    this.#line.drain()
    for (const call of this.#calls) call.fail(error)
  }

  #noteIdle(): void {
    for (const tell of this.#waiters.splice(0)) tell()
  }
}

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(value, least), most)

/** The error of one input, by its place in its own call rather than in the batch. */
const refuse = ({ call, index }: Work, error: ErrorData): void => call.fail(TroupeError.fromData({ ...error, details: { ...error.details, index } }))
